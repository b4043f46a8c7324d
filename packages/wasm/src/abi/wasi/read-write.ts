import { ERRNO } from "./errno.ts";
import type { GuestMemory } from "./guest-memory.ts";
import type { GuestCall } from "./link-imports.ts";
import type { StdioCall } from "./stdio.ts";

const VECTOR_BYTES = 8;
const MOST_BYTES_OF_A_CALL = 0xffff_ffff;

/** A list of buffers in the guest's memory, as a call names it. */
interface Vectors {
  readonly pointer: number;
  readonly count: number;
}

/** A list that was checked. */
interface CheckedVectors extends Vectors {
  /** What the buffers hold together. */
  readonly sizeBytes: number;
}

/**
 * Checks the list and each buffer that it names, before anything is read or written. What is too much for the number
 * that the call returns is left out: the same buffer may be named often. The list is as long as the guest says, so it is
 * charged for before it is read.
 */
function checkVectors({ host, memory }: GuestCall, { pointer, count }: Vectors): CheckedVectors {
  const length = count >>> 0;
  const begin = memory.check(pointer, length * VECTOR_BYTES);
  host.charge(length * VECTOR_BYTES);
  let taken = 0;
  let sizeBytes = 0;
  for (let index = 0; index < length; index += 1) {
    const at = begin + index * VECTOR_BYTES;
    const bufferBytes = memory.u32(at + 4);
    memory.check(memory.u32(at), bufferBytes);
    if (taken < index || sizeBytes + bufferBytes > MOST_BYTES_OF_A_CALL) continue;
    sizeBytes += bufferBytes;
    taken += 1;
  }
  return { pointer: begin, count: taken, sizeBytes };
}

function vectorAt(memory: GuestMemory, { pointer }: Vectors, index: number): Uint8Array {
  const at = pointer + index * VECTOR_BYTES;
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
  host.charge(Math.min(vectors.sizeBytes, stdio.unreadBytes));
  let readBytes = 0;
  for (let index = 0; index < vectors.count && stdio.unreadBytes > 0; index += 1) {
    const target = vectorAt(memory, vectors, index);
    const bytes = stdio.read(target.length);
    target.set(bytes);
    readBytes += bytes.length;
  }
  memory.setU32(read, readBytes);
  return ERRNO.success;
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
  host.charge(vectors.sizeBytes);
  for (let index = 0; index < vectors.count; index += 1) {
    const bytes = vectorAt(memory, vectors, index);
    if (stream === "stdout") host.writeOutput(bytes);
    else host.writeStderr(bytes);
  }
  memory.setU32(written, vectors.sizeBytes);
  return ERRNO.success;
}
