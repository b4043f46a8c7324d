import { fileURLToPath } from "node:url";
import { readFileSync } from "node:fs";
import { taskQueueInterface } from "@subnet-worker/contracts";
import { systemClock } from "@subnet-worker/kit";
import { expect, test } from "vitest";
import type { ChainEvent } from "./_anvil.ts";
import { startStreamNet, type StreamNet, type WepSeat } from "./_stream-net.ts";
import { until } from "./_until.ts";

const BUSY_HANDLERS = fileURLToPath(new URL("fixtures/busy-handlers.ts", import.meta.url));
const LEASE_S = 10;
/** `BUSY_S=6 pnpm test:e2e busy-handler` for a quick look. */
const BUSY_S = Number(process.env["BUSY_S"] ?? 60);
const FOR_EVER_MS = 3_600_000;

function startBusyNet(slots: number, wepEnv: Readonly<Record<string, string>> = {}): Promise<StreamNet> {
  return startStreamNet({
    weps: 1,
    slots,
    maxInflight: slots,
    handlers: BUSY_HANDLERS,
    leaseDurationS: LEASE_S,
    blockTimeS: 1,
    wepEnv,
  });
}

async function startAll(net: StreamNet): Promise<WepSeat> {
  const [seat] = net.seats;
  if (seat === undefined) throw new Error("there is no WEP");
  await Promise.all([seat.start(), net.startWcp()]);
  await net.wcp.untilReady();
  return seat;
}

async function eventsOf(net: StreamNet, activityId: string): Promise<readonly ChainEvent[]> {
  const events = await net.chain.anvil.events(net.chain.facts);
  return events.filter(({ args }) => args["activityId"] === activityId);
}

function count(events: readonly ChainEvent[], name: string): number {
  return events.filter((event) => event.name === name).length;
}

/** Seconds of CPU time since the process began, its threads included. */
function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100; // user and system time, in ticks of 10 ms
}

test(`a handler that spins for ${BUSY_S} s keeps its ${LEASE_S} s lease, and all else goes on beside it`, async () => {
  await using net = await startBusyNet(2);
  const seat = await startAll(net);
  await net.requester.enqueue([{ number: 1, durationMs: BUSY_S * 1_000 }]);
  const started = await seat.wep.find("the run to start", ({ msg }) => msg === "run started");
  const health = await seat.wep.healthUrl();

  // It begins after the spin has, and is over long before it.
  await net.requester.enqueue([{ number: 2, durationMs: 500 }]);
  await net.untilCompleted(1);
  expect(net.starts().get(2)).toBe(1);
  const askedMs = systemClock.monotonicMs();
  expect((await fetch(`${health}/healthz`)).status).toBe(200);
  expect(systemClock.monotonicMs() - askedMs).toBeLessThan(2_000);
  expect(count(await eventsOf(net, String(started.activity_id)), "ActivityCompleted")).toBe(0);

  await net.untilCompleted(2, BUSY_S * 1_000 + 30_000);
  const events = await eventsOf(net, String(started.activity_id));
  const counts = Object.fromEntries(
    Map.groupBy(events, ({ name }) => name)
      .entries()
      .map(([name, all]) => [name, all.length]),
  );
  expect(counts).toMatchObject({ ActivityClaimed: 1, ActivityCompleted: 1 });
  expect(counts).not.toHaveProperty("ActivityExpired");
  expect(counts["ActivityHeartbeat"] ?? 0).toBeGreaterThanOrEqual(Math.floor(BUSY_S / LEASE_S));
  expect([...net.starts()].toSorted(([a], [b]) => a - b)).toEqual([
    [1, 1],
    [2, 1],
  ]);
  // The stream was there all the time: the WCP dialled once.
  expect(seat.proxy.accepted).toBe(1);
  expect(seat.lines().filter(({ msg }) => msg?.startsWith("worker client disconnected"))).toEqual([]);
});

test("a handler that spins for ever is ended when its lease is lost, and its slot is free again", async () => {
  await using net = await startBusyNet(1);
  const seat = await startAll(net);
  await net.requester.enqueue([{ number: 1, durationMs: FOR_EVER_MS }]);
  const started = await seat.wep.find("the run to start", ({ msg }) => msg === "run started");
  const activityId = String(started.activity_id);
  await until("it to spin", () => isBusy(seat.wep.pid));

  await takeAway(net, activityId);
  await seat.wep.find("the cancel", (line) => line["reason"] === "lease_lost");
  await seat.wep.find(
    "the end of the run",
    (line) => line.msg === "run ended" && line.run_id === started.run_id,
  );
  await until("it to spin no more", async () => !(await isBusy(seat.wep.pid)));

  await net.requester.enqueue([{ number: 2, durationMs: 100 }]);
  await net.untilCompleted(1);
  expect([...net.starts()].toSorted(([a], [b]) => a - b)).toEqual([
    [1, 1],
    [2, 1],
  ]);
  expect(count(await eventsOf(net, activityId), "ActivityCompleted")).toBe(0);
});

/** Whether the process uses more than half a core now. */
async function isBusy(pid: number): Promise<boolean> {
  const [cpuS, nowMs] = [cpuSeconds(pid), systemClock.monotonicMs()];
  await systemClock.sleep(1_000);
  return (cpuSeconds(pid) - cpuS) / ((systemClock.monotonicMs() - nowMs) / 1_000) > 0.5;
}

/** The chain's time jumps beyond the lease, and somebody else has the activity before its worker can renew it. */
async function takeAway(net: StreamNet, activityId: string): Promise<void> {
  const { anvil, facts } = net.chain;
  const rival = await net.chain.worker();
  await anvil.rpc("evm_setIntervalMining", [0]);
  await anvil.rpc("evm_increaseTime", [LEASE_S + 1]);
  await anvil.rpc("anvil_impersonateAccount", [rival.address]);
  // What its worker has sent meanwhile comes too late in the block.
  await anvil.rpc("eth_sendTransaction", [
    {
      from: rival.address,
      to: facts.taskQueue,
      data: taskQueueInterface.encodeFunctionData("claimActivity", [activityId]),
      gas: "0x7a120",
      maxFeePerGas: "0x2540be400",
      maxPriorityFeePerGas: "0x2540be400",
    },
  ]);
  await anvil.rpc("evm_mine");
  const taken = (await eventsOf(net, activityId)).filter(({ name }) => name === "ActivityClaimed");
  expect(taken.map(({ args }) => String(args["worker"]))).toContain(rival.address);
  await anvil.rpc("evm_setIntervalMining", [1]);
}
