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
/** Open at once: as many again wait for a slot, as jobs do in the peers' queues. */
const OPEN = 2 * CONCURRENCY;
const WARM_UP = 20_000;
const LATENCIES = 500;
const ROUNDS = 3;

/** The whole way between the processes, with a handler that does nothing. */
export const benchmark: Benchmark = {
  about:
    "tasks per second from WCP to WEP and back, persistence on, beside a bare echo, BullMQ and graphile-worker",
  run,
};

interface Ours {
  readonly perSecond: readonly number[];
  readonly latenciesMs: readonly number[];
}

/** Jobs per second; the better of the two ways to count it is what ours is held against. */
interface PeerRates {
  readonly queued: readonly number[];
  readonly offered: readonly number[];
}

async function run(): Promise<Report> {
  const [ours, echo, bullmq, graphileDefault, graphileBatched] = [
    { perSecond: [] as number[], latenciesMs: [] as number[] },
    [] as number[],
    emptyRates(),
    emptyRates(),
    emptyRates(),
  ];
  const [noRedis, noPostgres] = [missing("redis-server"), missing("postgresql")];
  // In turn: whatever else the machine does slows all of them.
  for (let turn = 0; turn < ROUNDS; turn += 1) {
    echo.push(await runEcho(TASKS, CONCURRENCY));
    const measured = await measureOurs();
    ours.perSecond.push(...measured.perSecond);
    ours.latenciesMs.push(...measured.latenciesMs);
    if (noRedis === undefined) await measurePeer(await startBullMq({ concurrency: CONCURRENCY }), bullmq);
    if (noPostgres !== undefined) continue;
    const graphile = { concurrency: CONCURRENCY };
    await measurePeer(await startGraphile({ ...graphile, mode: "default" }), graphileDefault);
    await measurePeer(await startGraphile({ ...graphile, mode: "batched" }), graphileBatched);
  }
  return toReport({ ours, echo, bullmq, graphileDefault, graphileBatched, notes: [noRedis, noPostgres] });
}

function emptyRates(): { readonly queued: number[]; readonly offered: number[] } {
  return { queued: [], offered: [] };
}

async function measureOurs(): Promise<Ours> {
  await using node = await startOurNode({ slots: CONCURRENCY });
  await node.run(WARM_UP, OPEN);
  const perSecond = [await node.run(TASKS, OPEN)];
  return { perSecond, latenciesMs: await node.latencies(LATENCIES) };
}

async function measurePeer(peer: Peer, rates: ReturnType<typeof emptyRates>): Promise<void> {
  await using started = peer;
  await started.queued(WARM_UP);
  rates.queued.push(await started.queued(TASKS));
  rates.offered.push(await started.offered(TASKS));
}

interface Measured {
  readonly ours: Ours;
  readonly echo: readonly number[];
  readonly bullmq: PeerRates;
  readonly graphileDefault: PeerRates;
  readonly graphileBatched: PeerRates;
  /** Why a peer is missing. */
  readonly notes: readonly (string | undefined)[];
}

const median = (values: readonly number[]) => percentile(values, 0.5);

function toReport(measured: Measured): Report {
  const { ours, echo } = measured;
  const rate = median(ours.perSecond);
  const latencyMs = median(ours.latenciesMs);
  const peers = [
    ["BullMQ on Redis", "over_bullmq", measured.bullmq, measured.notes[0]],
    ["graphile-worker on PostgreSQL", "over_graphile_default", measured.graphileDefault, measured.notes[1]],
    [
      "the same, local queue and batched completion",
      "over_graphile_batched",
      measured.graphileBatched,
      measured.notes[1],
    ],
  ] as const;
  const over = peers.flatMap(([, key, rates, why]) =>
    why === undefined ? [[key, round(rate / bestOf(rates), 2)] as const] : [],
  );
  return {
    rows: [
      {
        what: "tasks, offer to settled",
        value: `${withSpread(ours.perSecond)}/s`,
        beside: `limit 12,000; ${CONCURRENCY} at once, every step on disk before the next, WEP in another process`,
      },
      {
        what: "bare Connect echo of the same messages",
        value: `${withSpread(echo)}/s`,
        beside: `${CONCURRENCY} at once, one stream, nothing stored`,
      },
      ...peers.map(([what, , rates, why]) => peerRow(what, rates, why)),
      {
        what: "one task alone, p50",
        value: `${round(latencyMs, 2)} ms`,
        beside: `limit 2 ms; p99 ${round(percentile(ours.latenciesMs, 0.99), 2)} ms`,
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

function bestOf({ queued, offered }: PeerRates): number {
  return Math.max(median(queued), median(offered));
}

function peerRow(what: string, { queued, offered }: PeerRates, why: string | undefined): Row {
  if (why !== undefined) return { what, value: "not measured", beside: why };
  return {
    what,
    value: `${withSpread(offered)}/s`,
    beside: `added while the worker works; ${withSpread(queued)}/s of jobs that were queued before`,
  };
}

function withSpread(values: readonly number[]): string {
  return `${Math.round(median(values))} (${Math.round(Math.min(...values))} to ${Math.round(Math.max(...values))})`;
}
