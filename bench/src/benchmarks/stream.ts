import type { Benchmark, Report, Row } from "../benchmark.ts";
import { percentile, round } from "../report.ts";
import { startBullMq } from "../stream/bullmq.ts";
import { runEcho } from "../stream/echo.ts";
import { startGraphile } from "../stream/graphile.ts";
import { startOurNode } from "../stream/our-node.ts";
import type { Peer } from "../stream/peer.ts";
import { missing } from "../stream/servers.ts";

/** `STREAM_TASKS` shortens a try; figures worth keeping come from the default. */
const TASKS = Number(process.env["STREAM_TASKS"] ?? 30_000);
/** Runs at once, of ours and of every peer. */
const CONCURRENCY = 256;
const WARM_UP = 20_000;
const LATENCIES = 500;
const ROUNDS = 3;

/** The whole way between the processes, with a handler that does nothing. */
export const benchmark: Benchmark = {
  about:
    "tasks per second from WCP to WEP and back, persistence on, beside a bare echo, BullMQ and graphile-worker",
  run,
};

/** Per second, in both ways to count it; ours is held against the same way. */
interface Rates {
  readonly queued: number[];
  readonly offered: number[];
}

async function run(): Promise<Report> {
  const [ours, bullmq, graphileDefault, graphileBatched] = [
    emptyRates(),
    emptyRates(),
    emptyRates(),
    emptyRates(),
  ];
  const [echo, latenciesMs] = [[] as number[], [] as number[]];
  const [noRedis, noPostgres] = [missing("redis-server"), missing("postgresql")];
  // In turn: whatever else the machine does slows all of them.
  for (let turn = 0; turn < ROUNDS; turn += 1) {
    echo.push(await runEcho(TASKS, CONCURRENCY));
    await measurePeer(await startOurNode({ slots: CONCURRENCY }), ours, async (node) => {
      latenciesMs.push(...(await node.latencies(LATENCIES)));
    });
    if (noRedis === undefined) await measurePeer(await startBullMq({ concurrency: CONCURRENCY }), bullmq);
    if (noPostgres !== undefined) continue;
    const graphile = { concurrency: CONCURRENCY };
    await measurePeer(await startGraphile({ ...graphile, mode: "default" }), graphileDefault);
    await measurePeer(await startGraphile({ ...graphile, mode: "batched" }), graphileBatched);
  }
  const notes = [noRedis, noPostgres];
  return toReport({ ours, latenciesMs, echo, bullmq, graphileDefault, graphileBatched, notes });
}

function emptyRates(): Rates {
  return { queued: [], offered: [] };
}

async function measurePeer<P extends Peer>(
  peer: P,
  rates: Rates,
  andThen: (peer: P) => Promise<void> = async () => {},
): Promise<void> {
  await using started = peer;
  await started.offered(WARM_UP);
  rates.queued.push(await started.queued(TASKS));
  rates.offered.push(await started.offered(TASKS));
  await andThen(started);
}

interface Measured {
  readonly ours: Rates;
  readonly latenciesMs: readonly number[];
  readonly echo: readonly number[];
  readonly bullmq: Rates;
  readonly graphileDefault: Rates;
  readonly graphileBatched: Rates;
  /** Why a peer is missing. */
  readonly notes: readonly (string | undefined)[];
}

/** What each does with the disk in that time. */
const OURS_STORED =
  "the offer, the claim begun, the assignment and the outcome are each on disk before what follows from them, the claim's result with the assignment; settled counts once the network has the outcome, before the task is stored as done; tasks are kept";
const REDIS_STORED = "no job is synced to disk; jobs are forgotten once done";
const POSTGRES_STORED =
  "every commit is on disk; a job is taken in one of its own and done in another; jobs are deleted once done";
const BATCHED_STORED =
  "every commit is on disk, and many jobs are taken or done in one; jobs are deleted once done";

const median = (values: readonly number[]) => percentile(values, 0.5);

interface PeerFigures {
  readonly what: string;
  /** Of its metric. */
  readonly key: string;
  readonly rates: Rates;
  /** What it has done with the disk. */
  readonly stored: string;
  /** Why it was not measured. */
  readonly missing: string | undefined;
}

function peersOf({ bullmq, graphileDefault, graphileBatched, notes }: Measured): readonly PeerFigures[] {
  const [noRedis, noPostgres] = notes;
  return [
    { what: "BullMQ on Redis", key: "over_bullmq", rates: bullmq, stored: REDIS_STORED, missing: noRedis },
    {
      what: "graphile-worker on PostgreSQL",
      key: "over_graphile_default",
      rates: graphileDefault,
      stored: POSTGRES_STORED,
      missing: noPostgres,
    },
    {
      what: "the same, local queue and batched completion",
      key: "over_graphile_batched",
      rates: graphileBatched,
      stored: BATCHED_STORED,
      missing: noPostgres,
    },
  ];
}

function toReport(measured: Measured): Report {
  const { ours, echo, latenciesMs } = measured;
  const rate = median(ours.offered);
  const latencyMs = median(latenciesMs);
  const peers = peersOf(measured);
  const over = peers.flatMap(({ key, rates, missing: why }) =>
    why === undefined ? ratiosOf(key, ours, rates) : [],
  );
  return {
    rows: [
      {
        what: "tasks, offer to settled",
        value: `${withSpread(ours.offered)}/s`,
        beside: `limit 12,000; ${CONCURRENCY} at once, WEP in another process; heap watched as by wcp run, without its limit of new space; ${withSpread(ours.queued)}/s of tasks that were offered before; ${OURS_STORED}`,
      },
      {
        what: "bare Connect echo of the same messages",
        value: `${withSpread(echo)}/s`,
        beside: `${CONCURRENCY} at once, one stream, nothing stored`,
      },
      ...peers.map(peerRow),
      {
        what: "one task alone, p50",
        value: `${round(latencyMs, 2)} ms`,
        beside: `limit 2 ms; p99 ${round(percentile(latenciesMs, 0.99), 2)} ms`,
      },
    ],
    metrics: {
      tasks_per_s: Math.round(rate),
      share_of_echo: round(rate / median(echo), 3),
      added_latency_p50_ms: round(latencyMs, 2),
      ...Object.fromEntries(over),
    },
  };
}

/** Ours over a peer's, counted alike: from being handed in to done, and of those that waited before. */
function ratiosOf(key: string, ours: Rates, peer: Rates): (readonly [string, number])[] {
  return [
    [key, round(median(ours.offered) / median(peer.offered), 2)],
    [`${key}_queued`, round(median(ours.queued) / median(peer.queued), 2)],
  ];
}

function peerRow({ what, rates: { queued, offered }, stored, missing: why }: PeerFigures): Row {
  if (why !== undefined) return { what, value: "not measured", beside: why };
  return {
    what,
    value: `${withSpread(offered)}/s`,
    beside: `added while the worker works; ${withSpread(queued)}/s of jobs that were queued before; ${stored}`,
  };
}

function withSpread(values: readonly number[]): string {
  return `${Math.round(median(values))} (${Math.round(Math.min(...values))} to ${Math.round(Math.max(...values))})`;
}
