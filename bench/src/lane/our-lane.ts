import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BenchLane, openBenchLane } from "@subnet-worker/wcp/bench-lane";
import { TALLY_QUEUE, TALLY_SPEC_PATH } from "@subnet-worker/e2e/lab/task-chain";
import { callsOf, type Rig } from "./rig.ts";

export interface OurLaneOptions {
  readonly batching: boolean;
  /** Default: the node's. */
  readonly confirmations?: number;
  /** Transactions outstanding at once. Default: the node's. */
  readonly maxPending?: number;
  /** Activities that are between their claim and their completion at once. */
  readonly window: number;
}

/** What became of every activity. */
export interface Driven {
  readonly perSecond: number;
  /** Blocks before it that are not of this run. */
  readonly fromBlock: number;
}

/** Claims and completes every activity of the rig through the lane, as many at once as the window allows. */
export async function runOurLane(rig: Rig, { window, ...how }: OurLaneOptions): Promise<Driven> {
  await using opened = await open(rig, how);
  const fromBlock = (await rig.chain.head()) + 1;
  const calls = rig.activityIds.map((activityId, number) => ({ activityId, ...callsOf(activityId, number) }));
  const startMs = performance.now();
  const waiting = calls.values();
  const work = async () => {
    for (const { activityId, claim, complete } of waiting) {
      await submit(opened, { rig, activityId, kind: "claim", data: claim });
      await submit(opened, { rig, activityId, kind: "complete", data: complete });
    }
  };
  await Promise.all(Array.from({ length: window }, work));
  const seconds = (performance.now() - startMs) / 1_000;
  return { perSecond: rig.activityIds.length / seconds, fromBlock };
}

/** Claims every activity and completes none. @returns gas per claim, its share of the transaction's base fee included */
export async function measureClaimGas(rig: Rig, batching: boolean): Promise<number> {
  await using opened = await open(rig, { batching });
  const claims = rig.activityIds.map((activityId, number) =>
    submit(opened, { rig, activityId, kind: "claim", data: callsOf(activityId, number).claim }),
  );
  const gas = await Promise.all(claims);
  return gas.reduce((sum, each) => sum + each, 0) / gas.length;
}

interface Submission {
  readonly rig: Rig;
  readonly activityId: string;
  readonly kind: "claim" | "complete";
  readonly data: string;
}

/** @returns the gas it took @throws when it had no effect */
async function submit({ lane }: BenchLane, { rig, activityId, kind, data }: Submission): Promise<number> {
  const outcome = await lane.submit({
    key: `${activityId}:1:${kind}`,
    kind,
    taskId: activityId,
    to: rig.chain.facts.taskQueue,
    data,
  });
  if (outcome.kind !== "mined") {
    const why = outcome.kind === "dropped" ? outcome.message : outcome.revert.message;
    throw new Error(`the ${kind} of ${activityId} was ${outcome.kind}: ${why}`);
  }
  return Number(outcome.receipt.gasUsed);
}

/** With the node's own defaults but for what is asked, and everything in it but the dispatcher and the WEP. */
async function open(
  { chain, worker }: Rig,
  { batching, confirmations, maxPending }: Omit<OurLaneOptions, "window">,
): Promise<AsyncDisposable & BenchLane> {
  await using stack = new AsyncDisposableStack();
  const dir = mkdtempSync(join(tmpdir(), "bench-lane-"));
  stack.defer(() => rmSync(dir, { recursive: true, force: true }));
  const { facts } = chain;
  const env = {
    WCP__ETHEREUM__RPC_URL: facts.rpcUrl,
    WCP__ETHEREUM__WS_URL: facts.wsUrl ?? "",
    WCP__ETHEREUM__CHAIN_ID: String(facts.chainId),
    WCP__ETHEREUM__WALLET_PRIVATE_KEY: worker.privateKey,
    WCP__ETHEREUM__TASK_QUEUE_ADDRESS: facts.taskQueue,
    WCP__ETHEREUM__WORKFLOW_ENGINE_ADDRESS: facts.workflowEngine,
    WCP__ETHEREUM__SUBNET_CONTROL_PLANE_ADDRESS: facts.subnetControlPlane,
    WCP__ETHEREUM__MULTICALL3_ADDRESS: facts.multicall3,
    WCP__ETHEREUM__BATCH_EXECUTOR_ADDRESS: facts.batchExecutor,
    WCP__TX_POLICY__BATCHING: String(batching),
    WCP__SCHEDULER__QUEUE_NAME: TALLY_QUEUE,
    WCP__SPECS__FILES: TALLY_SPEC_PATH,
    WCP__DB__PATH: join(dir, "wcp.sqlite"),
    ...(confirmations === undefined ? {} : { WCP__TX_POLICY__CONFIRMATIONS: String(confirmations) }),
    ...(maxPending === undefined ? {} : { WCP__TX_POLICY__MAX_PENDING: String(maxPending) }),
    WCP__LOG__LEVEL: "error",
  };
  const opened = stack.use(await openBenchLane({ env, cwd: dir }));
  const owned = stack.move();
  return { lane: opened.lane, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
