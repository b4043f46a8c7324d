import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, relative, resolve } from "node:path";
import { specTypes } from "@subnet-worker/activity-spec";
import { EXIT, StartupError } from "@subnet-worker/kit";
import { flagOption, type Invocation, misuse, textOption } from "./command.ts";
import { argumentAt, readSpecFile } from "./spec-file.ts";

/** How every file that this command wrote begins. */
const MARK = "// Types of the activities in ";

/**
 * `wep spec types`: writes TypeScript types of a spec's activities, by default beside it:
 * `audio.activity.ts` for `audio.yaml`. With `--check` it writes nothing; exit code 1 then
 * means that the file is out of date.
 *
 * @throws {StartupError} exit code 1 for a spec with problems, 78 for a file that cannot be
 *   read or written, or that this command did not write
 */
export function typesCommand(invocation: Invocation): Promise<number> {
  const { args, io } = invocation;
  const path = argumentAt(args, 0);
  const out = textOption(invocation, "out") ?? defaultOut(path);
  if (!/\.[cm]?ts$/.test(out)) throw misuse(`--out ${out} is no TypeScript file; give it a name like x.ts`);
  const spec = readSpecFile(io, path);
  const file = resolve(io.cwd, out);
  const text = specTypes(spec, sourceFor(resolve(io.cwd, path), file));
  const existing = existsSync(file) ? readFileSync(file, "utf8") : undefined;
  if (existing === text) {
    io.out(`${out}: up to date\n`);
    return Promise.resolve(EXIT.ok);
  }
  if (flagOption(invocation, "check")) {
    const what = existing === undefined ? "is not there" : "is out of date";
    io.err(`[OUT_OF_DATE] ${out} ${what}; run the same command without --check\n`);
    return Promise.resolve(EXIT.fault);
  }
  if (existing !== undefined && !existing.startsWith(MARK)) {
    throw misuse(
      `${out} was not written by this command and would be lost; give another --out or move it away`,
    );
  }
  write(file, text, out);
  io.out(`${out}: written, ${spec.activities.map(({ id }) => id).join(", ")}\n`);
  return Promise.resolve(EXIT.ok);
}

function defaultOut(path: string): string {
  return `${path.replace(/(?:\.activity)?\.ya?ml$/, "")}.activity.ts`;
}

/** As seen from the generated file's folder, so that it is the same wherever the command was run. */
function sourceFor(spec: string, file: string): { readonly source: string; readonly command: string } {
  const source = relative(dirname(file), spec).replaceAll("\\", "/");
  const out = resolve(defaultOut(spec)) === file ? "" : ` --out ${basename(file)}`;
  return { source, command: `wep spec types ${source}${out}` };
}

function write(file: string, text: string, out: string): void {
  try {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new StartupError(
      EXIT.badConfig,
      `[CANNOT_WRITE] ${out} cannot be written: ${why}; give another --out`,
      { cause: error },
    );
  }
}
