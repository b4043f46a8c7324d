import type { RecordedRun } from "@subnet-worker/protocol/recorded-run";
import type { TestRun } from "@subnet-worker/wep-sdk/testing";
import { readableLine } from "../readable-log.ts";
import type { ComparedOutput, Comparison } from "./replay-compare.ts";
import type { SavedFile } from "./send-report.ts";

export interface Replayed {
  readonly recorded: RecordedRun;
  readonly run: TestRun;
  readonly files: readonly SavedFile[];
  readonly comparison: Comparison;
}

/** A replay as one JSON document. */
export function replayJson({ recorded, run, files, comparison }: Replayed): string {
  const { id, kind, version } = recorded.activity;
  const { status, error, progress, log, durationMs } = run;
  return `${JSON.stringify({
    activity: { id, kind, version },
    run: { id: recorded.run.id, attempt: recorded.run.attempt },
    status,
    ...(error === undefined ? {} : { error }),
    durationMs: Math.round(durationMs),
    recorded: recorded.outcome,
    isSame: comparison.isSame,
    outputs: comparison.outputs,
    files,
    progress,
    log,
  })}\n`;
}

/** A replay for people. */
export function replayText({ recorded, run, files, comparison }: Replayed): string {
  const { activity, run: assignment } = recorded;
  const lines = [
    `${activity.kind} ${activity.version}, activity ${activity.id}, run ${assignment.id}, attempt ${assignment.attempt}`,
    ...run.progress.map(({ percent, message }) => `  ${String(percent).padStart(3)}%  ${oneLine(message)}`),
    ...run.log.map((line) => `  ${readableLine(JSON.stringify(line))}`),
    `${headOf(run)} (${comparison.summary})`,
    ...outputLines(comparison.outputs, files),
    ...otherFiles(comparison.outputs, files),
  ];
  return `${lines.join("\n")}\n`;
}

function headOf({ status, error, durationMs }: TestRun): string {
  const took = `in ${Math.round(durationMs)} ms`;
  if (error === undefined) return `${status} ${took}`;
  return `failed ${took}: ${error.name} (${error.code}): ${error.message}`;
}

function outputLines(outputs: readonly ComparedOutput[], files: readonly SavedFile[]): readonly string[] {
  const shown = outputs.map((output) => ({ ...output, text: valueText(output.value, files) }));
  const widest = (lengths: readonly number[]) => Math.max(0, ...lengths);
  const names = widest(shown.map(({ name }) => name.length));
  const values = Math.min(60, widest(shown.map(({ text }) => text.length)));
  return shown.map(({ name, text, verdict, recorded }) => {
    const was = verdict === "different" ? `; recorded: ${valueText(recorded, [])}` : "";
    const end = verdict === "unknown" ? "" : `  ${verdict}${was}`;
    return `  ${name.padEnd(names)}  ${text.padEnd(values)}${end}`.trimEnd();
  });
}

function otherFiles(outputs: readonly ComparedOutput[], files: readonly SavedFile[]): readonly string[] {
  const named = new Set(outputs.map(({ value }) => value));
  return files.filter(({ objectKey }) => !named.has(objectKey)).map((file) => `  wrote ${placeOf(file)}`);
}

function valueText(value: unknown, files: readonly SavedFile[]): string {
  const file = files.find(({ objectKey }) => objectKey === value);
  if (file !== undefined) return placeOf(file);
  return value === undefined ? "nothing" : JSON.stringify(value);
}

function placeOf({ path, sizeBytes }: SavedFile): string {
  return `${path} (${sizeBytes} bytes)`;
}

/** What a handler says may be anything; a terminal would obey it. */
function oneLine(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, " ");
}
