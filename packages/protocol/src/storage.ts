// The remote broker of objects. Apart from the stream's messages: only those who
// keep objects elsewhere, or answer for such a broker, need it.
export { Storage } from "./gen/storage/v1/storage_pb.ts";
