import { FakeClock } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import { ContractCaller } from "../src/adapters/evm/contract-caller.ts";
import { RpcError } from "../src/adapters/rpc/rpc-error.ts";
import { CallReverted, type Chain } from "../src/chain-ports.ts";
import { StoppedError } from "../src/ports.ts";
import { idOf } from "./_builders.ts";
import { captureLogs } from "./_logs.ts";
import { until } from "./_until.ts";

const ADDRESS = `0x${"11".repeat(20)}`;
/** An empty list of ids. */
const NONE = `0x${(32).toString(16).padStart(64, "0")}${"0".repeat(64)}`;

/** A caller whose chain gives these answers, one after the other, and the last for ever. */
function calling(...answers: readonly (string | Error)[]) {
  const clock = new FakeClock();
  const logs = captureLogs();
  const stop = new AbortController();
  let asked = 0;
  const call = async (): Promise<string> => {
    const answer = answers[Math.min(asked, answers.length - 1)] ?? "0x";
    asked += 1;
    if (typeof answer === "string") return answer;
    throw answer;
  };
  const caller = new ContractCaller({
    chain: { call } as unknown as Chain,
    wallet: ADDRESS,
    taskQueue: ADDRESS,
    multicall3: ADDRESS,
    clock,
    logger: logs.logger,
    signal: stop.signal,
  });
  return { caller, clock, logs, stop, asked: () => asked };
}

const FAULT = new RpcError(-32603, "Internal error", undefined);

describe("a read of the contract", () => {
  it("is made again after every error that is no answer, later and later", async () => {
    const { caller, clock, logs, asked } = calling(FAULT, new Error("no backend"), NONE);
    const reading = caller.held();
    await until(() => clock.pendingCount === 1);
    await clock.advance(500);
    await until(() => asked() === 2 && clock.pendingCount === 1);
    await clock.advance(1_000);
    expect(await reading).toEqual([]);
    expect([logs.at("warn").length, logs.at("error").length]).toEqual([1, 1]);
  });

  it("ends with the process", async () => {
    const { caller, clock, stop } = calling(FAULT);
    const reading = caller.activity(idOf(1));
    await until(() => clock.pendingCount === 1);
    stop.abort();
    await expect(reading).rejects.toThrow(StoppedError);
  });

  it("is not made again when the contract says no", async () => {
    const { caller, asked } = calling(new CallReverted({ name: "", message: "no" }));
    await expect(caller.held()).rejects.toThrow(CallReverted);
    expect(asked()).toBe(1);
  });
});
