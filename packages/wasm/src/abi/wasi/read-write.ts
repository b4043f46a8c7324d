import type { RunHost } from "../../thread/protocol.ts";
import { ERRNO } from "./errno.ts";
import type { GuestMemory } from "./guest-memory.ts";
import type { GuestCall } from "./link-imports.ts";
import type { Stdio, StdioCall } from "./stdio.ts";

const VECTOR_BYTES = 8;
const MOST_BYTES_OF_A_CALL = 0xffff_ffff;

/** A list of buffers in the guest's memory, as a call names it. */
interface Vectors {
  readonly pointer: number;
  readonly count: number;
}

/**
 * Checks the list and each buffer that it names, before anything is read or written. Its length is up to the guest, so
 * it is charged for, and never copied.
 */
function checkVectors({ host, memory }: GuestCall, { pointer, count }: Vectors): Vectors {
  const length = count >>> 0;
  const begin = memory.check(pointer, length * VECTOR_BYTES);
  host.charge(length * VECTOR_BYTES);
  for (let index = 0; index < length; index += 1) vectorAt(memory, begin, index);
  return { pointer: begin, count: length };
}

function vectorAt(memory: GuestMemory, begin: number, index: number): Uint8Array {
  const at = begin + index * VECTOR_BYTES;
  return memory.range(memory.u32(at), memory.u32(at + 4));
}

export function fdRead(
  call: StdioCall,
  ...[fd, pointer, count, read]: [fd: number, pointer: number, count: number, read: number]
): number {
  const { host, memory, stdio } = call;
  if (stdio.at(fd)?.stream !== "stdin") return ERRNO.badf;
  memory.check(read, 4);
  const vectors = checkVectors(call, { pointer, count });
  let readBytes = 0;
  for (let index = 0; index < vectors.count && stdio.unreadBytes > 0; index += 1) {
    const target = vectorAt(memory, vectors.pointer, index);
    readBytes += readInto(target, host, stdio);
  }
  memory.setU32(read, readBytes);
  return ERRNO.success;
}

function readInto(target: Uint8Array, host: RunHost, stdio: Stdio): number {
  host.charge(Math.min(target.length, stdio.unreadBytes));
  const bytes = stdio.read(target.length);
  target.set(bytes);
  return bytes.length;
}

export function fdWrite(
  call: StdioCall,
  ...[fd, pointer, count, written]: [fd: number, pointer: number, count: number, written: number]
): number {
  const { host, memory, stdio } = call;
  const stream = stdio.at(fd)?.stream;
  if (stream === undefined || stream === "stdin") return ERRNO.badf;
  memory.check(written, 4);
  const vectors = checkVectors(call, { pointer, count });
  let writtenBytes = 0;
  for (let index = 0; index < vectors.count; index += 1) {
    const bytes = vectorAt(memory, vectors.pointer, index);
    // The same buffer may be named often: what does not fit into the number is left for another call.
    if (writtenBytes + bytes.length > MOST_BYTES_OF_A_CALL) break;
    host.charge(bytes.length);
    if (stream === "stdout") host.writeOutput(bytes);
    else host.writeStderr(bytes);
    writtenBytes += bytes.length;
  }
  memory.setU32(written, writtenBytes);
  return ERRNO.success;
}
