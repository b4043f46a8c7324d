import { ERRNO } from "./errno.ts";
import type { GuestCall } from "./link-imports.ts";

export type Stream = "stdin" | "stdout" | "stderr";

interface Descriptor {
  readonly stream: Stream;
  flags: number;
}

/** The descriptors of a command: 0, 1 and 2, until it closes them. There are no others, as nothing can be opened. */
export class Stdio {
  readonly #descriptors: (Descriptor | undefined)[] = [
    { stream: "stdin", flags: 0 },
    { stream: "stdout", flags: 0 },
    { stream: "stderr", flags: 0 },
  ];
  readonly #input: Uint8Array;
  #inputPosition = 0;

  constructor(input: Uint8Array) {
    this.#input = input;
  }

  at(fd: number): Descriptor | undefined {
    return this.#descriptors[fd];
  }

  close(fd: number): void {
    this.#descriptors[fd] = undefined;
  }

  /** `to` becomes what `from` was, and `from` is closed. */
  renumber(from: number, to: number): void {
    const moved = this.#descriptors[from];
    this.#descriptors[from] = undefined;
    this.#descriptors[to] = moved;
  }

  /** Bytes of stdin that were not read yet. */
  get unreadBytes(): number {
    return this.#input.length - this.#inputPosition;
  }

  /** The next bytes of stdin, fewer at its end; not a copy. */
  read(lengthBytes: number): Uint8Array {
    const begin = this.#inputPosition;
    const bytes = this.#input.subarray(begin, begin + lengthBytes);
    this.#inputPosition += bytes.length;
    return bytes;
  }
}

export interface StdioCall extends GuestCall {
  readonly stdio: Stdio;
}

const RIGHTS = { read: 1n << 1n, setFlags: 1n << 3n, write: 1n << 6n, filestat: 1n << 21n, poll: 1n << 27n };

const FDSTAT_BYTES = 24;
const FILESTAT_BYTES = 64;
const KNOWN_FLAGS = 0b1_1111;

export function fdClose({ stdio }: StdioCall, fd: number): number {
  if (stdio.at(fd) === undefined) return ERRNO.badf;
  stdio.close(fd);
  return ERRNO.success;
}

export function fdRenumber({ stdio }: StdioCall, from: number, to: number): number {
  if (stdio.at(from) === undefined || stdio.at(to) === undefined) return ERRNO.badf;
  if (from !== to) stdio.renumber(from, to);
  return ERRNO.success;
}

/**
 * Type of file: unknown, as for a pipe. As a terminal, libc would write each line by itself, a call of the host for
 * each.
 */
export function fdFdstatGet({ memory, stdio }: StdioCall, fd: number, stat: number): number {
  const descriptor = stdio.at(fd);
  if (descriptor === undefined) return ERRNO.badf;
  const rights = descriptor.stream === "stdin" ? RIGHTS.read : RIGHTS.write;
  const begin = memory.check(stat, FDSTAT_BYTES);
  memory.range(begin, FDSTAT_BYTES).fill(0);
  memory.setU16(begin + 2, descriptor.flags);
  memory.setU64(begin + 8, rights | RIGHTS.setFlags | RIGHTS.filestat | RIGHTS.poll);
  return ERRNO.success;
}

/** Kept and given back; nothing here waits, so they change nothing. */
export function fdFdstatSetFlags({ stdio }: StdioCall, fd: number, flags: number): number {
  const descriptor = stdio.at(fd);
  if (descriptor === undefined) return ERRNO.badf;
  if ((flags & ~KNOWN_FLAGS) !== 0) return ERRNO.inval;
  descriptor.flags = flags;
  return ERRNO.success;
}

/** All zero: no device, no size, no times. */
export function fdFilestatGet({ memory, stdio }: StdioCall, fd: number, stat: number): number {
  if (stdio.at(fd) === undefined) return ERRNO.badf;
  memory.range(stat, FILESTAT_BYTES).fill(0);
  return ERRNO.success;
}
