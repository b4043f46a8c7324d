import { posix, resolve, sep } from "node:path";
import { decodeParams, type JsonValue, type WorkflowSpec } from "@subnet-worker/activity-spec";
import type { ChainClient } from "./chain/client.ts";
import { isSettled, type Run } from "./domain/run.ts";
import type { ObjectFiles } from "./store/client.ts";

/** One output of a step. */
export interface Output {
  readonly name: string;
  readonly value: JsonValue;
  /** Where the object it names was copied to; `undefined` when it names none, or none is there. */
  readonly file?: string;
}

export interface OutputsOptions {
  readonly spec: WorkflowSpec;
  readonly run: Run;
  /** Absolute path of the folder that gets a folder for each step. */
  readonly dir: string;
}

export interface OutputsDeps {
  readonly chain: ChainClient;
  readonly store: ObjectFiles;
  readonly signal: AbortSignal;
}

/** Reads the results of the steps that completed, and copies the objects they name to disk. By step. */
export async function fetchOutputs(
  options: OutputsOptions,
  deps: OutputsDeps,
): Promise<readonly (readonly Output[])[]> {
  return Promise.all(
    options.run.steps.map(async (step, index) => {
      const activity = options.spec.activities[index];
      const [activityId] = isSettled(step) ? step.activityIds : [];
      if (activity === undefined || activityId === undefined || step.kind !== "completed") return [];
      const values = decodeParams(activity.outputs, await deps.chain.resultData(activityId));
      return Promise.all(
        activity.outputs.map(async ({ name, isObjectKey }): Promise<Output> => {
          const value = values[name] ?? null;
          if (!isObjectKey || typeof value !== "string" || value === "") return { name, value };
          const file = outputPath(resolve(options.dir, activity.id), value);
          return (await deps.store.download(value, file, deps.signal))
            ? { name, value, file }
            : { name, value };
        }),
      );
    }),
  );
}

/** `<folder>/<last part of the key>`. The key comes from a handler, so it must not lead anywhere else. */
export function outputPath(folder: string, key: string): string {
  const name = posix.basename(key).replaceAll(sep, "_");
  return resolve(folder, name === ".." || name === "." || name === "" ? "object" : name);
}
