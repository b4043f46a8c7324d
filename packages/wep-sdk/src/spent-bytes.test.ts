import { expect, it } from "vitest";
import { noteSpent } from "./spent-bytes.ts";
import { turn } from "./turn.ts";

const MIB = 1_024 * 1_024;
const CHUNK_BYTES = MIB / 16;

it("buffers that nobody needs do not pile up when they are told of", async () => {
  const before = process.memoryUsage().arrayBuffers;
  let most = 0;
  for (let chunk = 0; chunk < 4_000; chunk += 1) {
    noteSpent(Buffer.allocUnsafeSlow(CHUNK_BYTES).byteLength);
    if (chunk % 16 > 0) continue;
    most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    await turn();
  }
  // Left alone it is some 64 MiB.
  expect(most).toBeLessThan(32 * MIB);
});

it("handlers do not get to see the collector", () => {
  noteSpent(8 * MIB);
  expect("gc" in globalThis).toBe(false);
});
