import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { basename, join, relative, resolve } from "node:path";
import { EXIT, StartupError } from "@subnet-worker/kit";
import { flagOption, type Invocation, misuse, textOption } from "./command.ts";
import { mergeManifest, type Merged } from "./init-manifest.ts";
import { projectFiles, type ProjectFile, projectNames, type ProjectNames } from "./init-files.ts";

/** What there is to be written, and what comes of it. */
interface Plan {
  readonly directory: string;
  readonly names: ProjectNames;
  readonly files: readonly ProjectFile[];
  readonly manifest: Merged;
}

/**
 * `wep init`: writes a project with one handler into a directory. Where there is a
 * `package.json`, scripts and dependencies are added to it. Nothing that is there
 * is overwritten without `--force`.
 */
export async function init(invocation: Invocation): Promise<number> {
  const { io, args } = invocation;
  const isForced = flagOption(invocation, "force");
  const directory = resolve(io.cwd, args[0] ?? ".");
  const names = projectNames(checkKind(textOption(invocation, "kind") ?? "demo.words"), basename(directory));
  const manifestPath = join(directory, "package.json");
  checkDirectory(directory, { hasManifest: existsSync(manifestPath), isForced });
  const plan = {
    directory,
    names,
    files: projectFiles(names),
    manifest: mergeManifest(manifestPath, { names, isForced }),
  };
  const kept = write(plan, isForced);
  io.out(report(plan, { kept, cwd: io.cwd }));
  return EXIT.ok;
}

function checkKind(kind: string): string {
  if (/^[A-Za-z0-9][\w.-]*$/.test(kind)) return kind;
  throw misuse(`--kind: "${kind}" is not a kind; use letters, digits and . _ - as in "audio.preprocess"`);
}

function checkDirectory(
  directory: string,
  { hasManifest, isForced }: { readonly hasManifest: boolean; readonly isForced: boolean },
): void {
  const entries = entriesOf(directory).filter((name) => !name.startsWith("."));
  if (hasManifest || isForced || entries.length === 0) return;
  throw new StartupError(
    EXIT.badConfig,
    `[NOT_EMPTY] ${directory} has files and no package.json (${entries.slice(0, 5).join(", ")}); give another directory, run npm init -y in it, or give --force`,
  );
}

function entriesOf(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return [];
    throw new StartupError(
      EXIT.badConfig,
      `[BAD_DIRECTORY] ${directory}: ${message}; give a directory that can be read, or one that is not there yet`,
      { cause: error },
    );
  }
}

/** All or nothing. Returns what was left as it is. */
function write({ directory, files, manifest }: Plan, isForced: boolean): readonly string[] {
  const different = isForced ? [] : files.filter(({ name, text }) => differs(join(directory, name), text));
  const conflicts = different.filter(({ isOptional }) => isOptional !== true);
  if (conflicts.length > 0) {
    throw new StartupError(
      EXIT.badConfig,
      `[FILE_EXISTS] ${directory} has ${conflicts.map(({ name }) => name).join(", ")} already, and nothing was written; give another directory, or --force to overwrite`,
    );
  }
  const wanted = files.filter((file) => !different.includes(file));
  try {
    mkdirSync(directory, { recursive: true });
    for (const { name, text } of [...wanted, { name: "package.json", text: manifest.text }]) {
      writeFileSync(join(directory, name), text);
    }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new StartupError(
      EXIT.badConfig,
      `[CANNOT_WRITE] ${directory}: ${why}; give another directory, or see to its permissions`,
      { cause: error },
    );
  }
  return different.map(({ name }) => name);
}

function differs(path: string, text: string): boolean {
  return existsSync(path) && (!statSync(path).isFile() || readFileSync(path, "utf8") !== text);
}

function report(
  { directory, names, files, manifest }: Plan,
  { kept, cwd }: { readonly kept: readonly string[]; readonly cwd: string },
): string {
  const written = files.filter(({ name }) => !kept.includes(name));
  const width = Math.max(...files.map(({ name }) => name.length), "package.json".length);
  const lines = [
    ...written.map(({ name, about }) => `  ${name.padEnd(width)}  ${about}`),
    `  ${"package.json".padEnd(width)}  ${manifest.about}`,
    ...kept.map((name) => `  ${name.padEnd(width)}  was there, and is as it was`),
  ];
  const place = relative(cwd, directory);
  const next = [
    ...(place === "" ? [] : [["cd " + place, ""]]),
    ["npm install", ""],
    ["npm test", ""],
    ["npm run dev", "in this terminal; then, in another:"],
    [`npx wep send ${names.kind} --input sample.json`, ""],
  ].map(([command = "", about = ""]) => `  ${command}${about === "" ? "" : `   # ${about}`}`);
  return [`Wrote to ${place === "" ? "this directory" : place}:`, ...lines, "", "Next:", ...next, ""].join(
    "\n",
  );
}
