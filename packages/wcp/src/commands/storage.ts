import { EXIT, StartupError } from "@subnet-worker/kit";
import type { Config } from "../config.ts";
import type { Fate } from "../domain/garbage.ts";
import type { OpenMultipart, StorageBroker, StoredObject } from "../storage-ports.ts";
import {
  durationOption,
  type Invocation,
  type Io,
  loadCommandConfig,
  type RunCommand,
  textOption,
} from "./command.ts";
import {
  askStorage,
  type Judged,
  openCommandStorage,
  Revisit,
  type Survey,
  survey,
  type SurveyOptions,
} from "./storage-survey.ts";
import { formatAge, formatBytes, formatTable } from "./table.ts";

/**
 * Long enough for a run that was given up to have stopped writing, and for the node to have found out when it
 * gave up something by mistake.
 */
const LEAST_AGE = "1h";
const LEAST_UNKNOWN_AGE = "7d";
/** As many as one request of S3 removes. */
const REMOVED_AT_ONCE = 1_000;

/** `wcp storage ls`: what runs have written, and what it is good for. */
export const listStorage: RunCommand = async (invocation) => {
  const { io, options } = invocation;
  await using stack = new AsyncDisposableStack();
  const config = loadCommandConfig(invocation);
  const storage = await openCommandStorage(invocation, config, stack);
  const found = await survey(invocation, { config, storage, options: surveyOptions(invocation) });
  const shown = options["garbage"] === true ? garbageOf(found) : found;
  if (options["json"] === true) printLines(shown, io);
  else printTable(shown, io);
  return EXIT.ok;
};

/** `wcp storage gc`: removes what is of no use, or says what that would be. */
export const collectGarbage: RunCommand = async (invocation) => {
  const { io, options } = invocation;
  if (options["yes"] === true && options["dry-run"] === true) {
    throw new StartupError(EXIT.badConfig, "--yes and --dry-run contradict each other; leave one");
  }
  await using stack = new AsyncDisposableStack();
  const config = loadCommandConfig(invocation);
  const storage = await openCommandStorage(invocation, config, stack);
  const sinceMs = io.clock.nowMs();
  const found = garbageOf(await survey(invocation, { config, storage, options: surveyOptions(invocation) }));
  if (options["json"] === true) printLines(found, io);
  else printTable(found, io);
  if (options["yes"] !== true) {
    const { objects, uploads } = found;
    if (objects.length + uploads.length > 0)
      io.err("Nothing was removed; wcp storage gc --yes removes these.\n");
    return EXIT.ok;
  }
  await remove(found, { io, config, storage, sinceMs });
  return EXIT.ok;
};

/** @throws {StartupError} exit code 78 for options that make no sense together */
function surveyOptions(invocation: Invocation): SurveyOptions {
  const isUnknown = invocation.options["unknown"] === true;
  if (isUnknown && textOption(invocation, "older-than") === undefined) {
    throw new StartupError(
      EXIT.badConfig,
      `--unknown needs --older-than: this database knows nothing of those activities, which may be another node's, or settled and forgotten (db.retention), and their results may name these objects; --older-than ${LEAST_UNKNOWN_AGE} leaves what is younger`,
    );
  }
  const minAgeMs = durationOption(invocation, "older-than", LEAST_AGE);
  return { minAgeMs, unknownAgeMs: isUnknown ? minAgeMs : undefined };
}

function garbageOf({ objects, uploads }: Survey): Survey {
  const isGarbage = ({ fate }: { readonly fate: Fate }) => fate.isGarbage;
  return { objects: objects.filter(isGarbage), uploads: uploads.filter(isGarbage) };
}

interface Removal {
  readonly io: Io;
  readonly config: Config;
  readonly storage: StorageBroker;
  /** When the survey began. */
  readonly sinceMs: number;
}

/**
 * In parts, and what has begun again since the survey is left out. A task may still begin again between that
 * look and the removal. Claimed anew, its run has an id of its own, and what it writes was not in the list.
 * The same run goes on only where the node takes up a claim that it had given up; it was over for an hour
 * then, and its result is held against storage before it is settled: a run is made again, nothing more.
 */
async function remove(found: Survey, { io, config, storage, sinceMs }: Removal): Promise<void> {
  const removed: StoredObject[] = [];
  for (let start = 0; start < found.objects.length; start += REMOVED_AT_ONCE) {
    using revisit = new Revisit(config, sinceMs);
    const some = found.objects.slice(start, start + REMOVED_AT_ONCE).filter(revisit.isOver);
    await askStorage(() => storage.remove(some.map(({ objectKey }) => objectKey)));
    removed.push(...some);
  }
  let aborted = 0;
  for (const upload of found.uploads) {
    using revisit = new Revisit(config, sinceMs);
    if (!revisit.isOver(upload)) continue;
    await askStorage(() => storage.abortMultipart(upload.objectKey, upload.uploadId));
    aborted += 1;
  }
  const left = found.objects.length + found.uploads.length - removed.length - aborted;
  const more = left === 0 ? "" : ` Left ${left}, whose activities began again meanwhile.`;
  io.err(
    `Removed ${removed.length} objects (${formatBytes(bytesOf(removed))}) and ${aborted} unfinished uploads.${more}\n`,
  );
}

function printLines({ objects, uploads }: Survey, io: Io): void {
  for (const { objectKey, sizeBytes, modifiedAtMs, fate } of objects) {
    io.out(`${JSON.stringify({ kind: "object", objectKey, sizeBytes, modifiedAtMs, ...fate })}\n`);
  }
  for (const { objectKey, uploadId, startedAtMs, fate } of uploads) {
    io.out(`${JSON.stringify({ kind: "upload", objectKey, uploadId, startedAtMs, ...fate })}\n`);
  }
}

function printTable({ objects, uploads }: Survey, io: Io): void {
  if (objects.length + uploads.length === 0) {
    io.err("There is nothing of that under runs/.\n");
    return;
  }
  const nowMs = io.clock.nowMs();
  const ofObject = ({ objectKey, sizeBytes, modifiedAtMs, fate }: Judged<StoredObject>) => [
    wordOf(fate),
    formatBytes(sizeBytes),
    formatAge(nowMs - modifiedAtMs),
    objectKey,
  ];
  const ofUpload = ({ objectKey, startedAtMs, fate }: Judged<OpenMultipart>) => [
    wordOf(fate),
    "in parts",
    formatAge(nowMs - startedAtMs),
    objectKey,
  ];
  const rows = [...objects.map(ofObject), ...uploads.map(ofUpload)];
  io.out(formatTable(["FOR", "SIZE", "AGE", "OBJECT"], rows));
  const garbage = garbageOf({ objects, uploads });
  io.out(
    `\n${objects.length} objects (${formatBytes(bytesOf(objects))}) and ${uploads.length} unfinished uploads; garbage: ${garbage.objects.length} objects (${formatBytes(bytesOf(garbage.objects))}) and ${garbage.uploads.length} uploads\n`,
  );
}

function wordOf({ isGarbage, why }: Fate): string {
  return isGarbage ? `garbage: ${why.replace("_", " ")}` : why;
}

function bytesOf(objects: readonly StoredObject[]): number {
  return objects.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}
