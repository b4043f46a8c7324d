import { basename, relative } from "node:path";
import type { WorkflowSpec } from "@subnet-worker/activity-spec";
import type { RunTransaction } from "../chain/transactions.ts";
import { isSettled, phasesOf, type StepState } from "../domain/run.ts";
import type { Output } from "../outputs.ts";
import type { FinishedRun } from "../run-workflow.ts";
import { renderTable } from "./table.ts";
import { durationText, grouped, printable, shortHex } from "./text.ts";

// More of the same kind in a row become one line; `run.json` has them all.
const HEARTBEATS_SHOWN = 5;

/** What happened, as a table: a row for the start and one for each step; then the sums and the files. */
export function reportLines(
  finished: FinishedRun,
  options: { readonly columns: number; readonly cwd: string },
): readonly string[] {
  const gas = finished.transactions.reduce((sum, { gasUsed }) => sum + gasUsed, 0n);
  const files = new Set(finished.outputs.flat().flatMap(({ file }) => file ?? []));
  return [
    ...tableLines(finished, options.columns),
    `${finished.transactions.length} transactions, ${grouped(gas)} gas, ${durationText(finished.totalMs)} from submission to the end`,
    ...(files.size === 0
      ? []
      : ["", "Files:", ...[...files].map((file) => `  ${shortPath(options.cwd, file)}`)]),
  ];
}

const HEAD = ["STEP", "WORKER", "TRANSACTIONS", "TIME", "OUTPUTS"];

function tableLines(finished: FinishedRun, columns: number): readonly string[] {
  const names = stepNames(finished.spec);
  const rows = [startRow(finished), ...names.map((name, index) => stepRow(finished, name, index))];
  const wide = renderTable({ head: HEAD, rows }, columns);
  if (wide.every((line) => line.length <= columns)) return wide;
  // Too narrow for five columns: the outputs go below.
  const outputs = rows.flatMap(([step, , , , lines]) =>
    (lines ?? []).length === 0 ? [] : [`${step?.[0] ?? ""}:`, ...(lines ?? []).map((line) => `  ${line}`)],
  );
  const narrow = renderTable({ head: HEAD.slice(0, 4), rows: rows.map((row) => row.slice(0, 4)) }, columns);
  return [...narrow, ...outputs];
}

function startRow({ transactions, requester, uploadMs }: FinishedRun): string[][] {
  const start = transactions.filter(({ step }) => step === undefined);
  return [
    ["start"],
    [shortHex(requester)],
    transactionLines(start),
    [`upload ${durationText(uploadMs)}`],
    [],
  ];
}

function stepRow(finished: FinishedRun, name: string, index: number): string[][] {
  const step = finished.run.steps[index] ?? { kind: "pending" };
  const outputs = (finished.outputs[index] ?? []).map(outputText);
  return [
    [name],
    ["worker" in step ? shortHex(step.worker) : "-"],
    transactionLines(finished.transactions.filter((transaction) => transaction.step === index)),
    phases(step),
    step.kind === "failed" ? [printable(`failed: ${step.reason}`)] : outputs,
  ];
}

/** What the steps are called on screen: their handlers, unless two share one. */
export function stepNames({ activities }: WorkflowSpec): readonly string[] {
  const isUnique = new Set(activities.map(({ kind }) => kind)).size === activities.length;
  return activities.map(({ id, kind }) => (isUnique ? kind : id));
}

// An object's key is long and says little; its file is listed below the table.
function outputText({ name, value, file }: Output): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return printable(`${name} ${file === undefined ? text : basename(file)}`, 200);
}

function transactionLines(transactions: readonly RunTransaction[]): string[] {
  const heartbeats = transactions.filter(({ action, succeeded }) => action === "heartbeat" && succeeded);
  if (heartbeats.length <= HEARTBEATS_SHOWN) return transactions.map(transactionText);
  const [first] = heartbeats;
  const gasUsed = heartbeats.reduce((sum, heartbeat) => sum + heartbeat.gasUsed, 0n);
  return transactions.flatMap((transaction) => {
    if (transaction === first)
      return [`${transactionText({ ...transaction, gasUsed })} in ${heartbeats.length}`];
    return heartbeats.includes(transaction) ? [] : [transactionText(transaction)];
  });
}

function transactionText({ action, block, gasUsed, succeeded }: RunTransaction): string {
  const where = `#${String(block).padEnd(4)}`;
  return `${action.padEnd(9)} ${where} ${grouped(gasUsed).padStart(9)} gas${succeeded ? "" : " reverted"}`;
}

function phases(step: StepState): string[] {
  if (!isSettled(step)) return [step.kind === "pending" ? "not reached" : step.kind];
  const { waitMs, runMs, resumeMs } = phasesOf(step);
  return [
    `wait   ${durationText(waitMs)}`,
    `run    ${durationText(runMs)}`,
    ...(resumeMs === undefined ? [] : [`resume ${durationText(resumeMs)}`]),
  ];
}

function shortPath(cwd: string, path: string): string {
  const below = relative(cwd, path);
  return below.startsWith("..") ? path : below;
}
