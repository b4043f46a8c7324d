import type { Progress } from "@subnet-worker/protocol";
import type { Io } from "./command.ts";
import type { SendError, SendOutcome } from "./send-outcome.ts";

/** What goes to whom: handler, version, WEP. */
export interface Begun {
  readonly kind: string;
  readonly version: string;
  readonly url: string;
}

/** An object that the run has written, and where it is now. */
export interface SavedFile {
  readonly objectKey: string;
  /** As people would write it from where they are. */
  readonly path: string;
  readonly sizeBytes: number;
}

export interface Ended {
  readonly kind: string;
  readonly version: string;
  readonly latencyMs: number;
  readonly outcome: SendOutcome;
  readonly files: readonly SavedFile[];
}

/** Tells of a run as it goes. */
export interface Report {
  begins(run: Begun): void;
  progress(progress: Pick<Progress, "percent" | "message">): void;
  ends(run: Ended): void;
}

/** For people; with `isJson` one JSON document at the end and nothing else. */
export function createReport(io: Io, isJson: boolean): Report {
  if (isJson) {
    return {
      begins: () => undefined,
      progress: () => undefined,
      ends: (run) => io.out(`${jsonOf(run)}\n`),
    };
  }
  return {
    begins: ({ kind, version, url }) => io.out(`${kind} ${version} at ${url}\n`),
    progress: ({ percent, message }) => io.out(`  ${String(percent).padStart(3)}%  ${oneLine(message)}\n`),
    ends: (run) => io.out(textOf(run)),
  };
}

function jsonOf({ kind, version, latencyMs, outcome, files }: Ended): string {
  return JSON.stringify({ kind, version, latencyMs: Math.round(latencyMs), ...outcome, files });
}

function textOf({ latencyMs, outcome, files }: Ended): string {
  const took = `in ${Math.round(latencyMs)} ms`;
  const lines =
    "error" in outcome ? failure(outcome.status, outcome.error, took) : [`${outcome.status} ${took}`];
  const outputs = outputLines(outcome.outputs ?? {}, files);
  const named = new Set(Object.values(outcome.outputs ?? {}));
  const others = files.filter(({ objectKey }) => !named.has(objectKey));
  return [...lines, ...outputs, ...others.map((file) => `  wrote ${placeOf(file)}`), ""].join("\n");
}

function failure(status: string, error: SendError, took: string): readonly string[] {
  const wait = error.retryAfterMs > 0 ? `, not before ${error.retryAfterMs} ms` : "";
  const again = error.retryable ? `a node would try it again${wait}` : "a node would not try it again";
  const what = status === "rejected" ? "refused" : "failed";
  const text = error.message.split("\n").map((line) => `  ${line}`);
  return [`${what} ${took}: ${error.name} (${error.code}); ${again}`, ...text];
}

function outputLines(
  outputs: Readonly<Record<string, unknown>>,
  files: readonly SavedFile[],
): readonly string[] {
  const width = Math.max(0, ...Object.keys(outputs).map((name) => name.length));
  return Object.entries(outputs).map(([name, value]) => {
    const file = files.find(({ objectKey }) => objectKey === value);
    const text = file === undefined ? JSON.stringify(value) : placeOf(file);
    return `  ${name.padEnd(width)}  ${text}`;
  });
}

function placeOf({ path, sizeBytes }: SavedFile): string {
  return `${path} (${sizeBytes} bytes)`;
}

/** What a handler says may be anything; a terminal would obey it. */
function oneLine(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, " ");
}
