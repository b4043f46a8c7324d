// What a handler returned, on its way to the worker client.
//
// 1. Everything is checked before anything is uploaded.
// 2. Nothing is made for a run whose outputs are few and small, as most are.
import { toTyped, typedToJson } from "@subnet-worker/activity-spec/abi-value";
import { nearest } from "@subnet-worker/activity-spec/suggest";
import type { OutputDescriptor, TaskAssignment } from "@subnet-worker/protocol";
import { TASK_ERROR } from "@subnet-worker/protocol/task-error";
import type { UploadBody } from "./context.ts";
import { describe } from "./contract.ts";
import { TerminalError } from "./errors.ts";
import { NotBrokeredError } from "./grant.ts";
import { isInputFile } from "./input-file.ts";
import { encodeEntries, encodeOutputs, encodeValue } from "./results.ts";
import type { Outcome } from "./run-state.ts";
import { DEFAULT_TRANSFER, type TransferSettings } from "./transfer-retry.ts";
import type { Transfers } from "./transfers.ts";

/** What is known of an output. */
export type DeclaredOutput = Omit<OutputDescriptor, "$typeName" | "$unknown">;

/** What {@link toOutcome} needs of a run. */
export interface OutputsDeps {
  readonly source: { readonly assignment: TaskAssignment; readonly transfer: TransferSettings };
  /** Made when it is asked for. */
  readonly transfers: Transfers;
  /** `undefined`: nothing was written. */
  readonly written: Transfers["written"] | undefined;
}

/**
 * How a run ends whose handler returned `outputs`. Content that stands for an object is
 * uploaded, and its key takes its place; a result that is too large to travel inline, or
 * is wanted so, becomes an object too, where the worker client brokers storage.
 *
 * @param descriptors what the result is to have; none: whatever was returned
 * @throws {TerminalError} INVALID_FORMAT naming the output that is missing, unknown, of the wrong shape, or has
 *   no JSON form; QUOTA_EXCEEDED naming the one whose object is larger than the spec allows
 */
export function toOutcome(
  outputs: unknown,
  deps: OutputsDeps,
  descriptors: readonly DeclaredOutput[],
): Outcome | Promise<Outcome> {
  if (descriptors.length === 0) return finish(encodeOutputs(outputs), deps);
  const values = checkNames(outputs ?? {}, descriptors);
  const entries = descriptors.map((descriptor) => toEntry(descriptor, values[descriptor.name]));
  if (entries.every((entry) => typeof entry[1] === "string")) {
    return finish(encodeEntries(entries as [string, string][]), deps);
  }
  return storeContents(entries, deps).then((stored) => finish(encodeEntries(stored), deps));
}

/** The name of an output and its JSON, or what is to be uploaded in its place. */
type Entry = readonly [name: string, value: string | ToStore];

/** Content, or a list with content in it. */
interface ToStore {
  readonly descriptor: DeclaredOutput;
  readonly value: unknown;
}

function checkNames(outputs: unknown, descriptors: readonly DeclaredOutput[]): Record<string, unknown> {
  if (typeof outputs !== "object" || outputs === null || Array.isArray(outputs)) {
    throw invalid(`the handler returned ${describe(outputs)}; return an object keyed by output name`);
  }
  const values = outputs as Record<string, unknown>;
  const known = descriptors.map(({ name }) => name);
  for (const name of Object.keys(values)) {
    if (known.includes(name)) continue;
    const near = nearest(name, known);
    const hint = near === undefined ? `; there is: ${known.join(", ")}` : `; did you mean "${near}"?`;
    throw invalid(`there is no output ${JSON.stringify(name.slice(0, 100))} in the activity's spec${hint}`);
  }
  for (const { name, abiType } of descriptors) {
    if (values[name] === undefined)
      throw invalid(`the handler returned no output "${name}", a ${abiType}, which the activity's spec has`);
  }
  return values;
}

function toEntry(descriptor: DeclaredOutput, value: unknown): Entry {
  const { name, abiType, isObjectKey } = descriptor;
  if (isObjectKey && hasContent(value)) return [name, { descriptor, value }];
  if (isInputFile(value))
    throw invalid(`output "${name}" is an input file; return its objectKey to pass it on`);
  if (abiType === "") return [name, encodeValue(name, value)];
  try {
    return [name, JSON.stringify(typedToJson(toTyped(abiType, value)))];
  } catch (error) {
    // "value[2]: expected uint8, ..., got ...": the place is relative to the output.
    const { problems } = error as { readonly problems?: readonly string[] };
    const detail = (problems?.[0] ?? String(error)).replace(/^value/, "");
    const place = /^[^:]*/.exec(detail)?.[0] ?? "";
    throw invalid(`output "${name}${place}"${detail.slice(place.length)}`, error);
  }
}

function hasContent(value: unknown): boolean {
  return Array.isArray(value) ? value.some(isContent) : isContent(value);
}

