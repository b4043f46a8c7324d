/** What generated modules do and burn; as a thread, posts that for the seeds it is given. */
import { parentPort, workerData } from "node:worker_threads";
import { generatedImports, generateModule } from "./_generate-module.ts";
import {
  type Burnt,
  meter,
  observeMetered,
  PLACEMENTS,
  PLENTY,
  runnable,
  type Seen,
} from "./_observe-module.ts";

/** By placement and call. */
export function observeGenerated(seed: number): readonly (Seen & Burnt)[] {
  const generated = generateModule(seed);
  return PLACEMENTS.flatMap((placement) => {
    const { bytes, start } = meter(generated.bytes, placement);
    const module = runnable(bytes, start);
    return generated.calls.map((call) =>
      observeMetered(module, call, { imports: generatedImports(), allowance: { fuel: PLENTY } }),
    );
  });
}

const given: unknown = workerData;
if (parentPort !== null && typeof given === "object" && given !== null && "seeds" in given) {
  parentPort.postMessage((given.seeds as readonly number[]).map(observeGenerated));
}
