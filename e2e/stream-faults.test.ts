import { systemClock } from "@subnet-worker/kit";
import { expect, test } from "vitest";
import type { Alive } from "./_leak-probe.ts";
import type { LogLine } from "./_logs.ts";
import { createRandom } from "./_random.ts";
import { startStreamNet, type StreamNet, type WepSeat } from "./_stream-net.ts";
import { CLEAR, STALLED, type StreamWeather } from "./_stream-proxy.ts";
import { startStreamStorm } from "./_stream-storm.ts";
import { until } from "./_until.ts";

/** `STREAM_TASKS=10000 STREAM_SEED=7 pnpm test:e2e stream-faults` for a longer one, or another. */
const TASKS = Number(process.env["STREAM_TASKS"] ?? 1_000);
const SEED = Number(process.env["STREAM_SEED"] ?? 20_261_121);
const WEPS = 2;
const SLOTS = 64;
const WARM_UP = 50;
/** Short beside the storm's faults, so that they are found; long beside this machine's hiccups. */
const POOL = { ping_interval: "500ms", silence: "2500ms" };

interface Stats {
  readonly wcp: Alive;
  readonly weps: readonly Alive[];
}

test(
  `${TASKS} tasks settle once each, and run once each, while their streams fail in every way`,
  {
    timeout: 240_000 + TASKS * 100,
  },
  async () => {
    await using net = await startStreamNet({
      weps: WEPS,
      slots: SLOTS,
      maxInflight: WEPS * SLOTS,
      blockTimeS: 1,
      batching: true,
      changes: { wep_pool: POOL },
    });
    const random = createRandom(SEED);
    await Promise.all([...net.seats.map((seat) => seat.start()), net.startWcp()]);
    await net.wcp.untilReady();
    await runTasks(net, { from: 0, count: WARM_UP, mostMs: 200 });
    await untilQuiet(net);
    const before = await look(net);

    const storms = net.seats.map(({ proxy }) =>
      startStreamStorm(proxy, { random: random.fork(), mostClearMs: 3_000, mostFaultMs: 4_000 }),
    );
    const startedMs = systemClock.monotonicMs();
    await runTasks(net, { from: WARM_UP, count: TASKS, mostMs: 1_500 });
    const tookMs = systemClock.monotonicMs() - startedMs;
    await Promise.all(storms.map((storm) => storm.end()));
    const faults = storms.map(({ counts }) => Object.fromEntries(counts));
    const told = JSON.stringify({ seed: SEED, tookMs: Math.round(tookMs), faults });
    process.stderr.write(`${told}\n`);

    await untilQuiet(net);
    const audit = await net.audit();
    const all = WARM_UP + TASKS;
    expect(audit, told).toMatchObject({
      activities: all,
      completedOnce: all,
      duplicates: 0,
      lost: 0,
      failed: 0,
      expired: 0,
      wrongResults: 0,
      held: 0,
    });
    const twice = [...net.starts()].filter(([, count]) => count !== 1);
    expect(twice, `handlers that ran more than once; ${told}\n${storyOfRepeated(net)}`).toEqual([]);
    expect(net.starts().size).toBe(all);
    await expectNoLeak(net, before);
  },
);

/** What the WEPs and the WCP said of the first activity that was started more than once, and of their streams. */
function storyOfRepeated(net: StreamNet): string {
  const lines = net.seats.flatMap((seat) => seat.lines());
  const starts = Map.groupBy(
    lines.filter(({ msg }) => msg === "run started"),
    ({ activity_id: id }) => id,
  );
  const repeated = starts.entries().find(([, all]) => all.length > 1)?.[0];
  const isAbout = (line: LogLine) =>
    line.activity_id === repeated ||
    hasLeft(line.msg) ||
    line.msg === "worker client connected" ||
    line["wep"] !== undefined;
  return [...lines, ...net.wcp.lines()]
    .filter(isAbout)
    .toSorted((a, b) => String(a["time"]).localeCompare(String(b["time"])))
    .map((line) => JSON.stringify(line))
    .join("\n");
}

/** Enqueues activities, and returns when the chain has them all as completed. */
async function runTasks(
  net: StreamNet,
  options: { readonly from: number; readonly count: number; readonly mostMs: number },
): Promise<void> {
  const { from, count, mostMs } = options;
  const random = createRandom(SEED + from);
  const wishes = Array.from({ length: count }, (_, index) => ({
    number: from + index,
    durationMs: random.between(1, mostMs),
  }));
  await net.requester.enqueue(wishes);
  await net.untilCompleted(from + count, 60_000 + count * 90);
}

/** Nothing is under way, and each WEP has one stream and owes nothing. */
async function untilQuiet(net: StreamNet): Promise<void> {
  await net.untilIdle();
  const quiet = net.seats.map(() => ({ streams: 1, unacknowledged: 0, busy: 0, open: 1, orphaned: 0 }));
  const readAll = () => Promise.all(net.seats.map(readSeat));
  let seen = await readAll();
  await until(
    "one stream at each WEP, and nothing under way",
    async () => {
      seen = await readAll();
      return JSON.stringify(seen) === JSON.stringify(quiet);
    },
    {
      // Orphans are found by HTTP/2 pings of the WEP.
      withinMs: 60_000,
      instead: () =>
        [JSON.stringify(seen), ...net.seats.map(({ wep }) => wep.stdout().slice(-2_000))].join("\n"),
    },
  );
}

