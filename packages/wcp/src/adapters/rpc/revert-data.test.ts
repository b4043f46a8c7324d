import { describe, expect, it } from "vitest";
import { revertData } from "./revert-data.ts";

const DATA = "0x3f11087b0000000000000000000000000000000000000000000000000000000000000009";

describe("the data of a revert", () => {
  it.each<readonly [string, string, unknown]>([
    ["geth, reth, erigon, anvil", "execution reverted", DATA],
    ["geth with a reason", "execution reverted: nope", DATA],
    ["besu", "Execution reverted", DATA],
    ["nethermind and parity", "VM execution error.", `Reverted ${DATA}`],
    [
      "hardhat",
      "Error: VM Exception while processing transaction: reverted with an unrecognized custom error",
      { message: "reverted", data: DATA },
    ],
    [
      "ganache 7",
      "VM Exception while processing transaction: revert",
      { hash: null, programCounter: 12, result: DATA, message: "revert" },
    ],
    [
      "ganache 6",
      "VM Exception while processing transaction: revert",
      { [`0x${"ab".repeat(32)}`]: { error: "revert", return: DATA }, stack: "...", name: "RuntimeError" },
    ],
    ["a wallet's proxy", "Internal JSON-RPC error.", { code: 3, message: "execution reverted", data: DATA }],
    [
      "a proxy's proxy",
      "Internal JSON-RPC error.",
      { originalError: { code: 3, data: DATA, message: "execution reverted" } },
    ],
  ])("is found where %s puts it", (_client, message, data) => {
    expect(revertData(message, data)).toBe(DATA);
  });

  it.each<readonly [string, string, unknown]>([
    ["geth without data", "execution reverted", undefined],
    ["anvil without data", "execution reverted", "0x"],
    ["nethermind", "VM execution error.", "revert"],
    ["parity", "VM execution error.", "Bad instruction fe"],
    ["geth", "invalid opcode: INVALID", undefined],
    ["geth", "out of gas", undefined],
    ["geth's estimate", "gas required exceeds allowance (30000000)", undefined],
  ])("is empty, and a revert all the same, when %s says no more than that", (_client, message, data) => {
    expect(revertData(message, data)).toBe("0x");
  });

  it.each<readonly [string, unknown]>([
    ["header not found", undefined],
    ["method not found", undefined],
    ["rate limit exceeded", { see: "https://provider.example/limits" }],
    ["invalid argument 0: hex string has length 3, want 40", undefined],
    ["internal error", "0xnot hex"],
    ["internal error", null],
    ["internal error", 7],
    ["internal error", []],
  ])("is not there in %s", (message, data) => {
    expect(revertData(message, data)).toBeUndefined();
  });
});
