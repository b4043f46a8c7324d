// The testing kit under node:test; a test of the SDK's own runs this file.
import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "@subnet-worker/kit/clock";
import { defineHandler, type InputFile } from "../src/index.ts";
import { FakeClock, runHandler } from "../src/testing/index.ts";

const count = defineHandler<{ text: InputFile; limit: number }, { words: number }>({
  kind: "count",
  version: "1.0.0",
  async run({ text, limit }, ctx) {
    const words = new TextDecoder().decode(await text.bytes()).split(/\s+/);
    // Nothing but this keeps the process awake.
    await systemClock.sleep(5);
    await ctx.upload("words.txt", words.join("\n"), { mediaType: "text/plain" });
    return { words: Math.min(words.length, limit) };
  },
});

void test("a handler with a file", async () => {
  const run = await runHandler(count, { inputs: { limit: 3 }, files: { text: "to be or not to be" } });
  assert.equal(run.outputs.words, 3);
  assert.equal(run.uploads.get("words.txt")?.text().split("\n").length, 6);
});

void test("a handler that waits for a fake clock and nothing else", async () => {
  const clock = new FakeClock();
  const wait = defineHandler<{ ms: number }, { woke: boolean }>({
    kind: "wait",
    version: "1.0.0",
    async run({ ms }, ctx) {
      await ctx.progress(1, "waiting");
      await clock.sleep(ms, ctx.signal);
      return { woke: true };
    },
  });
  const running = runHandler(wait, { inputs: { ms: 60_000 }, clock });
  await running.progressed();
  await clock.advance(60_000);
  assert.deepEqual((await running).outputs, { woke: true });
});

if (process.env["FAILS"] !== undefined) {
  void test("a handler whose test fails says why", async () => {
    const run = await runHandler(count, { inputs: { limit: 3 } });
    assert.equal(run.outputs.words, 3);
  });
}
