import { describe, expect, it } from "vitest";
import { asLogRangeTooWide } from "./log-range.ts";

interface Saying {
  readonly vendor: string;
  readonly message: string;
  readonly maxBlocks: number | undefined;
  readonly data: unknown;
}

/** What endpoints answer to an eth_getLogs that wants too much, as recorded. */
const SAYINGS = [
  [
    "alchemy",
    "Log response size exceeded. You can make eth_getLogs requests with up to a 2K block range and no limit on the response size, or you can request any block range with a cap of 10K logs in the response. Based on your parameters and the response size limit, this block range should work: [0x64, 0xc7]",
    100,
  ],
  [
    "alchemy's free tier",
    "Under the Free tier plan, you can make eth_getLogs requests with up to a 10 block range. Based on your parameters, this block range should work: [0x123c9b2, 0x123c9bb]. Upgrade to PAYG for expanded block range.",
    10,
  ],
  [
    "alchemy",
    "You can make eth_getLogs requests with up to a 500 block range. Based on your parameters, this block range should work: [0x123c9b2, 0x123cba5]",
    500,
  ],
  ["infura", "query returned more than 10000 results. Try with this block range [0x9B6A, 0x9B8C].", 35],
  ["infura", "range 1000000 exceeds limit of 10000", 10_000],
  ["quicknode", "eth_getLogs is limited to a 10,000 range", 10_000],
  ["quicknode", "eth_getLogs and eth_newFilter are limited to a 10,000 blocks range", 10_000],
  ["ankr", "block range is too wide", undefined],
  ["ankr", "query exceeds max results 20000, retry with the range 24383075-24383096", 22],
  ["ankr", "maximum [from, to] blocks distance: 1000", 1_000],
  [
    "chainstack",
    "Block range limit exceeded. See more details at https://docs.chainstack.com/docs/limits#evm-range-limits",
    undefined,
  ],
  ["drpc", "ranges over 10000 blocks are not supported on freetier", 10_000],
  ["drpc", "ranges over 10000 blocks are not supported on free plan", 10_000],
  [
    "blockpi",
    "eth_getLogs is limited to 1024 block range. Please check the parameter requirements at https://docs.blockpi.io",
    1_024,
  ],
  ["cloudflare", "invalid block range. Max range: 800", 800],
  ["publicnode", "exceed maximum block range: 50000", 50_000],
  ["base", "block range too large", undefined],
  ["coinbase", "please limit the query to at most 1,000 blocks", 1_000],
  ["1rpc", "eth_getLogs is limited to 0 - 50 blocks range", 50],
  ["1rpc", "response size should not greater than 10000000 bytes", undefined],
  ["blast", "exceeds the range allowed for your plan (5000 > 500).", 500],
  ["merkle", "eth_getLogs range is too large, max is 1k blocks", 1_000],
  ["tenderly", "invalid params", 2_000, { payload: "range 9009594 is bigger than range limit 2000" }],
  ["tenderly", "query returned more than 20000 results", undefined],
  ["thirdweb", "Maximum allowed number of requested blocks is 3500", 3_500],
  ["geth", "query returned more than 10000 results", undefined],
  [
    "geth of morph",
    "block range is larger than max block range, block range = 5120, max block range = 5000",
    5_000,
  ],
  ["erigon of swell", "block range greater than 20000 max", 20_000],
  ["reth", "query exceeds max block range 100000", 100_000],
  ["reth", "query exceeds max results 20000, retry with the range 21000000-21000420", 421],
  ["besu", "Requested range exceeds maximum RPC range limit", undefined],
  ["nethermind", "Too many logs requested. Max logs per response is 20000.", undefined],
  ["op-stack's proxyd", "backend response too large", undefined],
  ["op-stack's proxyd", "Block range is too large", undefined],
  ["arbitrum", "logs matched by query exceeds limit of 10000", undefined],
  ["avalanche", "requested too many blocks from 0 to 3000, maximum is set to 2048", 2_048],
  ["zksync", "Query returned more than 10000 results. Try with this block range [0x1, 0x64].", 100],
  ["somnia", "block range exceeds 1000", 1_000],
  ["harmony", "query must be smaller than size 1024", 1_024],
  ["moonbeam", "block range is too wide (maximum 1024)", 1_024],
  ["aurora", "You can make eth_getLogs requests with up to a 2,000 block range", 2_000],
  ["candle", "block range too high", undefined],
  ["a gateway", "Block range too large; currently limited to 100 blocks", 100],
] as const satisfies readonly (readonly [string, string, number | undefined, unknown?])[];

describe("a range of logs that is too wide", () => {
  const sayings = SAYINGS.map(([vendor, message, maxBlocks, data]): Saying => ({
    vendor,
    message,
    maxBlocks,
    data,
  }));

  it.each(sayings)("is told by $vendor: $message", ({ message, maxBlocks, data }) => {
    const error = asLogRangeTooWide({ message, data });
    expect(error?.name).toBe("LogRangeTooWide");
    expect(error?.maxBlocks).toBe(maxBlocks);
    expect(error?.message).toContain(message);
  });

  it.each<readonly [what: string, message: string, data: unknown]>([
    ["a node that has not got them yet", "block range extends beyond current head block", undefined],
    ["a range that is upside down", "invalid block range params", undefined],
    [
      "a rate limit",
      "50/second request limit reached - reduce calls per second or upgrade your account",
      undefined,
    ],
    ["another rate limit", "rate limit exceeded", { rate: { backoff_seconds: 1 } }],
    ["a bad topic", "invalid argument 0: hex string has length 3, want 64", null],
    ["too many topics", "exceed max topics", undefined],
    ["a failure", "internal error", undefined],
  ])("is not %s", (_what, message, data) => {
    expect(asLogRangeTooWide({ message, data })).toBeUndefined();
  });

  it("is worth no range that holds nothing", () => {
    const message = "query returned more than 10000 results. Try with this block range [0x9, 0x5].";
    expect(asLogRangeTooWide({ message, data: undefined })?.maxBlocks).toBeUndefined();
  });
});
