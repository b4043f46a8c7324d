/** A thread of a campaign: makes cases, checks them, says what came out. */
import { readFileSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import type { MeterModule } from "../src/meter/meter.ts";
import type { ReplayTask, ThreadTask } from "./campaign.ts";
import { type FuzzCase, makeCase, readRealModules } from "./cases.ts";
import { checkCase } from "./check-case.ts";

const task = workerData as ThreadTask | ReplayTask;
const { meterModule } = (await import(task.meterUrl)) as { readonly meterModule: MeterModule };

if (task.kind === "replay") {
  const kept = JSON.parse(readFileSync(`${task.file}.json`, "utf8")) as Omit<FuzzCase, "bytes">;
  parentPort?.postMessage(
    checkCase({ ...kept, bytes: new Uint8Array(readFileSync(task.file)) }, meterModule),
  );
} else {
  const real = readRealModules(task.root);
  for (let number = task.first; number < task.end; number += task.step) {
    // Seen by the campaign's thread also while a case does not end.
    Atomics.store(task.current, 0, number);
    parentPort?.postMessage(checkCase(makeCase(task.seed, number, real), meterModule));
  }
}
