import { basename, relative } from "node:path";
import type { WorkflowSpec } from "@subnet-worker/activity-spec";
import type { RunTransaction } from "../chain/transactions.ts";
import { isSettled, phasesOf, type StepState } from "../domain/run.ts";
import type { Output } from "../outputs.ts";
import type { FinishedRun } from "../run-workflow.ts";
import { renderTable } from "./table.ts";
import { durationText, grouped, printable, shortHex } from "./text.ts";

/** What happened, as a table: a row for the start, one for each step, and the sums. */
export function reportLines(
  finished: FinishedRun,
  options: { readonly columns: number; readonly cwd: string },
): readonly string[] {
  const start = finished.transactions.filter(({ step }) => step === undefined);
  const rows = stepNames(finished.spec).map((name, index) => stepRow(finished, name, index));
  const table = renderTable(
    {
      head: ["STEP", "WORKER", "TRANSACTIONS", "TIME", "OUTPUTS"],
      rows: [
        [
          ["start"],
          [shortHex(finished.requester)],
          start.map(transactionText),
          [`upload ${durationText(finished.uploadMs)}`],
          [],
        ],
        ...rows,
      ],
    },
    options.columns,
  );
  const gas = finished.transactions.reduce((sum, { gasUsed }) => sum + gasUsed, 0n);
  const files = finished.outputs.flat().flatMap(({ file }) => (file === undefined ? [] : [file]));
  return [
    ...table,
    `${finished.transactions.length} transactions, ${grouped(gas)} gas, ${durationText(finished.totalMs)} from submission to the end`,
    ...(files.length === 0
      ? []
      : ["", "Files:", ...[...new Set(files)].map((file) => `  ${shortPath(options.cwd, file)}`)]),
  ];
}

function stepRow(finished: FinishedRun, name: string, index: number): string[][] {
  const step = finished.run.steps[index] ?? { kind: "pending" };
  const outputs = (finished.outputs[index] ?? []).map(outputText);
  return [
    [name],
    ["worker" in step ? shortHex(step.worker) : "-"],
    finished.transactions.filter((transaction) => transaction.step === index).map(transactionText),
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

function transactionText({ action, block, gasUsed, succeeded }: RunTransaction): string {
  return `${action.padEnd(9)} #${String(block).padEnd(4)} ${grouped(gasUsed).padStart(9)} gas${succeeded ? "" : " reverted"}`;
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
