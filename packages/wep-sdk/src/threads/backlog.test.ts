import { Worker } from "node:worker_threads";
import { expect, it } from "vitest";
import { until } from "../../tests/_wep.ts";
import { Backlog } from "./backlog.ts";

/** Says one thing after the other, and counts them. */
const TALKER = `
  const { workerData } = require("node:worker_threads");
  import(workerData.url).then(({ Backlog }) => {
    const backlog = new Backlog(workerData.shared);
    const said = new Int32Array(workerData.said);
    for (;;) {
      backlog.say(workerData.kind);
      Atomics.add(said, 0, 1);
    }
  });
`;

it.each([
  ["log", 256, 512],
  ["measured", 16, 32],
] as const)("holds a thread up that says more than is heard: %s", async (kind, first, second) => {
  const backlog = new Backlog();
  const said = new Int32Array(new SharedArrayBuffer(4));
  const { href: url } = new URL("backlog.ts", import.meta.url);
  const workerData = { url, shared: backlog.shared, said: said.buffer, kind };
  const worker = new Worker(TALKER, { eval: true, workerData });
  try {
    await until(() => Atomics.load(said, 0) >= first);
    expect(Atomics.load(said, 0)).toBe(first);
    for (let heard = 0; heard < first; heard += 1) backlog.hear(kind);
    // What has waited, and then as much as before, with it.
    await until(() => Atomics.load(said, 0) >= first + 1);
    await until(() => Atomics.load(said, 0) >= second);
    expect(Atomics.load(said, 0)).toBe(second);
  } finally {
    await worker.terminate();
  }
});
