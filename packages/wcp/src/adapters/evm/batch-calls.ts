import type { BatchCall } from "../../chain-ports.ts";

const WORD_DIGITS = 64;
const WORD_BYTES = 32;

/**
 * Call data of `selector((address to, uint64 gas, bytes data)[])`, as Solidity's ABI has it. Written out
 * because the general coder of ethers takes a millisecond per call, and batches hold hundreds that are
 * encoded several times over; `tests/batch-calls.test.ts` holds it to that coder's result.
 */
export function encodeCalls(selector: string, calls: readonly BatchCall[]): string {
  const tuples = calls.map(encodeCall);
  let offsetBytes = calls.length * WORD_BYTES;
  const offsets = tuples.map((tuple) => {
    const at = word(offsetBytes);
    offsetBytes += tuple.length / 2;
    return at;
  });
  return [selector, word(WORD_BYTES), word(calls.length), ...offsets, ...tuples].join("");
}

function encodeCall({ to, gas, data }: BatchCall): string {
  const digits = data.slice(2);
  const padded = Math.ceil(digits.length / WORD_DIGITS) * WORD_DIGITS;
  return [
    to.slice(2).toLowerCase().padStart(WORD_DIGITS, "0"),
    word(gas),
    word(3 * WORD_BYTES),
    word(digits.length / 2),
    digits.padEnd(padded, "0"),
  ].join("");
}

function word(value: number | bigint): string {
  return value.toString(16).padStart(WORD_DIGITS, "0");
}
