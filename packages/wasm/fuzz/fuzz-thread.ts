/** A thread of a campaign: makes cases, checks them, says what came out. */
import { parentPort, workerData } from "node:worker_threads";
import type { MeterModule } from "../src/meter/meter.ts";
import { makeCase, readRealModules } from "./cases.ts";
import { checkCase } from "./check-case.ts";
import type { ThreadTask } from "./campaign.ts";

const task = workerData as ThreadTask;
const { meterModule } = (await import(task.meterUrl)) as { readonly meterModule: MeterModule };
const real = readRealModules(task.root);
for (let number = task.first; number < task.end; number += task.step) {
  // Seen by the campaign's thread also while a case does not end.
  Atomics.store(task.current, 0, number);
  parentPort?.postMessage(checkCase(makeCase(task.seed, number, real), meterModule));
}
