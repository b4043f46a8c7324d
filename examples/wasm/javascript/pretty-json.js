// A command: JSON on stdin, the same JSON on stdout with sorted keys and line breaks, so that two can be compared.
import { getArguments } from "wasi:cli/environment@0.2.3";
import { getStderr } from "wasi:cli/stderr@0.2.3";
import { getStdin } from "wasi:cli/stdin@0.2.3";
import { getStdout } from "wasi:cli/stdout@0.2.3";

const PIECE_BYTES = 4096;

export const run = {
  run() {
    try {
      const spaces = Number(getArguments()[1] ?? 2);
      print(getStdout(), `${JSON.stringify(sorted(JSON.parse(readAll(getStdin()))), null, spaces)}\n`);
    } catch (error) {
      print(getStderr(), `not JSON: ${error.message}\n`);
      // The result of `run` is an error: the exit code is 1.
      throw undefined;
    }
  },
};

function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, each]) => [key, sorted(each)]));
}

function readAll(stream) {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let text = "";
  for (;;) {
    try {
      text += decoder.decode(stream.blockingRead(BigInt(PIECE_BYTES)), { stream: true });
    } catch (error) {
      if (error.payload?.tag !== "closed") throw error;
      return text + decoder.decode();
    }
  }
}

/** One call takes at most 4,096 bytes. */
function print(stream, text) {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    stream.blockingWriteAndFlush(bytes.slice(at, at + PIECE_BYTES));
  }
}
