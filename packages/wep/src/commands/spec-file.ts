import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { type ActivitySpec, parseSpec, SpecError, type WorkflowSpec } from "@subnet-worker/activity-spec";
import { EXIT, StartupError } from "@subnet-worker/kit";
import { suggest } from "@subnet-worker/kit/config";
import { type Io, misuse } from "./command.ts";

/** The arguments of a command that no table entry lets through without them. */
export function argumentAt(args: readonly string[], index: number): string {
  const argument = args[index];
  if (argument === undefined) throw misuse("an argument is missing");
  return argument;
}

/**
 * Text of a file that the command line names.
 *
 * @throws {StartupError} exit code 78 when it cannot be read
 */
export function readText(io: Pick<Io, "cwd">, path: string): string {
  try {
    return readFileSync(resolve(io.cwd, path), "utf8");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "there is no such file" : code === "EISDIR" ? "it is a folder" : message;
    throw new StartupError(
      EXIT.badConfig,
      `[CANNOT_READ] ${path} cannot be read: ${why}; give the path of a file`,
      { cause: error },
    );
  }
}

/**
 * Reads and checks a spec file.
 *
 * @throws {StartupError} exit code 1 with every problem, 78 when the file cannot be read
 */
export function readSpecFile(io: Pick<Io, "cwd">, path: string): WorkflowSpec {
  const text = readText(io, path);
  try {
    return parseSpec(text, { fileName: path });
  } catch (error) {
    if (error instanceof SpecError) throw new StartupError(EXIT.fault, error.message, { cause: error });
    throw error;
  }
}

/**
 * An activity of a spec, by its id, or by its kind where only one has it.
 *
 * @throws {StartupError} exit code 78 with what there is
 */
export function findActivityByName({ activities }: WorkflowSpec, path: string, name: string): ActivitySpec {
  const byId = activities.find(({ id }) => id === name);
  const byKind = activities.filter(({ kind }) => kind === name);
  const found = byId ?? (byKind.length === 1 ? byKind[0] : undefined);
  if (found !== undefined) return found;
  const ids = activities.map(({ id }) => id);
  const near = suggest(name, ids, " ");
  const hint = near === undefined ? `there is ${ids.join(", ")}` : `did you mean ${near}?`;
  throw misuse(`${path} has no activity ${name}; ${hint}`);
}
