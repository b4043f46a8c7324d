import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname } from "node:path";
import { EXIT, StartupError } from "@subnet-worker/kit";
import { filled, type ProjectNames } from "./init-files.ts";

export interface Merged {
  readonly text: string;
  /** What was done to it, in some words. */
  readonly about: string;
}

type Table = Readonly<Record<string, string>>;

interface Manifest {
  readonly name?: string;
  readonly type?: string;
  readonly scripts?: Table;
  readonly dependencies?: Table;
  readonly devDependencies?: Table;
  readonly [key: string]: unknown;
}

/** What `npm init -y` puts there for want of a test. */
const NO_TEST = 'echo "Error: no test specified" && exit 1';

/**
 * A project's `package.json`: the template where there is none, else the one that is
 * there with what is missing. Dependencies that it names stay as they are: they may be tarballs.
 *
 * @throws {StartupError} 78 when it cannot be read, or is a project of CommonJS
 */
export function mergeManifest(
  path: string,
  { names, isForced }: { readonly names: ProjectNames; readonly isForced: boolean },
): Merged {
  const template = JSON.parse(filled("package.json", names)) as Manifest;
  if (!existsSync(path)) {
    const fresh = { name: packageName(names.project), version: "0.1.0", ...template };
    return { text: textOf(fresh), about: "scripts and packages" };
  }
  const there = readManifest(path);
  checkType(there, path, isForced);
  const { test, ...others } = there.scripts ?? {};
  const ownScripts = test === undefined || test === NO_TEST ? others : { test, ...others };
  const dependencies = added(template.dependencies, there);
  const devDependencies = added(template.devDependencies, there);
  const kept = Object.keys(template.scripts ?? {}).filter((script) => differs(script, ownScripts, template));
  const scripts = isForced ? { ...ownScripts, ...template.scripts } : { ...template.scripts, ...ownScripts };
  const merged: Manifest = {
    ...there,
    type: "module",
    scripts,
    ...(Object.keys(dependencies).length === 0 ? {} : { dependencies }),
    devDependencies,
  };
  return { text: textOf(merged), about: aboutOf(there, isForced ? [] : kept) };
}

function differs(script: string, own: Table, template: Manifest): boolean {
  return own[script] !== undefined && own[script] !== template.scripts?.[script];
}

function aboutOf(there: Manifest, kept: readonly string[]): string {
  const type =
    there.type === "module"
      ? ""
      : `; its type is now module${there.type === undefined ? "" : `, and was ${there.type}`}`;
  const own = kept.length === 0 ? "" : `; its own ${kept.join(", ")} stayed`;
  return `scripts and packages were added to it${type}${own}`;
}

/** What the template wants and the project has in neither list, beside what the project has. */
function added(wanted: Table = {}, there: Manifest): Table {
  const all: Table = { ...there.dependencies, ...there.devDependencies };
  const isOfDev = wanted["typescript"] !== undefined;
  const own = (isOfDev ? there.devDependencies : there.dependencies) ?? {};
  const missing = Object.entries(wanted).filter(([name]) => all[name] === undefined);
  return Object.fromEntries([...Object.entries(own), ...missing].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** Sources with `import` in them run only where the project's type is module. */
function checkType({ type }: Manifest, path: string, isForced: boolean): void {
  if (type === "module" || isForced) return;
  const sources = readdirSync(dirname(path)).filter((name) => /\.[jt]s$/.test(name));
  if (sources.length === 0) return;
  throw new StartupError(
    EXIT.badConfig,
    `[NOT_A_MODULE] ${path} is of a project of CommonJS (${sources.slice(0, 3).join(", ")}), and handlers are ES modules; give another directory, set "type": "module" in it, or give --force`,
  );
}

function readManifest(path: string): Manifest {
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Manifest;
    throw new Error("it holds no object");
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new StartupError(
      EXIT.badConfig,
      `[BAD_MANIFEST] ${path} cannot be read: ${why}; mend it, or give another directory`,
      { cause: error },
    );
  }
}

/** As npm allows names: lower case, no spaces. */
function packageName(project: string): string {
  const name = project
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, "-")
    .replace(/^[._-]+/, "");
  return name === "" ? "handlers" : name;
}

function textOf(manifest: Manifest): string {
  return `${JSON.stringify(manifest, undefined, 2)}\n`;
}
