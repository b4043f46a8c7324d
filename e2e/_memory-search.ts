import { closeSync, openSync, readFileSync, readSync } from "node:fs";

/** A text and where it was found. */
export interface Found {
  readonly what: string;
  /** As `/proc/PID/maps` has it: a file, `[heap]`, or empty for memory that was asked for. */
  readonly where: string;
}

const CHUNK_BYTES = 16 * 1024 * 1024;

/** Looks for byte sequences in all memory that a process may write to: nothing it has read is anywhere else. */
export function searchMemory(pid: number, needles: Readonly<Record<string, Buffer>>): readonly Found[] {
  const longest = Math.max(...Object.values(needles).map(({ length }) => length));
  const found: Found[] = [];
  const memory = openSync(`/proc/${pid}/mem`, "r");
  const chunk = Buffer.alloc(CHUNK_BYTES + longest);
  const within = (bytes: Buffer) =>
    Object.entries(needles).flatMap(([what, needle]) => (bytes.includes(needle) ? [what] : []));
  try {
    for (const { start, end, name } of writableRegions(pid)) {
      for (let at = start; at < end; at += CHUNK_BYTES) {
        const bytes = readAt(memory, chunk, { at, length: Math.min(chunk.length, end - at) });
        found.push(...within(bytes).map((what) => ({ what, where: name })));
      }
    }
  } finally {
    closeSync(memory);
  }
  return found;
}

/** What can be read of it: a region may be gone, or be reserved and not there. */
function readAt(
  memory: number,
  into: Buffer,
  { at, length }: { readonly at: number; readonly length: number },
): Buffer {
  try {
    return into.subarray(0, readSync(memory, into, { position: at, length }));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EIO" || code === "EFAULT") return into.subarray(0, 0);
    throw error;
  }
}

function writableRegions(
  pid: number,
): readonly { readonly start: number; readonly end: number; readonly name: string }[] {
  return readFileSync(`/proc/${pid}/maps`, "utf8")
    .split("\n")
    .map((line) => /^([0-9a-f]+)-([0-9a-f]+) rw\S* \S+ \S+ \S+\s*(.*)$/.exec(line))
    .filter((match) => match !== null)
    .map(([, start = "", end = "", name = ""]) => ({
      start: Number.parseInt(start, 16),
      end: Number.parseInt(end, 16),
      name,
    }));
}
