import { EXIT, StartupError } from "@subnet-worker/kit";
import { createDeferred, FakeClock } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import { type Gate, type GateVerdict, StoppedError } from "../src/ports.ts";
import { Gates } from "../src/services/gates.ts";
import { captureLogs } from "./_logs.ts";
import { settle } from "./_until.ts";

const OPEN: GateVerdict = { kind: "open" };
const OPTIONS = { retryMs: 1_000, recheckMs: 30_000 };

/** Gates whose verdicts the test writes down; each answers its last one for ever. */
function createGates(verdicts: Readonly<Record<string, GateVerdict[]>>) {
  const clock = new FakeClock();
  const logs = captureLogs();
  const asked: string[] = [];
  const gates = Object.entries(verdicts).map(([name, answers]): Gate => ({
    name,
    check: async () => {
      asked.push(name);
      return (answers.length > 1 ? answers.shift() : answers[0]) ?? OPEN;
    },
  }));
  return { clock, logs, asked, gates: new Gates(OPTIONS, { gates, clock, logger: logs.logger }) };
}

describe("gates", () => {
  it("are passed in order, and the node is not ready before the last", async () => {
    const { gates, asked, logs } = createGates({ FIRST: [OPEN], SECOND: [OPEN] });
    expect(gates.notReady()).toEqual(["start-up checks are not done yet"]);
    await gates.pass(new AbortController().signal);
    expect(asked).toEqual(["FIRST", "SECOND"]);
    expect(gates.notReady()).toEqual([]);
    expect(logs.at("info")).toEqual(["start-up checks passed"]);
  });

  it("that may open are waited for, with one word in the log and the reason for the operator", async () => {
    const closed: GateVerdict = { kind: "wait", reason: "the RPC endpoint does not answer" };
    const { gates, clock, logs, asked } = createGates({ RPC: [closed, closed, closed, OPEN], NEXT: [OPEN] });
    const passed = gates.pass(new AbortController().signal);
    await settle();
    expect(gates.notReady()).toEqual(["the RPC endpoint does not answer"]);
    await clock.advance(2_000);
    expect(asked).toEqual(["RPC", "RPC", "RPC"]);
    await clock.advance(1_000);
    await passed;
    expect(logs.at("warn")).toEqual(["the RPC endpoint does not answer"]);
    expect(gates.notReady()).toEqual([]);
  });

  it("that cannot be looked at are waited for: at the start and later the endpoint's fault ends nothing", async () => {
    const clock = new FakeClock();
    const { logger } = captureLogs();
    let faults = 1;
    const check = async (): Promise<GateVerdict> => {
      if (faults > 0) throw new Error("Internal error");
      return OPEN;
    };
    const gates = new Gates(OPTIONS, { gates: [{ name: "CHAIN", check }], clock, logger });
    const stop = new AbortController();
    const passed = gates.pass(stop.signal);
    await settle();
    expect(gates.notReady()).toEqual(["CHAIN could not be checked (Internal error); trying again"]);
    faults = 0;
    await clock.advance(1_000);
    await passed;
    const running = gates.run(stop.signal);
    faults = 1;
    await clock.advance(30_000);
    expect(gates.notReady()).toHaveLength(1);
    faults = 0;
    await clock.advance(1_000);
    expect(gates.notReady()).toEqual([]);
    stop.abort();
    await running;
  });

  it("tell each new reason", async () => {
    const wait = (reason: string): GateVerdict => ({ kind: "wait", reason });
    const { gates, clock, logs } = createGates({ GATE: [wait("one"), wait("two"), wait("two"), OPEN] });
    const passed = gates.pass(new AbortController().signal);
    await clock.advance(5_000);
    await passed;
    expect(logs.at("warn")).toEqual(["one", "two"]);
  });

  it("that only the configuration can open end the process at the start, with what to do", async () => {
    const { gates, asked } = createGates({
      CHAIN_ID: [{ kind: "refuse", reason: "correct chain_id" }],
      NEXT: [OPEN],
    });
    const passed = gates.pass(new AbortController().signal);
    await expect(passed).rejects.toThrow("[CHAIN_ID] correct chain_id");
    await expect(passed).rejects.toMatchObject({ exitCode: EXIT.badConfig });
    await expect(passed).rejects.toBeInstanceOf(StartupError);
    expect(asked).toEqual(["CHAIN_ID"]);
  });

  it.each<GateVerdict>([
    { kind: "wait", reason: "the worker is suspended" },
    { kind: "refuse", reason: "the contracts were upgraded" },
  ])("that close later ($kind) hold claims until they open again, and end nothing", async (closed) => {
    const { gates, clock } = createGates({ GATE: [OPEN, OPEN, closed, closed, OPEN] });
    const stop = new AbortController();
    await gates.pass(stop.signal);
    const running = gates.run(stop.signal);
    await clock.advance(30_000);
    expect(gates.notReady()).toEqual([]);
    await clock.advance(30_000);
    expect(gates.notReady()).toEqual(["reason" in closed ? closed.reason : ""]);
    await clock.advance(2_000);
    expect(gates.notReady()).toEqual([]);
    stop.abort();
    await running;
  });

  it("are waited for no longer when the process is stopping", async () => {
    const { gates, asked } = createGates({ GATE: [{ kind: "wait", reason: "later" }] });
    const stop = new AbortController();
    const passed = gates.pass(stop.signal);
    await settle();
    stop.abort();
    await passed;
    expect(asked).toEqual(["GATE"]);
    expect(gates.notReady()).toEqual(["later"]);
  });

  it("that hold let the node start and settle, and say why it claims nothing, once", async () => {
    const hold: GateVerdict = { kind: "hold", reason: "the worker is deactivated" };
    const { gates, clock, logs, asked } = createGates({ WORKER: [hold, hold, OPEN], NEXT: [OPEN] });
    const stop = new AbortController();
    await gates.pass(stop.signal);
    expect(asked).toEqual(["WORKER", "NEXT"]);
    expect(gates.notReady()).toEqual(["the worker is deactivated"]);
    const running = gates.run(stop.signal);
    await clock.advance(30_000);
    expect(gates.notReady()).toEqual(["the worker is deactivated"]);
    await clock.advance(30_000);
    expect(gates.notReady()).toEqual([]);
    expect(logs.at("warn")).toEqual(["the worker is deactivated"]);
    stop.abort();
    await running;
  });

  it.each([
    ["once, when the endpoints tell it themselves", ["endpoint a is down"], []],
    ["when the endpoints have nothing to say", [], ["the endpoint does not answer"]],
  ])("tell of endpoint trouble %s", async (_, told, expected) => {
    const clock = new FakeClock();
    const verdict: GateVerdict = {
      kind: "wait",
      reason: "the endpoint does not answer",
      isEndpointTrouble: true,
    };
    const gates = new Gates(OPTIONS, {
      gates: [{ name: "RPC", check: async () => verdict }],
      clock,
      logger: captureLogs().logger,
      endpointReasons: () => told,
    });
    const stop = new AbortController();
    const passed = gates.pass(stop.signal);
    await settle();
    expect(gates.notReady()).toEqual(expected);
    stop.abort();
    await passed;
  });

  it("pass on that the process is stopping", async () => {
    const asked = createDeferred<GateVerdict>();
    const { clock, logs } = createGates({});
    const gates = new Gates(OPTIONS, {
      gates: [{ name: "RPC", check: () => asked.promise }],
      clock,
      logger: logs.logger,
    });
    const passed = gates.pass(new AbortController().signal);
    asked.reject(new StoppedError());
    await expect(passed).rejects.toBeInstanceOf(StoppedError);
  });
});
