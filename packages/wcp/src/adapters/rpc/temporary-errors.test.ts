import { describe, expect, it } from "vitest";
import { backoffIn, isUnknownMethod, temporaryKind } from "./temporary-errors.ts";

const DATA = "0x3f11087b0000000000000000000000000000000000000000000000000000000000000009";

type Saying = readonly [client: string, code: number, message: string];

const SAYINGS: Readonly<Record<NonNullable<ReturnType<typeof temporaryKind>>, readonly Saying[]>> = {
  limit: [
    ["alchemy", 429, "Your app has exceeded its compute units per second capacity."],
    ["alchemy", 429, "Your app has exceeded its concurrent requests capacity."],
    ["infura", -32005, "daily request count exceeded, request rate limited"],
    ["infura", -32005, "project ID request rate exceeded"],
    [
      "quicknode",
      -32007,
      "50/second request limit reached - reduce calls per second or upgrade your account",
    ],
    ["ankr", -32090, "Too many requests, reason: call rate limit exhausted"],
    ["chainstack", -32005, "You've exceeded the RPS limit available on the current plan."],
    ["cloudflare", -32005, "rate limit exceeded"],
  ],
  no_block: [
    ["geth behind a balancer", -32000, "header not found"],
    ["geth", -32000, "header for hash not found"],
    ["geth", -32602, "block range extends beyond current head block"],
    ["besu", -39001, "Unknown block"],
    ["besu", -32000, "Block not found"],
    ["anvil", -32602, "BlockOutOfRangeError: block height is 1 but requested was 5"],
  ],
  gone: [
    ["erigon", -32000, "missing trie node 0xabc (path )"],
    ["geth", -32000, "historical state 0xabc is not available"],
    ["geth", -32000, "state 0xabc is not available, not found"],
    ["reth", -32000, "state at block #12 is pruned"],
    ["nethermind", -32000, "No state available for block 0xabc"],
    ["infura", -32002, "project ID does not have access to archive state"],
    ["besu", -32000, "World state unavailable"],
  ],
  fault: [
    ["anybody", -32603, "Internal error"],
    ["a gateway", -32000, "server error"],
    ["geth", -32000, "service is shutting down"],
    ["a gateway", -32603, "Internal JSON-RPC error."],
  ],
  busy: [
    ["geth", -32002, "request timed out"],
    ["nethermind", -32000, "node is syncing"],
    ["besu", -32603, "Timeout expired"],
    ["besu", -32008, "Initial sync is still in progress"],
    ["base's public endpoint", -32011, "no backend is currently healthy to serve traffic"],
    ["a gateway", -32603, "service temporarily unavailable"],
  ],
};

describe("an error that passes by itself", () => {
  for (const [kind, sayings] of Object.entries(SAYINGS)) {
    it.each(sayings)(`is "${kind}" when %s says (%i) "%s"`, (_client, code, message) => {
      expect(temporaryKind({ code, message, data: undefined })).toBe(kind);
    });
  }

  it.each<readonly [string, number, string, unknown]>([
    [
      "a method that is not there",
      -32601,
      "the method eth_foo does not exist/is not available here",
      undefined,
    ],
    ["a bad parameter", -32602, "invalid argument 0: json: cannot unmarshal", undefined],
    ["a limit of gas", -32000, "block gas limit exceeded", undefined],
    ["what the EVM stopped at", -32603, "EVM error InvalidFEOpcode", undefined],
    [
      "a refusal in the words of a fault",
      -32603,
      "Internal error: insufficient funds for gas * price + value",
      undefined,
    ],
    ["a revert under that code", -32603, "Internal error: execution reverted", undefined],
    ["a revert that asks to try again later", 3, "execution reverted: rate limit, try again later", DATA],
    ["a revert without data that does", -32000, "execution reverted: try again", undefined],
    ["a revert that speaks of blocks", 3, "execution reverted: unknown block", DATA],
  ])("is not %s", (...[, code, message, data]) => {
    expect(temporaryKind({ code, message, data })).toBeUndefined();
  });

  it("may say in its data for how long, as Infura's does", () => {
    expect(backoffIn({ rate: { allowed_rps: 1, backoff_seconds: 30, current_rps: 1.4 } })).toBe(30_000);
    for (const data of [undefined, null, "", {}, { rate: null }, { rate: { backoff_seconds: "30" } }]) {
      expect(backoffIn(data)).toBeUndefined();
    }
    expect(backoffIn({ rate: { backoff_seconds: 0 } })).toBeUndefined();
  });
});

describe("a method that an endpoint does not know", () => {
  it.each<Saying>([
    ["geth", -32601, "the method eth_feeHistory does not exist/is not available"],
    ["anvil", -32601, "Method not found"],
    ["besu", -32604, "Method not enabled"],
    ["alchemy", -32600, "Unsupported method: eth_maxPriorityFeePerGas on ETH_MAINNET"],
    ["quicknode", -32000, "The method eth_maxPriorityFeePerGas is not available on this plan"],
    ["a gateway", 403, "rpc method is not whitelisted"],
  ])("is told by %s (%i) with %s", (_client, code, message) => {
    expect(isUnknownMethod({ code, message, data: undefined })).toBe(true);
  });

  it("is not one that it could not answer this time", () => {
    for (const message of ["header not found", "request timed out", "invalid argument 0"]) {
      expect(isUnknownMethod({ code: -32000, message, data: undefined })).toBe(false);
    }
  });
});
