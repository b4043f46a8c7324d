import { workflowEngineInterface } from "@subnet-worker/contracts";
import { isSettled, type Run } from "../domain/run.ts";
import { callName, type ChainClient, type MinedTransaction } from "./client.ts";

/** A transaction that has to do with one workflow instance. */
export interface RunTransaction {
  /** `start`, `claim`, `heartbeat`, `complete`, `fail`, `release`, `resume`, or the contract's own word. */
  readonly action: string;
  /** The step it concerns; `undefined` for the start. */
  readonly step: number | undefined;
  readonly block: number;
  readonly gasUsed: bigint;
  readonly succeeded: boolean;
  readonly hash: string;
  readonly from: string;
}

const ACTIONS: Readonly<Record<string, string>> = {
  startWorkflow: "start",
  claimActivity: "claim",
  heartbeatActivity: "heartbeat",
  completeActivity: "complete",
  failActivity: "fail",
  releaseActivity: "release",
  resumeWorkflow: "resume",
};

export interface RunTransactionsOptions {
  readonly instance: string;
  readonly startHash: string;
  readonly fromBlock: number;
  readonly toBlock: number;
  readonly run: Run;
}

/** Every transaction of a run, reverted ones too, in the order in which they were mined. */
export async function runTransactions(
  options: RunTransactionsOptions,
  chain: ChainClient,
): Promise<readonly RunTransaction[]> {
  const { instance, startHash, run } = options;
  const stepOfActivity = new Map(
    run.steps.flatMap((step, index) =>
      "activityIds" in step ? step.activityIds.map((id) => [bare(id), index] as const) : [],
    ),
  );
  const concerned = (data: string): number | "instance" | undefined => {
    for (const [id, step] of stepOfActivity) if (data.includes(id)) return step;
    return data.includes(bare(instance)) ? "instance" : undefined;
  };
  const found: RunTransaction[] = [];
  for (const mined of await chain.transactions(options.fromBlock, options.toBlock)) {
    const subject = mined.hash === startHash ? undefined : concerned(mined.data);
    if (subject === undefined && mined.hash !== startHash) continue;
    found.push(describe(mined, subject === "instance" ? resumedStep(mined, run) : subject));
  }
  return found;
}

function describe(mined: MinedTransaction, step: number | undefined): RunTransaction {
  const name = callName(mined.data) ?? "other";
  return {
    action: ACTIONS[name] ?? name,
    step,
    block: mined.block,
    gasUsed: mined.receipt.gasUsed,
    succeeded: mined.receipt.status === 1,
    hash: mined.hash,
    from: mined.from,
  };
}

/** From its event; a reverted one has none, and is put to the last step settled before it. */
function resumedStep(mined: MinedTransaction, run: Run): number | undefined {
  const resumed = mined.receipt.logs
    .map((log) => workflowEngineInterface.parseLog(log))
    .find((log) => log?.name === "WorkflowResumed");
  if (resumed !== undefined && resumed !== null) return Number(resumed.args["step"]);
  const index = run.steps.findLastIndex((step) => isSettled(step) && step.settled.block <= mined.block);
  return index === -1 ? undefined : index;
}

function bare(id: string): string {
  return id.slice(2).toLowerCase();
}