async function readSeat({ proxy, wep }: WepSeat) {
  const text = await (await fetch(`${await wep.healthUrl()}/metrics`)).text();
  const value = (series: string) => Number(new RegExp(`^${series} (\\S+)$`, "m").exec(text)?.[1]);
  return {
    streams: value("wep_streams"),
    unacknowledged: value("wep_completions_unacknowledged"),
    busy: value('wep_slots\\{state="busy"\\}'),
    open: proxy.open,
    orphaned: proxy.orphaned,
  };
}

async function look(net: StreamNet): Promise<Stats> {
  return {
    wcp: await net.wcpProbe.look(net.wcp),
    weps: await Promise.all(net.seats.map(({ probe, wep }) => probe.look(wep))),
  };
}

/** What may be more than at the start: the moment of looking, and connections to the chain that are kept for a while. */
const SLACK = { timers: 12, sockets: 8, duplexes: 8, abortSignals: 40, fdSockets: 8, threads: 4 } as const;
/** Caches, compiled code, histograms: they do not grow with the number of tasks. */
const HEAP_SLACK_BYTES = 16 * 2 ** 20;
const RSS_SLACK_BYTES = 150 * 2 ** 20;

async function expectNoLeak(net: StreamNet, before: Stats): Promise<void> {
  let after = await look(net);
  const excesses = () => [
    ...excessOf("wcp", before.wcp, after.wcp),
    ...after.weps.flatMap((alive, index) => excessOf(`wep-${index}`, before.weps[index] ?? alive, alive)),
  ];
  // What is kept for a while goes within it.
  await until(
    "as much to be alive as at the start",
    async () => {
      after = await look(net);
      return excesses().length === 0;
    },
    {
      withinMs: 30_000,
      instead: () => `${excesses().join("\n")}\n${JSON.stringify({ before, after })}`,
    },
  );
  process.stderr.write(`${JSON.stringify({ before, after })}\n`);
}

function excessOf(name: string, before: Alive, after: Alive): readonly string[] {
  const limits = {
    ...SLACK,
    heapUsed: HEAP_SLACK_BYTES,
    external: HEAP_SLACK_BYTES,
    rss: RSS_SLACK_BYTES,
  };
  return (Object.keys(limits) as (keyof typeof limits)[]).flatMap((key) =>
    after[key] > before[key] + limits[key] ? [`${name}: ${key} were ${before[key]}, are ${after[key]}`] : [],
  );
}

/** What the issue promises of a peer that is gone without a word. */
const FOUND_WITHIN_MS = 10_000;
/** For a machine that is busy with other tests. */
const NOISE_MS = 2_000;
/** Longer than all of it takes. */
const LONG_RUN_MS = 16_000;

const DEATHS: readonly { readonly what: string; readonly weather: StreamWeather }[] = [
  { what: "both directions", weather: STALLED },
  { what: "the direction to the WEP", weather: { ...CLEAR, toWep: "swallowed" } },
  { what: "the direction to the WCP", weather: { ...CLEAR, toWcp: "swallowed" } },
];

test("a connection that went dead, both ways or one way, is found by both sides within 10 s, and its run goes on", async () => {
  await using net = await startStreamNet({ weps: DEATHS.length, slots: 1, maxInflight: DEATHS.length });
  await Promise.all([...net.seats.map((seat) => seat.start()), net.startWcp()]);
  await until("all WEPs to be connected", async () => (await net.metric("wcp_weps_connected")) === 3);
  const wishes = DEATHS.map((_, number) => ({ number, durationMs: LONG_RUN_MS }));
  await net.requester.enqueue(wishes);
  await Promise.all(
    net.seats.map(({ wep }) => wep.find("the run to start", ({ msg }) => msg === "run started")),
  );

  const found = await Promise.all(DEATHS.map(({ weather }, index) => findDead(net.seats[index]!, weather)));
  const told = JSON.stringify(DEATHS.map(({ what }, index) => ({ what, ...found[index] })));
  process.stderr.write(`${told}\n`);
  for (const { wcpMs, wepMs } of found) {
    expect(wcpMs, told).toBeLessThan(FOUND_WITHIN_MS + NOISE_MS);
    expect(wepMs, told).toBeLessThan(FOUND_WITHIN_MS + NOISE_MS);
  }
  await net.untilCompleted(DEATHS.length);
  expect([...net.starts().values()]).toEqual(DEATHS.map(() => 1));
});

function hasLeft(msg: string | undefined): boolean {
  return msg?.startsWith("worker client disconnected") === true;
}

/** How long each side takes to give the connection up, and that the run is found on the next one. */
async function findDead({ proxy, wep }: WepSeat, weather: StreamWeather) {
  const dialled = proxy.accepted;
  const startMs = systemClock.monotonicMs();
  const sinceStart = () => Math.round(systemClock.monotonicMs() - startMs);
  proxy.setWeather(weather, false);
  const [wcpMs, wepMs] = await Promise.all([
    until("the WCP to dial again", () => proxy.accepted > dialled).then(sinceStart),
    wep.find("the WEP to drop the dead stream", ({ msg }) => hasLeft(msg)).then(sinceStart),
  ]);
  await wep.find("the run to be found again", ({ msg }) => msg === "run re-attached");
  return { wcpMs, wepMs };
}
