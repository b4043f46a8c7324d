import { mkdtemp, rm } from "node:fs/promises";
import { isIP } from "node:net";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import type { ActivitySpec } from "@subnet-worker/activity-spec";
import { EXIT, systemClock } from "@subnet-worker/kit";
import { parseDuration } from "@subnet-worker/kit/config";
import { isLoopback } from "@subnet-worker/kit/tls";
import { listenObjectStore } from "@subnet-worker/object-store";
import { flagOption, type Invocation, misuse, textOption, textsOption } from "./command.ts";
import { activityIn, findActivity, type Wanted } from "./find-spec.ts";
import { fetchObject } from "./object-transfer.ts";
import { inputKey, newRunNames, prepareAssignment, type RunNames } from "./send-assignment.ts";
import { readSendInputs, type SendInput } from "./send-inputs.ts";
import { type OutcomeDeps, outcomeOf } from "./send-outcome.ts";
import { createReport, type SavedFile } from "./send-report.ts";
import { StorageDesk } from "./send-storage.ts";
import { WorkerStream } from "./send-stream.ts";
import { targetOf } from "./send-target.ts";
import { versionAt } from "./send-version.ts";

/** What a WEP may take to end a run that was cancelled. */
const CANCEL_GRACE_MS = 30_000;

/**
 * `wep send`: plays the worker client for one run, with no chain: assigns it, answers for
 * storage from a folder, and shows what it came to. Exit code 0 for a success, 1 for a run
 * that failed.
 */
export async function send(invocation: Invocation): Promise<number> {
  const { io } = invocation;
  const wanted = parseKind(invocation.args[0] ?? "");
  const target = targetOf(invocation);
  const activity = specOf(invocation, wanted);
  const inputs = readSendInputs(textsOption(invocation, "input"), { activity, cwd: io.cwd });
  const storeHost = storeHostFor(invocation, target.url, inputs);
  const report = createReport(io, flagOption(invocation, "json"));
  using limit = limitOf(invocation);
  invocation.setDrain(CANCEL_GRACE_MS);
  await using stream = await WorkerStream.open(target, { clock: systemClock, signal: limit.signal });
  const version = versionAt(
    { ...wanted, version: wanted.version ?? activity?.version },
    { kinds: (await stream.capabilities())?.kinds ?? [], url: target.url },
  );
  report.begins({ kind: wanted.kind, version, url: target.url });
  await using folder = await temporaryFolder();
  await using store = await listenObjectStore({
    directory: folder.path,
    host: storeHost,
    port: 0,
    clock: systemClock,
  });
  const names = newRunNames();
  const plan = { names, kind: wanted.kind, version, activity, inputs };
  const assignment = await prepareAssignment(plan, { store, clock: systemClock });
  const inputKeys = new Set(
    inputs.flatMap((input) => (input.kind === "file" ? [inputKey(names, input)] : [])),
  );
  const desk = new StorageDesk(store, { uploadPrefix: names.uploadPrefix, inputKeys });
  const startedMs = systemClock.monotonicMs();
  const ending = await stream.run(
    assignment,
    { onProgress: (progress) => report.progress(progress), answer: (message) => desk.answer(message) },
    limit.signal,
  );
  const latencyMs = systemClock.monotonicMs() - startedMs;
  const outcome = await outcomeOf(ending, { store, activity });
  const files = await save(desk.granted, { store, names, invocation });
  report.ends({ kind: wanted.kind, version, latencyMs, outcome, files });
  return "error" in outcome ? EXIT.fault : EXIT.ok;
}

function parseKind(text: string): Wanted {
  const [kind = "", version, ...rest] = text.split("@");
  if (kind === "" || version === "" || rest.length > 0) {
    throw misuse(
      `"${text}" names no handler; write its kind, and its version after an @, like demo.words@1.0.0`,
    );
  }
  return { kind, version };
}

function specOf(invocation: Invocation, wanted: Wanted): ActivitySpec | undefined {
  const { cwd } = invocation.io;
  const path = textOption(invocation, "spec");
  const found = path === undefined ? findActivity(cwd, wanted) : activityIn(resolve(cwd, path), wanted, cwd);
  return found?.activity;
}

/** @throws {StartupError} 78 when files would be where the WEP cannot be expected to reach them */
function storeHostFor(invocation: Invocation, url: string, inputs: readonly SendInput[]): string {
  const given = textOption(invocation, "store-host");
  if (given !== undefined) {
    if (isIP(given) !== 0) return given;
    throw misuse(`--store-host: "${given}" is no address; give one of this machine, like 192.0.2.7`);
  }
  if (!isLoopback(new URL(url).hostname)) {
    const problem = `the WEP at ${url} is on another machine, which does not reach objects at 127.0.0.1 of this one; --store-host says at which address it does`;
    if (inputs.some(({ kind }) => kind === "file")) throw misuse(problem);
    invocation.io.err(`wep: ${problem}\n`);
  }
  return "127.0.0.1";
}

/** Aborts when the user does, and when `--timeout` is over. */
function limitOf(invocation: Invocation): Disposable & { readonly signal: AbortSignal } {
  const text = textOption(invocation, "timeout");
  const over = new AbortController();
  const timer =
    text === undefined ? undefined : systemClock.timer(durationOf(text), () => over.abort("deadline"));
  return {
    signal: AbortSignal.any([invocation.signal, over.signal]),
    [Symbol.dispose]: () => timer?.[Symbol.dispose](),
  };
}

function durationOf(text: string): number {
  try {
    return parseDuration(text);
  } catch (error) {
    throw misuse(`--timeout: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** A folder that goes when it is disposed of. */
async function temporaryFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "wep-send-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

interface SaveDeps {
  readonly store: OutcomeDeps["store"];
  readonly names: RunNames;
  readonly invocation: Invocation;
}

/** What the run has written, as files. */
async function save(
  keys: Iterable<string>,
  { store, names, invocation }: SaveDeps,
): Promise<readonly SavedFile[]> {
  const { cwd } = invocation.io;
  const out = textOption(invocation, "out");
  const folder = out === undefined ? resolve(cwd, "wep-out", names.runId) : resolve(cwd, out);
  const files: SavedFile[] = [];
  for (const objectKey of keys) {
    const stored = await store.head(objectKey);
    if (stored === undefined) continue; // granted, and never written
    const path = join(folder, ...objectKey.slice(names.uploadPrefix.length).split("/"));
    const { url } = await store.downloadTicket(objectKey);
    await fetchObject(url, path);
    files.push({ objectKey, path: relative(cwd, path), sizeBytes: stored.sizeBytes });
  }
  return files;
}
