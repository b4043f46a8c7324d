// A guest that logs without a pause, told of by `logged`.
import { type MessagePort, workerData } from "node:worker_threads";
import { DEFAULT_LIMITS } from "../src/limits.ts";
import { OneRunHost } from "../src/thread/run-host.ts";
import { createUncatchable } from "../src/thread/uncatchable.ts";

const { port, cells, logged } = workerData as {
  readonly port: MessagePort;
  readonly cells: BigInt64Array<SharedArrayBuffer>;
  readonly logged: Int32Array<SharedArrayBuffer>;
};
const host = new OneRunHost(
  {
    id: 1,
    programId: 1,
    program: undefined,
    abi: "handler",
    input: new Uint8Array(),
    args: [],
    env: {},
    limits: DEFAULT_LIMITS,
    world: { kind: "live" },
    maySend: false,
    isProfiled: false,
  },
  { port, cells, uncatchable: createUncatchable(), isComponent: true },
);
for (;;) {
  host.log("info", "x".repeat(100_000));
  Atomics.add(logged, 0, 1);
  Atomics.notify(logged, 0);
}
