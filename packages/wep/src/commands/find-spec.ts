import { readdirSync, readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { type ActivitySpec, parseSpec, SpecError, type WorkflowSpec } from "@subnet-worker/activity-spec";
import { EXIT, StartupError } from "@subnet-worker/kit";

/** Folders below the working directory where specs are looked for, besides itself. */
const FOLDERS = [".", "specs", "activity-specs"];

/** What an activity is asked for by. */
export interface Wanted {
  readonly kind: string;
  /** `undefined`: whichever there is. */
  readonly version: string | undefined;
}

/** An activity, and the file that declares it. */
export interface FoundActivity {
  readonly activity: ActivitySpec;
  /** Absolute. */
  readonly path: string;
}

/**
 * The activity of a spec file.
 *
 * @throws {StartupError} 78 for a file that is not there or is no spec, or that has no such activity
 */
export function activityIn(path: string, wanted: Wanted, cwd: string): FoundActivity {
  const { activities } = readSpec(path, cwd);
  const found = pick(
    activities.map((activity) => ({ activity, path })),
    wanted,
  );
  if (found !== undefined) return found;
  const there = activities.map(({ kind, version }) => `${kind}@${version}`).join(", ");
  throw new StartupError(
    EXIT.badConfig,
    `[NO_SUCH_ACTIVITY] ${relative(cwd, path)} declares no ${textOf(wanted)}, only ${there}; correct the kind or give another --spec`,
  );
}

/**
 * Looks for the activity in the YAML files of a directory, and of `specs` and
 * `activity-specs` in it. Files that are no specs at all are passed over.
 *
 * @returns `undefined` when no file declares it
 * @throws {StartupError} 78 when none declares it and one that could cannot be read
 */
export function findActivity(directory: string, wanted: Wanted): FoundActivity | undefined {
  const broken: StartupError[] = [];
  const found: FoundActivity[] = [];
  for (const path of specFilesIn(directory)) {
    try {
      found.push(...readSpec(path, directory).activities.map((activity) => ({ activity, path })));
    } catch (error) {
      if (!(error instanceof StartupError)) throw error;
      broken.push(error);
    }
  }
  const picked = pick(found, wanted);
  if (picked === undefined && broken[0] !== undefined) throw broken[0];
  return picked;
}

/** The files of a directory that look like specs, absolute; see {@link findActivity}. */
export function specFilesIn(directory: string): readonly string[] {
  return FOLDERS.flatMap((folder) => yamlFilesOf(resolve(directory, folder))).filter(looksLikeSpec);
}

/**
 * Reads a spec.
 *
 * @param cwd from where its name is told
 * @throws {StartupError} 78 naming the file, and where it is wrong
 */
export function readSpec(path: string, cwd: string): WorkflowSpec {
  const below = relative(cwd, path);
  const fileName = below.startsWith("..") ? path : below;
  try {
    return parseSpec(readFileSync(path, "utf8"), { fileName });
  } catch (error) {
    if (error instanceof SpecError) throw new StartupError(EXIT.badConfig, error.message, { cause: error });
    const why = error instanceof Error ? error.message : String(error);
    throw new StartupError(
      EXIT.badConfig,
      `[SPEC_UNREADABLE] the spec ${fileName} cannot be read: ${why}; check the path`,
      { cause: error },
    );
  }
}

function pick(found: readonly FoundActivity[], { kind, version }: Wanted): FoundActivity | undefined {
  const fitting = found.filter(
    ({ activity }) => activity.kind === kind && (version === undefined || activity.version === version),
  );
  const versions = new Set(fitting.map(({ activity }) => activity.version));
  if (versions.size > 1) {
    throw new StartupError(
      EXIT.badConfig,
      `[AMBIGUOUS_KIND] there are specs of several versions of ${kind}: ${[...versions].join(", ")}; say which, like ${kind}@${[...versions][0]}`,
    );
  }
  return fitting[0];
}

function yamlFilesOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isFile() && /\.ya?ml$/.test(entry.name))
      .map(({ name }) => join(folder, name))
      .toSorted();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return [];
    throw error;
  }
}

/** By its first keys: a broken spec is one too, a compose file is not. */
function looksLikeSpec(path: string): boolean {
  return /^(?:activities|task_kind)\s*:/m.test(readFileSync(path, "utf8"));
}

function textOf({ kind, version }: Wanted): string {
  return version === undefined ? kind : `${kind}@${version}`;
}
