import { randomUUID } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { encodeParams, type WorkflowSpec } from "@subnet-worker/activity-spec";
import { type Clock, systemClock } from "@subnet-worker/kit";
import { abortable } from "./abortable.ts";
import { ChainClient, type StartedWorkflow } from "./chain/client.ts";
import { openHeads } from "./chain/heads.ts";
import { runTransactions, type RunTransaction } from "./chain/transactions.ts";
import { watchRun } from "./chain/watch.ts";
import { isSettled, phasesOf, type Run, type StepState } from "./domain/run.ts";
import { type InputFile, type InputValue, objectKey, valuesOf } from "./inputs.ts";
import { explainingStalls } from "./explain-stall.ts";
import { fetchOutputs, type Output } from "./outputs.ts";
import type { DevnetState } from "./state-file.ts";
import { type ObjectFiles, StoreClient } from "./store/client.ts";
import { FolderClient } from "./store/folder-client.ts";

/** Which workflow is run on which network. */
export interface RunWorkflowOptions {
  readonly state: DevnetState;
  readonly spec: WorkflowSpec;
  readonly inputs: readonly InputValue[];
  /** With no news for this long while it waits for a worker or to be resumed, the workflow counts as stalled. */
  readonly stallMs: number;
  /**
   * The same while a handler runs, which need not report progress. Default 11 minutes: by then the
   * WEP has ended a handler that hangs.
   */
  readonly runStallMs?: number;
}

/** Whom {@link runWorkflow} tells. */
export interface RunWorkflowDeps {
  readonly signal: AbortSignal;
  readonly clock?: Clock;
  /** Told when the workflow is on the chain. */
  readonly onStarted?: (started: StartedWorkflow) => void;
  /** Told of each step that the chain reports. */
  readonly onChange?: (run: Run) => void;
}

/** A workflow that has ended, well or badly, and all that is known about it. */
export interface FinishedRun {
  readonly spec: WorkflowSpec;
  readonly instance: string;
  readonly requester: string;
  readonly run: Run;
  readonly transactions: readonly RunTransaction[];
  /** By step. */
  readonly outputs: readonly (readonly Output[])[];
  readonly uploadMs: number;
  /** From submission to the last event. */
  readonly totalMs: number;
  /** Absolute path of the folder with the outputs and `run.json`. */
  readonly dir: string;
}

/**
 * Uploads a workflow's input files, starts it on the chain, follows it to its
 * end, and copies what it made to `<run dir>/outputs/<instance>/`.
 *
 * @throws {DevnetError} `STALLED`
 * @throws the signal's reason
 */
export async function runWorkflow(options: RunWorkflowOptions, deps: RunWorkflowDeps): Promise<FinishedRun> {
  const { state, spec } = options;
  const { signal, clock = systemClock } = deps;
  using chain = new ChainClient(state.chain, { clock });
  await using store = await openStore(state);
  using heads = openHeads(state.chain.wsUrl, clock);

  const beganMs = clock.monotonicMs();
  const input = encodeParams(spec.activities[0]?.inputs ?? [], await uploadInputs(options, store, signal));
  await abortable(signal, heads.opened);
  const uploadedMs = clock.monotonicMs();
  const started = await abortable(signal, chain.startWorkflow(spec.workflow, input, state.chain.requester));
  deps.onStarted?.(started);
  const { instance, block: fromBlock } = started;
  const run = await explainingStalls(state, () =>
    watchRun(
      {
        instance,
        stepCount: spec.activities.length,
        fromBlock,
        stallMs: options.stallMs,
        runStallMs: options.runStallMs ?? RUN_STALL_MS,
      },
      { chain, heads, signal, clock, onChange: (now) => deps.onChange?.(now) },
    ),
  );
  const endedMs = clock.monotonicMs();

  const dir = join(state.dir, "outputs", instance.slice(2, 14));
  await mkdir(dir, { recursive: true });
  const toBlock = await chain.blockNumber();
  const [transactions, outputs] = await Promise.all([
    abortable(
      signal,
      runTransactions({ instance, startHash: started.transactionHash, fromBlock, toBlock, run }, chain),
    ),
    fetchOutputs({ spec, run, dir }, { chain, store, signal }),
  ]);
  const finished: FinishedRun = {
    spec,
    instance,
    requester: state.chain.requester,
    run,
    transactions,
    outputs,
    uploadMs: uploadedMs - beganMs,
    totalMs: endedMs - uploadedMs,
    dir,
  };
  await writeFile(join(dir, "run.json"), `${JSON.stringify(recordOf(finished), undefined, 2)}\n`);
  return finished;
}

async function openStore({ store, storage }: DevnetState): Promise<ObjectFiles> {
  return storage.kind === "s3" ? new StoreClient(store) : FolderClient.open(storage.directory);
}

async function uploadInputs(
  options: RunWorkflowOptions,
  store: ObjectFiles,
  signal: AbortSignal,
): Promise<Record<string, unknown>> {
  const folder = `${options.spec.workflow}/${randomUUID()}`;
  const files = options.inputs.filter((input): input is InputFile => input.kind === "file");
  const keyOf = (file: InputFile) => objectKey(folder, file, files.length === 1);
  for (const file of files) await store.upload(file.path, keyOf(file), signal);
  return valuesOf(options.inputs, keyOf);
}

const RUN_STALL_MS = 11 * 60_000;

/** What `run.json` says, for programs. */
function recordOf({ spec, instance, requester, run, transactions, outputs, totalMs }: FinishedRun): unknown {
  return {
    workflow: spec.workflow,
    instance,
    requester,
    outcome: run.outcome,
    total_ms: Math.round(totalMs),
    steps: spec.activities.map(({ id, kind }, index) => {
      const step = run.steps[index] ?? { kind: "pending" };
      return { id, kind, state: step.kind, ...detailsOf(step), outputs: outputs[index] ?? [] };
    }),
    transactions: transactions.map(({ gasUsed, ...rest }) => ({ ...rest, gas_used: Number(gasUsed) })),
  };
}

function detailsOf(step: StepState): object {
  if (!isSettled(step)) return {};
  const { waitMs, runMs, resumeMs } = phasesOf(step);
  return {
    activity_ids: step.activityIds,
    worker: step.worker,
    ...(step.kind === "failed" && { reason: step.reason }),
    wait_ms: Math.round(waitMs),
    run_ms: Math.round(runMs),
    ...(resumeMs !== undefined && { resume_ms: Math.round(resumeMs) }),
  };
}