/** Content that stands for an object, and no key of one. */
function isContent(value: unknown): value is Exclude<UploadBody, string> & { readonly mediaType?: string } {
  if (typeof value !== "object" || value === null || isInputFile(value) || Array.isArray(value)) return false;
  if (value instanceof Uint8Array || value instanceof ReadableStream) return true;
  return typeof (value as { path?: unknown }).path === "string";
}

/** One after the other: each may take as much memory as an upload may. */
async function storeContents(entries: readonly Entry[], deps: OutputsDeps): Promise<[string, string][]> {
  const stored: [string, string][] = [];
  for (const [name, value] of entries) {
    stored.push([name, typeof value === "string" ? value : JSON.stringify(await store(value, deps))]);
  }
  return stored;
}

async function store({ descriptor, value }: ToStore, deps: OutputsDeps): Promise<string | string[]> {
  const { name } = descriptor;
  if (!Array.isArray(value)) return await storeOne({ descriptor, value }, name, deps);
  const keys: string[] = [];
  for (const [index, item] of value.entries()) {
    keys.push(await storeOne({ descriptor, value: item }, `${name}-${index}`, deps));
  }
  return keys;
}

async function storeOne({ descriptor, value }: ToStore, base: string, deps: OutputsDeps): Promise<string> {
  if (typeof value === "string") return value;
  if (!isContent(value))
    throw invalid(`output "${base}" is ${describe(value)}; return an object key or content`);
  const given = "path" in value ? value.mediaType : undefined;
  const mediaType = given ?? (descriptor.mediaType || "application/octet-stream");
  const { objectKey } = await deps.transfers.upload({
    name: freeName(base.replaceAll(/[^A-Za-z0-9._-]/g, "_"), extensionOf(mediaType), deps),
    body: value,
    mediaType,
    maxBytes: descriptor.maxBytes > 0n ? Number(descriptor.maxBytes) : undefined,
  });
  return objectKey;
}

/** The handler may have written an object of that name itself. */
function freeName(base: string, extension: string, { source, written = [] }: OutputsDeps): string {
  const taken = new Set(written.map(({ objectKey }) => objectKey));
  for (let count = 0; ; count += 1) {
    const name = `${base}${count === 0 ? "" : `-${count}`}${extension}`;
    if (!taken.has(`${source.assignment.uploadPrefix}${name}`)) return name;
  }
}

function finish(result: Uint8Array, deps: OutputsDeps): Outcome | Promise<Outcome> {
  const { assignment, transfer } = deps.source;
  const isSmall = result.byteLength <= transfer.maxInlineResultBytes;
  if (isSmall && !assignment.resultByReference) return inline(result, deps);
  return byReference(result, deps);
}

function inline(result: Uint8Array, { written }: OutputsDeps): Outcome {
  return written === undefined
    ? { status: "SUCCESS", result }
    : { status: "SUCCESS", result, objects: written };
}

const NO_BYTES = new Uint8Array();

async function byReference(result: Uint8Array, deps: OutputsDeps): Promise<Outcome> {
  const { transfers } = deps;
  // Without a place to write, or from a worker client that would not know what the object is: as far as it goes.
  if (deps.source.assignment.uploadPrefix === "") return inline(bounded(result), deps);
  try {
    const { objectKey } = await transfers.upload({
      name: freeName("result", ".json", deps),
      body: result,
      mediaType: "application/json",
      needsBroker: true,
    });
    return { status: "SUCCESS", result: NO_BYTES, resultRef: objectKey, objects: transfers.written };
  } catch (error) {
    if (!(error instanceof NotBrokeredError)) throw error;
    return inline(bounded(result), deps);
  }
}

function bounded(result: Uint8Array): Uint8Array {
  const maxBytes = DEFAULT_TRANSFER.maxInlineResultBytes;
  if (result.byteLength <= maxBytes) return result;
  throw invalid(
    `the result is ${result.byteLength} bytes and at most ${maxBytes} travel inline; ` +
      `upload the large output with ctx.upload and return its objectKey`,
  );
}

const EXTENSIONS: Readonly<Record<string, string>> = {
  "application/gzip": ".gz",
  "application/json": ".json",
  "application/pdf": ".pdf",
  "application/x-tar": ".tar",
  "application/xml": ".xml",
  "application/zip": ".zip",
  "audio/flac": ".flac",
  "audio/mpeg": ".mp3",
  "audio/ogg": ".ogg",
  "audio/wav": ".wav",
  "audio/x-wav": ".wav",
  "image/gif": ".gif",
  "image/jpeg": ".jpg",
  "image/png": ".png",
  "image/svg+xml": ".svg",
  "image/webp": ".webp",
  "text/csv": ".csv",
  "text/html": ".html",
  "text/markdown": ".md",
  "text/plain": ".txt",
  "video/mp4": ".mp4",
  "video/webm": ".webm",
};

/** With its dot; empty where the type has none that everybody knows. */
function extensionOf(mediaType: string): string {
  return EXTENSIONS[mediaType.replace(/;.*/s, "").trim().toLowerCase()] ?? "";
}

function invalid(message: string, cause?: unknown): TerminalError {
  return new TerminalError(`[INVALID_FORMAT] ${message}`, { code: TASK_ERROR.INVALID_FORMAT, cause });
}
