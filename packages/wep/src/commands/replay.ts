import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { createRegistry, EXIT, StartupError, systemClock } from "@subnet-worker/kit";
import {
  parseRecordedRun,
  type RecordedInput,
  type RecordedRun,
  RecordedRunError,
} from "@subnet-worker/protocol/recorded-run";
import { type Handler, isHandler, WepError } from "@subnet-worker/wep-sdk";
import { replayRun, type TestRun } from "@subnet-worker/wep-sdk/testing";
import { loadHandlers } from "../handler-modules.ts";
import { type OpenWasm, openWasm } from "../wasm/open-wasm.ts";
import { WASM_KIND } from "../wasm/wasm-execute.ts";
import { flagOption, type Invocation, misuse, textOption } from "./command.ts";
import { compare, type FindFile } from "./replay-compare.ts";
import { replayJson, replayText } from "./replay-report.ts";
import { configOf } from "./run.ts";
import type { SavedFile } from "./send-report.ts";

/** A handler that was told to stop may take this long. */
const STOP_GRACE_MS = 10_000;

/**
 * `wep replay`: runs a recorded run again, in this process, with the project's handler, and holds
 * what it comes to against what was recorded. Exit code 0 when that is the same, else 1.
 */
export async function replay(invocation: Invocation): Promise<number> {
  const { io, args, signal } = invocation;
  const recorded = readRecorded(args[0] ?? "", io.cwd);
  const objects = objectsOf(invocation);
  checkObjects(recorded, objects);
  await using builtIn = await builtInOf(invocation, recorded);
  const handlers = builtIn === undefined ? await handlersOf(invocation) : [builtIn.handler];
  invocation.setDrain(STOP_GRACE_MS);
  const run = await replayed(handlers, recorded, { objects, signal });
  const files = save(run, folderOf(invocation, recorded), io.cwd);
  const comparison = compare(recorded, run, objects);
  const shown = { recorded, run, files, comparison };
  io.out(flagOption(invocation, "json") ? replayJson(shown) : replayText(shown));
  return comparison.isSame ? EXIT.ok : EXIT.fault;
}

function readRecorded(name: string, cwd: string): RecordedRun {
  const path = resolve(cwd, name);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw misuse(`${name} cannot be read: ${why}; record a run with wcp record show ACTIVITY-ID > run.json`);
  }
  try {
    return parseRecordedRun(text);
  } catch (error) {
    if (!(error instanceof RecordedRunError)) throw error;
    throw new StartupError(EXIT.badConfig, `${name}: ${error.message}`, { cause: error });
  }
}

/** Files below `--objects`, each at its key. */
function objectsOf(invocation: Invocation): FindFile {
  const option = textOption(invocation, "objects");
  if (option === undefined) return () => undefined;
  const directory = resolve(invocation.io.cwd, option);
  if (!existsSync(directory)) {
    throw misuse(`--objects: ${option} is not there; give a directory with files named by their object keys`);
  }
  return (objectKey) => {
    const path = resolve(directory, objectKey);
    // A key comes from elsewhere, and may lead out of the directory.
    const isWithin = path.startsWith(`${directory}${sep}`);
    return isWithin && existsSync(path) && statSync(path).isFile() ? path : undefined;
  };
}

/** @throws {StartupError} 78 naming every object that cannot be had */
function checkObjects({ inputs, workflowInputs }: RecordedRun, objects: FindFile): void {
  const nowMs = systemClock.nowMs();
  const missing = [...inputs, ...workflowInputs].flatMap((input) => problemOf(input, objects, nowMs));
  if (missing.length === 0) return;
  throw new StartupError(
    EXIT.badConfig,
    `[NO_OBJECTS] what the run has read cannot be had:${missing.map((each) => `\n  - ${each}`).join("")}\nRecord it again (wcp record show ID > run.json), or put the files into a directory, each at its key, and give --objects DIR`,
  );
}

function problemOf(input: RecordedInput, objects: FindFile, nowMs: number): readonly string[] {
  const { name, objectKey, url, urlExpiresAtMs = Infinity } = input;
  if (objectKey === undefined || objects(objectKey) !== undefined) return [];
  if (url === undefined) return [`${name}: ${objectKey} was recorded without a URL`];
  if (urlExpiresAtMs > nowMs) return [];
  return [`${name}: the URL of ${objectKey} expired at ${new Date(urlExpiresAtMs).toISOString()}`];
}

/** The worker's own handler, where the run is one of its: whether the configuration enables it says nothing here. */
async function builtInOf(invocation: Invocation, { activity }: RecordedRun): Promise<OpenWasm | undefined> {
  if (activity.kind !== WASM_KIND) return undefined;
  return await openWasm(configOf(invocation).wasm, { metrics: createRegistry() });
}

/** Of the modules named, or of the configuration. */
async function handlersOf(invocation: Invocation): Promise<readonly Handler[]> {
  const { modules } = configOf(invocation).handlers;
  if (modules.length > 0) return (await loadHandlers(modules)).filter(isHandler);
  throw new StartupError(
    EXIT.badConfig,
    "[NO_HANDLERS] there is nothing to run it with: name modules with --handlers, or as handlers.modules in wep.yaml",
  );
}

async function replayed(
  handlers: readonly Handler[],
  recorded: RecordedRun,
  { objects, signal }: { readonly objects: FindFile; readonly signal: AbortSignal },
): Promise<TestRun> {
  try {
    return await replayRun(handlers, recorded, {
      signal,
      findObject: (objectKey) => {
        const path = objects(objectKey);
        return Promise.resolve(path === undefined ? undefined : { path });
      },
    });
  } catch (error) {
    if (error instanceof WepError) throw new StartupError(EXIT.badConfig, error.message, { cause: error });
    throw error;
  }
}

function folderOf(invocation: Invocation, { run }: RecordedRun): string {
  const { cwd } = invocation.io;
  const out = textOption(invocation, "out");
  const name = run.id.replaceAll(/[^\w-]/g, "_").slice(0, 40);
  return out === undefined ? resolve(cwd, "wep-out", `replay-${name}`) : resolve(cwd, out);
}

function save({ uploads }: TestRun, folder: string, cwd: string): readonly SavedFile[] {
  return [...uploads].map(([name, { objectKey, bytes }]) => {
    const path = join(folder, ...name.split("/"));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
    return { objectKey, path: relative(cwd, path), sizeBytes: bytes.byteLength };
  });
}
