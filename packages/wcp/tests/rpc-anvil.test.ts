import { type Anvil, startAnvil } from "@subnet-worker/contracts/anvil";
import { systemClock } from "@subnet-worker/kit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RpcChain } from "../src/adapters/rpc/chain.ts";
import { RpcPool } from "../src/adapters/rpc/pool.ts";
import { createLocalSigner } from "../src/adapters/signer.ts";
import type { SendOutcome, TransactionRequest } from "../src/chain-ports.ts";
import { WORKER_KEY } from "./_anvil-lane.ts";
import { captureLogs } from "./_logs.ts";
import { until } from "./_until.ts";

const GWEI = 1_000_000_000n;
const CHAIN_ID = 31_337n;
const stop = new AbortController();
const signer = createLocalSigner(WORKER_KEY, CHAIN_ID);

function chainOn(...anvils: readonly Anvil[]): RpcChain {
  const rpc = new RpcPool(
    { urls: anvils.map(({ url }) => url), chainId: CHAIN_ID, timeoutMs: 5_000, batchSize: 100 },
    { clock: systemClock, logger: captureLogs().logger, signal: stop.signal },
  );
  return new RpcChain({ rpc, decodeRevert: (data) => ({ name: "", message: data }) });
}

/** What the node says to it; anvil mines what it accepted in its own time. */
async function send(
  chain: RpcChain,
  request: Partial<TransactionRequest>,
  by = signer,
): Promise<SendOutcome> {
  const { raw } = await by.sign({
    nonce: 0,
    to: by.address,
    data: "0x",
    gasLimit: 100_000n,
    fees: { maxFeePerGasWei: 10n * GWEI, maxPriorityFeePerGasWei: GWEI },
    ...request,
  });
  return chain.send(raw);
}

afterAll(() => stop.abort());

describe("what anvil says to a transaction", () => {
  let anvil: Anvil;
  let chain: RpcChain;

  beforeAll(async () => {
    anvil = await startAnvil({ noMining: true });
    chain = chainOn(anvil);
  });
  afterAll(() => anvil[Symbol.asyncDispose]());

  it.each<readonly [kind: SendOutcome["kind"], why: string, request: Partial<TransactionRequest>]>([
    ["never_valid", "with less gas than any transaction takes", { gasLimit: 20_000n }],
    ["never_valid", "with more gas than a block has", { gasLimit: 40_000_000n }],
    ["underpriced", "below the base fee", { fees: { maxFeePerGasWei: 1n, maxPriorityFeePerGasWei: 1n } }],
    // It keeps one with a gap, as geth does.
    ["accepted", "with a gap before its nonce", { nonce: 5 }],
    [
      "replacement_underpriced",
      "that pays less than the one that has its nonce",
      { nonce: 5, fees: { maxFeePerGasWei: 9n * GWEI, maxPriorityFeePerGasWei: GWEI } },
    ],
  ])("is %s to one %s", async (kind, _why, request) => {
    expect(await send(chain, request)).toMatchObject({ kind });
  });

  it("is never_valid to one of another chain", async () => {
    expect(await send(chain, {}, createLocalSigner(WORKER_KEY, 1n))).toMatchObject({ kind: "never_valid" });
  });

  it("is never_valid to bytes that are no transaction", async () => {
    expect(await chain.send("0x02ff")).toMatchObject({ kind: "never_valid" });
  });
});

describe("what anvil says to a type that its chain does not know", () => {
  it("is never_valid before Prague to a delegation", async () => {
    await using anvil = await startAnvil({ args: ["--hardfork", "cancun"] });
    const authorization = await signer.authorize({ contract: `0x${"11".repeat(20)}`, nonce: 1 });
    expect(await send(chainOn(anvil), { authorization })).toMatchObject({ kind: "never_valid" });
  });

  it("is never_valid before London to a fee market's", async () => {
    await using anvil = await startAnvil({ args: ["--hardfork", "berlin"] });
    const chain = chainOn(anvil);
    expect(await send(chain, {})).toMatchObject({ kind: "never_valid" });
    const fees = { maxFeePerGasWei: 10n * GWEI, maxPriorityFeePerGasWei: 10n * GWEI, isLegacy: true };
    expect(await send(chain, { fees })).toEqual({ kind: "accepted" });
  });
});

describe("two anvils", () => {
  it("both get a transaction, and the one that is left serves when the other dies", async () => {
    await using first = await startAnvil();
    await using second = await startAnvil();
    const chain = chainOn(first, second);
    expect(await send(chain, {})).toEqual({ kind: "accepted" });
    const others = chainOn(second);
    await until(async () => (await others.minedCount(signer.address)) === 1);
    await first[Symbol.asyncDispose]();
    expect(await chain.minedCount(signer.address)).toBe(1);
    expect(await send(chain, { nonce: 1 })).toEqual({ kind: "accepted" });
    await until(async () => (await others.minedCount(signer.address)) === 2);
  });

  it("fault 35: one of another chain is not used", async () => {
    await using stranger = await startAnvil({ chainId: 5 });
    await using anvil = await startAnvil();
    const chain = chainOn(stranger, anvil);
    expect(await chain.chainId()).toBe(CHAIN_ID);
    expect(await send(chain, {})).toEqual({ kind: "accepted" });
    // A stranger's chain would never have it.
    await until(async () => (await chain.block("latest"))?.number === 1);
  });
});
