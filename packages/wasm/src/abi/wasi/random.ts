import { ERRNO } from "./errno.ts";
import type { GuestCall } from "./link-imports.ts";

/** Bytes asked of the host at a time: a guest does not decide what the host allocates. */
const CHUNK_BYTES = 65_536;

export function randomGet({ host, memory }: GuestCall, pointer: number, lengthBytes: number): number {
  const target = memory.range(pointer, lengthBytes);
  host.charge(target.length);
  for (let done = 0; done < target.length; done += CHUNK_BYTES) {
    target.set(host.randomBytes(Math.min(CHUNK_BYTES, target.length - done)), done);
  }
  return ERRNO.success;
}
