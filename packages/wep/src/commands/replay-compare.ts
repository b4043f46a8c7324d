import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { toJson } from "@subnet-worker/activity-spec";
import type { RecordedOutcome, RecordedRun } from "@subnet-worker/protocol/recorded-run";
import type { TestRun } from "@subnet-worker/wep-sdk/testing";

/** Finds the file of an object; `undefined`: it has none. */
export type FindFile = (objectKey: string) => string | undefined;

/** How a replay stands to what was recorded. */
export interface Comparison {
  /** What was recorded came out again; with nothing recorded, the run succeeded. */
  readonly isSame: boolean;
  /** What is to be said of the whole: `recorded: success`. */
  readonly summary: string;
  /** Of a success, by name, in the order of the replay's. */
  readonly outputs: readonly ComparedOutput[];
}

export interface ComparedOutput {
  readonly name: string;
  /** As the network has values; `undefined`: the replay has none of this name. */
  readonly value: unknown;
  /** `unknown`: nothing was recorded to compare it with. */
  readonly verdict: "same" | "different" | "unknown";
  /** Of what is different: what was recorded. */
  readonly recorded?: unknown;
}

/** Holds a replay against what was recorded; objects by their key, and by their content where there is a file. */
export function compare(recorded: RecordedRun, run: TestRun, objects: FindFile): Comparison {
  const { outcome } = recorded;
  const values = run.status === "success" ? asRecorded(recorded, run.outputs) : {};
  if (outcome?.status === undefined) {
    const outputs = Object.entries(values).map(
      ([name, value]) => ({ name, value, verdict: "unknown" }) as const,
    );
    const summary =
      outcome === undefined ? "nothing was recorded of its outcome" : `recorded: ${outcome.state}`;
    return { isSame: run.status === "success", summary, outputs };
  }
  if (outcome.status !== run.status || run.status === "error") return ofErrors(outcome, run);
  const outputs = compareOutputs({ values, outcome, run }, objects);
  const isSame = outputs.every(({ verdict }) => verdict !== "different");
  return { isSame, summary: `recorded: success, ${isSame ? "the same" : "different"}`, outputs };
}

function ofErrors(outcome: RecordedOutcome, { status, error }: TestRun): Comparison {
  const said = outcome.reason === undefined ? "" : `: ${outcome.reason}`;
  const code = outcome.code === undefined ? "" : ` ${outcome.code}`;
  const isSame = outcome.status === status && (outcome.code === undefined || outcome.code === error?.code);
  return { isSame, summary: `recorded: ${outcome.status}${code}${said}`, outputs: [] };
}

/** The values as the network has them. */
function asRecorded(
  { outputs }: RecordedRun,
  values: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const types = new Map(outputs.map(({ name, abiType }) => [name, abiType]));
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => {
      const type = types.get(name) ?? "";
      return [name, type === "" ? value : toJson(type, value)];
    }),
  );
}

interface Sides {
  readonly values: Readonly<Record<string, unknown>>;
  readonly outcome: RecordedOutcome;
  readonly run: TestRun;
}

function compareOutputs({ values, outcome, run }: Sides, objects: FindFile): readonly ComparedOutput[] {
  const before = outcome.outputs ?? {};
  if (outcome.outputs === undefined) {
    return Object.entries(values).map(([name, value]) => ({ name, value, verdict: "unknown" }));
  }
  const names = new Set([...Object.keys(values), ...Object.keys(before)]);
  return [...names].map((name) => {
    const [value, recorded] = [values[name], before[name]];
    const isSame = isDeepStrictEqual(value, recorded) && hasSameContent(value, run, objects);
    return isSame ? { name, value, verdict: "same" } : { name, value, verdict: "different", recorded };
  });
}

/** Whether an object has the content that it had; what there is no file of has. */
function hasSameContent(objectKey: unknown, { uploads }: TestRun, objects: FindFile): boolean {
  const written = [...uploads.values()].find((upload) => upload.objectKey === objectKey);
  const path = written === undefined ? undefined : objects(written.objectKey);
  return written === undefined || path === undefined || readFileSync(path).equals(written.bytes);
}
