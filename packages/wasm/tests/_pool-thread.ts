import { type MessagePort, workerData } from "node:worker_threads";

/** A thread for tests of the pool: does what it is told, well or badly. */
export interface PoolThreadOrder {
  readonly name: string;
  readonly does: "answer" | "spin" | "exit" | "throw" | "fill_heap" | "look_around" | "answer_first";
}

/** Cells: what a thread that answers first waits for, and what it says when it went on. */
const RELEASED = 1;
const FINISHED = 2;

const { port, cells, fails } = workerData as {
  readonly port: MessagePort;
  readonly cells: BigInt64Array<SharedArrayBuffer>;
  readonly fails?: boolean;
};
if (fails === true) throw new Error("it cannot begin");

function fillHeap(): never {
  const kept: string[][] = [];
  for (;;) kept.push(Array.from({ length: 1000 }, (_, index) => `${kept.length} ${index}`));
}

port.on("message", (order: PoolThreadOrder | { readonly kind: "leave" }) => {
  if ("kind" in order) process.exit();
  const { name, does } = order;
  port.postMessage({ kind: "began", name });
  if (does === "spin") for (;;);
  if (does === "exit") process.exit(3);
  if (does === "throw") throw new Error("a fault");
  if (does === "fill_heap") fillHeap();
  const seen = { env: { ...process.env }, argv: process.argv.slice(2), execArgv: process.execArgv };
  port.postMessage({ kind: "done", name, seen });
  // For who has to know that it has answered without hearing it.
  Atomics.store(cells, 0, 1n);
  Atomics.notify(cells, 0);
  if (does !== "answer_first") return;
  Atomics.wait(cells, RELEASED, 0n);
  Atomics.store(cells, FINISHED, 1n);
});
port.postMessage({ kind: "ready" });
