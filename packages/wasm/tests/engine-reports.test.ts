import { MessageChannel, receiveMessageOnPort, Worker } from "node:worker_threads";
import { expect, it } from "vitest";
import { CELL } from "../src/thread/protocol.ts";

const MOST_REPORTS = 256;

it("a run that reports without a pause waits for the engine, and its messages are cut", async () => {
  const { port1, port2 } = new MessageChannel();
  const cells = new BigInt64Array(new SharedArrayBuffer(CELL.count * 8));
  const logged = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(new URL("./_reporting-thread.ts", import.meta.url), {
    workerData: { port: port2, cells, logged },
    transferList: [port2],
  });
  /** Waits until the thread has logged so often, and then finds that it does not go on. */
  const expectHeldAt = (count: number) => {
    for (let seen = 0; seen < count; seen = Atomics.load(logged, 0)) {
      expect(Atomics.wait(logged, 0, seen, 20_000)).not.toBe("timed-out");
    }
    expect(Atomics.wait(logged, 0, count, 100)).toBe("timed-out");
  };
  try {
    // The last one is said, and not returned from.
    expectHeldAt(MOST_REPORTS - 1);
    Atomics.add(cells, CELL.taken, 10n);
    Atomics.notify(cells, CELL.taken);
    expectHeldAt(MOST_REPORTS + 9);
    const first = receiveMessageOnPort(port1)?.message as { readonly kind: string; readonly message: string };
    expect(first).toMatchObject({ kind: "log", level: "info" });
    expect(first.message.length).toBe(16_384);
  } finally {
    await worker.terminate();
    port1.close();
  }
});
