import { open } from "node:fs/promises";

const READ_BYTES = 16_384;

/** The last lines of a log file, JSON ones shortened to level and message. Empty when there is no file yet. */
export async function readLogTail(path: string, lines = 8): Promise<readonly string[]> {
  let text: string;
  try {
    await using file = await open(path, "r");
    const { size } = await file.stat();
    const length = Math.min(size, READ_BYTES);
    const { buffer } = await file.read(Buffer.alloc(length), 0, length, size - length);
    text = buffer.toString("utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
  return text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .slice(-lines)
    .map(shortened);
}

function shortened(line: string): string {
  if (!line.startsWith("{")) return line;
  try {
    const { level, msg, err } = JSON.parse(line) as {
      level?: string;
      msg?: unknown;
      err?: { message?: unknown };
    };
    if (typeof msg !== "string") return line;
    const cause = typeof err?.message === "string" && !msg.includes(err.message) ? `: ${err.message}` : "";
    return `${(level ?? "info").padEnd(5)} ${msg}${cause}`;
  } catch {
    return line; // cut off at the start of what was read, or not JSON after all
  }
}
