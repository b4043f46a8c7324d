import { createCipheriv } from "node:crypto";
import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { createWorld } from "../src/thread/world.ts";

function drawn(seed: bigint, lengths: readonly number[]): Buffer {
  const world = createWorld({ kind: "seeded", seed, startMs: 0 });
  return Buffer.concat(lengths.map((length) => world.randomBytes(length)));
}

function keystream(seed: bigint, length: number): Buffer {
  const key = Buffer.alloc(32);
  key.writeBigUInt64LE(seed);
  return createCipheriv("aes-256-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(length));
}

describe("the world of a run", () => {
  it("seeded randomness is the keystream, however it is asked for", () => {
    const wishes = [
      [5000],
      [8, 0, 1, 7, 1008, 1, 1023, 1024, 1025, 3],
      Array.from({ length: 3000 }, () => 1),
    ];
    for (const lengths of wishes) {
      const length = lengths.reduce((sum, each) => sum + each, 0);
      expect(drawn(77n, lengths).equals(keystream(77n, length))).toBe(true);
    }
  });

  it("live randomness never gives the same bytes twice", () => {
    const world = createWorld({ kind: "live" });
    const draws = Array.from({ length: 2000 }, () => Buffer.from(world.randomBytes(8)).toString("hex"));
    expect(new Set(draws).size).toBe(draws.length);
  });

  it("what was drawn is the caller's, whatever is drawn later", () => {
    const world = createWorld({ kind: "seeded", seed: 1n, startMs: 0 });
    const first = world.randomBytes(16).fill(0);
    const rest = world.randomBytes(16);
    expect(first.every((byte) => byte === 0)).toBe(true);
    expect(Buffer.from(rest).equals(keystream(1n, 32).subarray(16))).toBe(true);
  });

  it("a live sleep of any length lasts, also one that is longer than clocks count", async () => {
    const source = `
      const { workerData, parentPort } = require("node:worker_threads");
      import(workerData.url).then(({ createWorld }) => {
        parentPort.postMessage("sleeps");
        createWorld({ kind: "live" }).sleepNs(workerData.ns);
        parentPort.postMessage("awake");
      });`;
    for (const ns of [2n ** 63n - 1n, 2n ** 64n - 1n, 2n ** 80n]) {
      const url = new URL("../src/thread/world.ts", import.meta.url).href;
      const worker = new Worker(source, { eval: true, workerData: { url, ns } });
      const heard: string[] = [];
      await new Promise<void>((resolve, reject) => {
        worker.once("error", reject);
        worker.on("message", (message: string) => {
          heard.push(message);
          resolve();
        });
      });
      // It would be awake by the time that the thread has answered so many questions.
      for (let turn = 0; turn < 20; turn += 1) await worker.getHeapStatistics();
      await worker.terminate();
      expect(heard).toEqual(["sleeps"]);
    }
  });
});
