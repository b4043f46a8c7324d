import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startAnvil } from "@subnet-worker/contracts/anvil";
import { type Devnet, startDevnet } from "@subnet-worker/devnet";
import { ZeroAddress } from "ethers";
import type { Benchmark, Report, Row } from "../benchmark.ts";
import { QueueClient, type SeenEvent, watchEvents } from "../queue-client.ts";
import { percentile, round } from "../report.ts";

const SLOTS = 16;
const LATENCY_SAMPLES = 200;
const DRAINED = 500;
const TRANSFERS = 2_000;
/** Requests in flight while anvil's own rate is measured: more does not raise it. */
const IN_FLIGHT = 64;
/** Transactions that the node sends per activity without a workflow: claim and complete. */
const TRANSACTIONS_PER_ACTIVITY = 2;

const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));

/** The whole node around a handler that does nothing, on a chain that mines at once. */
export const benchmark: Benchmark = {
  about: "enqueue to completion on chain, and 500 activities drained, beside anvil's own transaction rate",
  run,
};

async function run(): Promise<Report> {
  const single = await measureNode({ batching: false });
  const transferRate = await measureAnvil();
  const batched = await measureNode({ batching: true });
  return toReport({ single, batched, transferRate });
}

/** What one node did. */
interface NodeFigures {
  readonly latencies: readonly number[];
  /** Activities per second. */
  readonly drainRate: number;
  /** Transactions per second of a client that only sends, on the chain that is drained. */
  readonly enqueueRate: number;
}

async function measureNode({ batching }: { readonly batching: boolean }): Promise<NodeFigures> {
  const dir = await mkdtemp(join(tmpdir(), "bench-e2e-"));
  try {
    await using devnet = await startDevnet(
      {
        dir,
        cwd: dir,
        handlers: [fixture("noop.ts")],
        specs: [fixture("noop.yaml")],
        slots: SLOTS,
        batching,
      },
      { signal: AbortSignal.timeout(600_000) },
    );
    using client = new QueueClient(devnet.state.chain);
    await client.fund();
    const latencies = await measureLatency(devnet, client);
    await devnet.kill("wcp");
    return { latencies, ...(await measureDrain(devnet, client)) };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** One activity at a time: from its block being announced to its completion's. Both are seen on the same socket. */
async function measureLatency({ state }: Devnet, client: QueueClient): Promise<number[]> {
  const latencies: number[] = [];
  const enqueuedAtMs = new Map<string, number>();
  let completed = Promise.withResolvers<void>();
  using _events = await watchEvents(state.chain, (event) => {
    if (event.name === "ActivityEnqueued") enqueuedAtMs.set(event.activityId, event.atMs);
    if (event.name === "ActivityFailed") completed.reject(new Error(`activity ${event.activityId} failed`));
    if (event.name !== "ActivityCompleted") return;
    latencies.push(event.atMs - (enqueuedAtMs.get(event.activityId) ?? Number.NaN));
    completed.resolve();
  });
  for (let number = 0; number < LATENCY_SAMPLES; number += 1) {
    completed = Promise.withResolvers();
    await client.send(client.signEnqueue(number));
    await completed.promise;
  }
  return latencies;
}

/** Signed transfers per second that an anvil with nothing else to do mines, and a client that only sends. */
async function measureAnvil(): Promise<number> {
  await using anvil = await startAnvil();
  using client = new QueueClient({ rpcUrl: anvil.url, chainId: 31_337, taskQueue: ZeroAddress });
  await client.fund();
  const signed = Array.from({ length: TRANSFERS }, () => client.signTransfer());
  const startMs = performance.now();
  await client.sendAll(signed, IN_FLIGHT);
  return TRANSFERS / ((performance.now() - startMs) / 1_000);
}

/** A backlog that the node finds when it starts: from the first claim to the last completion. */
async function measureDrain(
  devnet: Devnet,
  client: QueueClient,
): Promise<{ readonly enqueueRate: number; readonly drainRate: number }> {
  const enqueues = Array.from({ length: DRAINED }, (_, number) => client.signEnqueue(number));
  const startMs = performance.now();
  await client.sendAll(enqueues, IN_FLIGHT);
  const enqueueRate = DRAINED / ((performance.now() - startMs) / 1_000);
  const drained = Promise.withResolvers<number>();
  let firstClaimMs: number | undefined;
  const completed = new Set<string>();
  using _events = await watchEvents(devnet.state.chain, (event: SeenEvent) => {
    if (event.name === "ActivityClaimed") firstClaimMs ??= event.atMs;
    if (event.name === "ActivityFailed") drained.reject(new Error(`activity ${event.activityId} failed`));
    if (event.name === "ActivityCompleted") completed.add(event.activityId);
    if (completed.size === DRAINED) drained.resolve(event.atMs - (firstClaimMs ?? Number.NaN));
  });
  await devnet.restart("wcp");
  return { enqueueRate, drainRate: DRAINED / ((await drained.promise) / 1_000) };
}

interface Measured {
  readonly single: NodeFigures;
  readonly batched: NodeFigures;
  /** Transactions per second of an anvil that has nothing else to do. */
  readonly transferRate: number;
}

function toReport({ single, batched, transferRate }: Measured): Report {
  const txRate = single.drainRate * TRANSACTIONS_PER_ACTIVITY;
  return {
    rows: [
      ...latencyRows(single, "enqueue to completion"),
      {
        what: `drain of ${DRAINED}, ${SLOTS} slots`,
        value: `${round(single.drainRate, 0)} activities/s`,
        beside: "claim and complete each",
      },
      {
        what: "our transactions",
        value: `${round(txRate, 0)} tx/s`,
        beside: `anvil's own transfers: ${round(transferRate, 0)} tx/s`,
      },
      {
        what: "the same chain, 500 enqueues",
        value: `${round(single.enqueueRate, 0)} tx/s`,
        beside: "64 in flight, by a client that only sends",
      },
      ...latencyRows(batched, "batching on, the same"),
      {
        what: `batching on, drain of ${DRAINED}`,
        value: `${round(batched.drainRate, 0)} activities/s`,
        beside: `${round(single.drainRate, 0)} with single transactions`,
      },
    ],
    metrics: {
      latency_p50_ms: round(percentile(single.latencies, 0.5), 2),
      latency_p99_ms: round(percentile(single.latencies, 0.99), 2),
      activities_per_s: round(single.drainRate, 1),
      share_of_anvil_tx_rate: round(txRate / transferRate, 3),
      batched_latency_p50_ms: round(percentile(batched.latencies, 0.5), 2),
      batched_activities_per_s: round(batched.drainRate, 1),
    },
  };
}

function latencyRows({ latencies }: NodeFigures, what: string): readonly Row[] {
  const value = (share: number) => `${round(percentile(latencies, share), 1)} ms`;
  return [
    { what: `${what}, p50`, value: value(0.5), beside: "limit 250 ms" },
    { what: `${what}, p99`, value: value(0.99), beside: "limit 1,000 ms" },
  ];
}
