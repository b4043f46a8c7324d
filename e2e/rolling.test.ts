import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "@subnet-worker/kit";
import { expect, test } from "vitest";
import { startStreamNet, type StreamNet, type StreamNetOptions, type WepSeat } from "./_stream-net.ts";
import { until } from "./_until.ts";

const WEPS = 3;
const SLOTS = 6;
const NET = { weps: WEPS, slots: SLOTS, maxInflight: WEPS * SLOTS } as const;
const SERIES = "wcp_weps_connected";

async function startNet(changes: Partial<StreamNetOptions> = {}): Promise<StreamNet> {
  const net = await startStreamNet({ ...NET, ...changes });
  await Promise.all([...net.seats.map((seat) => seat.start()), net.startWcp()]);
  await net.wcp.untilReady();
  return net;
}

/** Keeps the node supplied with work, and counts it. */
class Load {
  readonly #net: StreamNet;
  readonly #over = new AbortController();
  readonly #done: Promise<void>;
  #count = 0;

  constructor(net: StreamNet) {
    this.#net = net;
    this.#done = this.#supply();
    this.#done.catch(() => undefined); // `end` rejects with it
  }

  /** How many activities there were in all. */
  async end(): Promise<number> {
    this.#over.abort();
    await this.#done;
    return this.#count;
  }

  async #supply(): Promise<void> {
    while (!this.#over.signal.aborted) {
      if (this.#count - (await this.#net.completed()) < 2 * NET.maxInflight) await this.#enqueue();
      else await systemClock.sleep(100, this.#over.signal);
    }
  }

  /** Runs of many lengths, so that some are under way at any moment. */
  async #enqueue(): Promise<void> {
    const wishes = Array.from({ length: NET.maxInflight }, (_, index) => ({
      number: this.#count + index,
      durationMs: 200 + (index % 7) * 300,
    }));
    await this.#net.requester.enqueue(wishes);
    this.#count += wishes.length;
  }
}

async function untilConnected(net: StreamNet, count: number): Promise<void> {
  await until(`${count} WEPs to be connected`, async () => (await net.metric(SERIES)) === count, {
    instead: () => net.wcp.stdout().slice(-3_000),
  });
}

/** It is in the middle of things: some of its runs have ended, and some have not. */
async function untilBusy({ wep }: WepSeat): Promise<void> {
  await until("the WEP to be busy", () => {
    const count = (wanted: string) => wep.lines().filter(({ msg }) => msg === wanted).length;
    return count("run ended") > 0 && count("run started") > count("run ended");
  });
}

/** Tells it to stop, waits until it has, and starts it again in the same place. */
async function roll(net: StreamNet, seat: WepSeat): Promise<void> {
  await untilBusy(seat);
  seat.wep.signal("SIGTERM");
  expect(await seat.wep.ended, seat.wep.stdout().slice(-3_000)).toBe(0);
  await seat.start();
  await untilConnected(net, WEPS);
}

async function expectAllDone(net: StreamNet, count: number): Promise<void> {
  await net.untilCompleted(count, 90_000);
  await net.untilIdle();
  expect(await net.audit()).toMatchObject({
    activities: count,
    completedOnce: count,
    duplicates: 0,
    lost: 0,
    failed: 0,
    expired: 0,
    wrongResults: 0,
    held: 0,
  });
  expect(net.starts().size).toBe(count);
}

function ranTwice(net: StreamNet): readonly (readonly [number, number])[] {
  return [...net.starts()].filter(([, starts]) => starts > 1);
}

/** Ends the WCP, starts it again in the same place, and waits until all WEPs do something for it. */
async function restartWcp(net: StreamNet, how: "SIGTERM" | "SIGKILL"): Promise<void> {
  const first = net.wcp;
  first.signal(how);
  expect(await first.ended, first.stdout().slice(-3_000)).toBe(how === "SIGTERM" ? 0 : how);
  await net.startWcp();
  await untilConnected(net, WEPS);
  await Promise.all(net.seats.map(untilBusy));
}

test("three WEPs and the WCP are restarted one after the other under load: nothing is lost, nothing runs twice", async () => {
  await using net = await startNet();
  const load = new Load(net);
  for (const seat of net.seats) {
    await roll(net, seat);
    await untilBusy(seat);
  }
  await restartWcp(net, "SIGTERM");
  // A WEP keeps what it has for the WCP, however that went.
  await restartWcp(net, "SIGKILL");
  await expectAllDone(net, await load.end());
  expect(ranTwice(net)).toEqual([]);
});

test("a WEP that is killed under load loses its runs and no more: they run again, and each completes once", async () => {
  await using net = await startNet();
  const load = new Load(net);
  const killed = seatOf(net, 0);
  await untilBusy(killed);
  killed.wep.signal("SIGKILL");
  await killed.wep.ended;
  const lines = killed.lines();
  const ids = (wanted: string) =>
    lines.filter(({ msg }) => msg === wanted).map(({ activity_id: id }) => String(id));
  const interrupted = new Set(ids("run started")).difference(new Set(ids("run ended")));
  await killed.start();
  await untilBusy(killed);
  await expectAllDone(net, await load.end());
  // Those whose results were on the way to the WCP may run again too; there are never more than it has slots.
  expect(ranTwice(net).length).toBeGreaterThanOrEqual(interrupted.size);
  expect(ranTwice(net).length).toBeLessThanOrEqual(SLOTS);
  expect(ranTwice(net).filter(([, starts]) => starts > 2)).toEqual([]);
});

test("WEPs come and go with the endpoints file, under load and without a restart", async () => {
  const file = "weps.txt";
  const changes = { wep_pool: { endpoints_file: file } };
  await using net = await startStreamNet({ ...NET, configured: 1, changes });
  const path = join(net.home.dir, file);
  const write = (seats: readonly WepSeat[]) =>
    writeFileSync(path, `# WEPs\n${seats.map(({ proxy }) => `${proxy.url}\n`).join("")}`);
  const [second, third] = [seatOf(net, 1), seatOf(net, 2)];
  write([]);
  await Promise.all([...net.seats.map((seat) => seat.start()), net.startWcp()]);
  await untilConnected(net, 1);
  const load = new Load(net);
  write([second]);
  await untilConnected(net, 2);
  await untilBusy(second);
  write([second, third]);
  await untilConnected(net, 3);
  await untilBusy(third);
  write([third]);
  await untilConnected(net, 2);
  await until("the removed WEP to be left alone", () => second.proxy.open === 0);
  const startedThere = () => second.lines().filter(({ msg }) => msg === "run started").length;
  const before = startedThere();
  await expectAllDone(net, await load.end());
  expect(startedThere()).toBe(before);
  expect(ranTwice(net)).toEqual([]);
});

function seatOf(net: StreamNet, index: number): WepSeat {
  const seat = net.seats[index];
  if (seat === undefined) throw new Error(`there is no WEP ${index}`);
  return seat;
}
