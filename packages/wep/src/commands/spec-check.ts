import { type ActivitySpec, parseSpec, SpecError, type WorkflowSpec } from "@subnet-worker/activity-spec";
import { EXIT } from "@subnet-worker/kit";
import type { Invocation, Io } from "./command.ts";
import { readText } from "./spec-file.ts";

/**
 * `wep spec check`: says everything that is wrong with spec files, each with its line.
 * Exit code 1 when there is anything; a warning alone is none.
 *
 * @throws {StartupError} exit code 78 when a file cannot be read
 */
export function checkCommand({ args, io }: Invocation): Promise<number> {
  const results = args.map((path) => checkFile(io, path));
  return Promise.resolve(results.every((isGood) => isGood) ? EXIT.ok : EXIT.fault);
}

function checkFile(io: Io, path: string): boolean {
  const text = readText(io, path);
  let spec: WorkflowSpec;
  try {
    spec = parseSpec(text, { fileName: path });
  } catch (error) {
    if (!(error instanceof SpecError)) throw error;
    io.err(`${error.message}\n`);
    return false;
  }
  for (const warning of warningsOf(spec)) io.err(`${path}: warning: ${warning}\n`);
  const count = spec.activities.length;
  io.out(`${path}: ok, ${spec.workflow}, ${count} ${count === 1 ? "activity" : "activities"}\n`);
  return true;
}

/** Not wrong by itself, but a run of such a workflow would stop there. */
function warningsOf({ activities }: WorkflowSpec): readonly string[] {
  return activities.slice(1).flatMap((activity, index) => {
    const before = activities[index];
    return before === undefined || typesOf(before.outputs) === typesOf(activity.inputs)
      ? []
      : [
          `${activity.id} takes (${typesOf(activity.inputs)}), but ${before.id} before it gives ` +
            `(${typesOf(before.outputs)}), which cannot be decoded; list the same parameters in both`,
        ];
  });
}

function typesOf(params: ActivitySpec["inputs"]): string {
  return params.map(({ type }) => type).join(",");
}
