import { id, parseEther, toBeHex, ZeroAddress } from "ethers";
import * as fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startAnvil } from "../src/anvil.ts";
import { decodeContractError, delegateOf, taskQueueInterface } from "../src/index.ts";
import { Chain, type RawReceipt } from "./_chain.ts";
import { createRpc } from "./_rpc.ts";
import { type BatchCall, batchEvents, claims, DelegatingWallet, encode, revertOf } from "./_wallet.ts";

/** Reverts with the gas it was given, less the 2 that asking for it takes. */
const GAS_TELLER = "0x5a5f5260205ffd";
const BURNER = "0xfe";
/** Reverts with 1,000 bytes. */
const LONG_REVERTER = "0x6103e85ffd";
/** Reverts with a mebibyte. */
const RETURN_BOMB = "0x621000005ffd";
/** Calls its caller back with what it was called with, and reverts with what came of it. */
const ECHO = "0x365f5f375f5f365f5f335af1503d5f5f3e3d5ffd";
/** Sends what it was called with on to the address in the first word, with 2,300 gas, and reverts if refused. */
const PAYER = "0x5f5f5f5f345f355ff1600f575f5ffd5b00";

let chain: Chain;
let wallet: DelegatingWallet;
beforeAll(async () => {
  chain = await Chain.start();
  await chain.worker(1, 16);
  wallet = new DelegatingWallet(chain, 1);
  await wallet.delegate();
  await chain.remember();
});
afterAll(() => chain[Symbol.asyncDispose]());
beforeEach(() => chain.rewind());

const claim = (activityId: string, gas = 300_000): BatchCall => ({
  to: chain.contracts.taskQueue,
  data: taskQueueInterface.encodeFunctionData("claimActivity", [activityId]),
  gas,
});

async function placed(code: string, address = `0x${"c5".repeat(20)}`): Promise<string> {
  await chain.rpc("anvil_setCode", address, code);
  return address;
}

async function failuresOf(receipt: RawReceipt): Promise<unknown[]> {
  return batchEvents(receipt, wallet.address).filter((event) => (event as string[])[0] === "CallFailed");
}

describe("a batch", () => {
  it("makes its calls in order, as the wallet, and says how many they were", async () => {
    const ids = [await chain.enqueue(), await chain.enqueue(), await chain.enqueue()];
    const receipt = await wallet.execute(ids.toReversed().map((activityId) => claim(activityId)));
    expect(receipt.status).toBe("0x1");
    expect(claims(receipt)).toEqual(ids.toReversed().map((activityId) => [activityId, wallet.address]));
    expect(batchEvents(receipt, wallet.address)).toEqual([["BatchExecuted", 3n]]);
  });

  it("goes on after a call that fails, whose effects alone are undone", async () => {
    const [first, second] = [await chain.enqueue(), await chain.enqueue()];
    const receipt = await wallet.execute([claim(first), claim(id("unknown")), claim(first), claim(second)]);
    expect(claims(receipt)).toEqual([
      [first, wallet.address],
      [second, wallet.address],
    ]);
    const events = batchEvents(receipt, wallet.address) as [string, bigint, string][];
    expect(events.map(([name, index, reason]) => [name, index, nameOf(reason)])).toEqual([
      ["CallFailed", 1n, "UnknownActivity"],
      ["CallFailed", 2n, "ActivityAlreadyClaimed"],
      ["BatchExecuted", 4n, undefined],
    ]);
  });

  it("keeps nothing in the wallet's storage and moves no ether", async () => {
    const before = await chain.rpc("eth_getBalance", chain.contracts.taskQueue, "latest");
    await wallet.execute([claim(await chain.enqueue()), claim(id("unknown"))]);
    const { storageHash } = await chain.rpc<{ storageHash: string }>(
      "eth_getProof",
      wallet.address,
      [],
      "latest",
    );
    // The root of the empty trie.
    expect(storageHash).toBe("0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421");
    expect(await chain.rpc("eth_getBalance", chain.contracts.taskQueue, "latest")).toBe(before);
  });

  it("can hold a batch of the wallet's own", async () => {
    const activityId = await chain.enqueue();
    const inner = { to: wallet.address, data: encode("execute", [claim(activityId)]), gas: 1_000_000 };
    expect(claims(await wallet.execute([inner]))).toEqual([[activityId, wallet.address]]);
  });
});

describe("nobody but the wallet", () => {
  it.each(["execute", "simulate"] as const)("may %s, through the wallet or the contract", async (name) => {
    const [stranger, data] = [chain.accounts[5]!, encode(name, [claim(id("any"))])];
    for (const to of [wallet.address, chain.contracts.batchExecutor]) {
      const call = chain.rpc("eth_call", { from: stranger, to, data }, "latest");
      expect(await revertOf(call)).toEqual(["NotTheWallet", { caller: stranger, wallet: to }]);
    }
    const call = chain.rpc("eth_call", { from: wallet.address, to: chain.contracts.batchExecutor, data });
    expect(await revertOf(call)).toMatchObject(["NotTheWallet", { caller: wallet.address }]);
  });

  it("may, when the wallet calls it and it calls back", async () => {
    const activityId = await chain.enqueue();
    const to = await placed(ECHO);
    const receipt = await wallet.execute([
      { to, data: encode("execute", [claim(activityId)]), gas: 1_000_000 },
    ]);
    expect(claims(receipt)).toEqual([]);
    const [[, , reason]] = (await failuresOf(receipt)) as [[string, bigint, string]];
    expect(nameOf(reason)).toBe("NotTheWallet");
  });

  it("may, being another wallet that delegates to the same code", async () => {
    const other = new DelegatingWallet(chain, 2);
    await other.delegate();
    const nested = { to: wallet.address, data: encode("execute", []), gas: 100_000 };
    const [result] = await other.simulate([nested]);
    expect(result?.success).toBe(false);
    expect(nameOf(result?.reason ?? "")).toBe("NotTheWallet");
  });
});

describe("a failing call's reason", () => {
  it("is cut to 256 bytes", async () => {
    const receipt = await wallet.execute([{ to: await placed(LONG_REVERTER), data: "0x", gas: 50_000 }]);
    expect(await failuresOf(receipt)).toEqual([["CallFailed", 0n, `0x${"00".repeat(256)}`]]);
  });

  it("is paid from the gas that the call left, and shorter when that was little", async () => {
    const to = await placed(LONG_REVERTER);
    const lengths: number[] = [];
    for (const gas of [300, 3_500, 4_500, 20_000]) {
      const [[, , reason]] = (await failuresOf(await wallet.execute([{ to, data: "0x", gas }]))) as [
        [string, bigint, string],
      ];
      lengths.push((reason.length - 2) / 2);
    }
    expect(lengths[0]).toBe(0);
    expect(lengths[1]).toBeGreaterThan(0);
    expect(lengths[1]).toBeLessThan(lengths[2]!);
    expect(lengths[3]).toBe(256);
  });

  it("is empty when it burned all it had", async () => {
    const receipt = await wallet.execute([{ to: await placed(BURNER), data: "0x", gas: 50_000 }]);
    expect(await failuresOf(receipt)).toEqual([["CallFailed", 0n, "0x"]]);
  });

  it("however long costs the batch next to nothing", async () => {
    const activityId = await chain.enqueue();
    const bomb = { to: await placed(RETURN_BOMB), data: "0x", gas: 2_500_000 };
    const receipt = await wallet.execute([bomb, bomb, claim(activityId)], 6_000_000);
    expect(claims(receipt)).toHaveLength(1);
    expect(Number(receipt.gasUsed)).toBeLessThan(2 * 2_230_000 + 200_000);
  });
});

describe("a call's gas", () => {
  it("is exactly what it was to get, or the batch reverts with what it lacks, whatever the limit", async () => {
    const to = await placed(GAS_TELLER, `0x${"c6".repeat(20)}`);
    // The worst case for what CALL takes before it gives: an account nobody has touched yet, delegated to another.
    const cold = `0x${"c7".repeat(20)}`;
    await placed(`0xef0100${to.slice(2)}`, cold);
    const limits = fc.tuple(
      fc.integer({ min: 100, max: 4_000_000 }),
      fc.integer({ min: -3_000, max: 90_000 }),
    );
    let [short, exact] = [0, 0];
    await fc.assert(
      fc.asyncProperty(limits, async ([gas, above]) => {
        const outcome = await gasSeen(
          { to: cold, data: "0x", gas },
          30_000 + gas + Math.ceil(gas / 63) + above,
        );
        if (outcome === "TooLittleGas") short += 1;
        else {
          expect(outcome).toBe(gas - 2);
          exact += 1;
        }
      }),
      { numRuns: 150, examples: [[[100_000, 0]], [[100_000, 20_000]]] },
    );
    expect(Math.min(short, exact)).toBeGreaterThan(0);
  });

  it("is exactly that for the limits around the least one that will do", async () => {
    const to = await placed(GAS_TELLER, `0x${"c6".repeat(20)}`);
    const cold = await placed(`0xef0100${to.slice(2)}`, `0x${"c7".repeat(20)}`);
    const gas = 1_000_000;
    const outcomes = new Set<unknown>();
    for (let limit = 1_040_000; limit < 1_050_000; limit += 59) {
      outcomes.add(await gasSeen({ to: cold, data: "0x", gas }, limit));
    }
    expect(outcomes).toEqual(new Set(["TooLittleGas", gas - 2]));
  });

  it("that is short for a later call undoes the earlier ones too", async () => {
    const activityId = await chain.enqueue();
    const receipt = await wallet.execute([claim(activityId), claim(id("any"), 5_000_000)], 2_000_000);
    expect(receipt.status).toBe("0x0");
    expect((await chain.activity(activityId)).isAssigned).toBe(false);
    const request = { from: wallet.address, to: wallet.address, gas: toBeHex(2_000_000) };
    const data = encode("execute", [claim(id("any"), 5_000_000)]);
    const revert = revertOf(chain.rpc("eth_call", { ...request, data }, "latest"));
    expect(await revert).toMatchObject(["TooLittleGas", { index: 0n, gasNeeded: 5_084_665n }]);
  });

  /** What the call was given, or the name of the error that the batch reverted with. */
  async function gasSeen(call: BatchCall, limit: number): Promise<unknown> {
    try {
      const [result] = await wallet.simulate([call], limit);
      return Number(result?.reason);
    } catch (error) {
      const { data = "0x", message } = error as { data?: string; message: string };
      // Too little even for the error.
      if (data === "0x" && /out of gas|OutOfGas|gas too low|intrinsic/i.test(message)) return "TooLittleGas";
      return decodeContractError(data)?.name ?? message;
    }
  }
});

describe("simulating", () => {
  it("tells what executing does, and changes nothing", async () => {
    const activityId = await chain.enqueue();
    const calls = [claim(activityId), claim(activityId), { ...claim(id("unknown")), gas: 100 }];
    const results = await wallet.simulate(calls);
    expect(results.map(({ success, reason }) => [success, nameOf(reason)])).toEqual([
      [true, undefined],
      [false, "ActivityAlreadyClaimed"],
      [false, undefined],
    ]);
    const single = await chain.send(wallet.address, ["taskQueue", "claimActivity", await chain.enqueue()]);
    // All of a claim but what a transaction costs before it begins.
    expect(Number(results[0]?.gasUsed)).toBeLessThan(single.gasUsed - 20_000);
    expect((await chain.activity(activityId)).isAssigned).toBe(false);
    expect(await failuresOf(await wallet.execute(calls))).toHaveLength(2);
  });
});

describe("the wallet", () => {
  it("still receives plain ether, also with the 2,300 gas of a contract's transfer", async () => {
    const payer = await placed(PAYER);
    const before = BigInt(await chain.rpc<string>("eth_getBalance", wallet.address, "latest"));
    const value = parseEther("1");
    const from = chain.accounts[4]!;
    const plain = { from, to: wallet.address, value: toBeHex(value), gas: toBeHex(30_000) };
    const through = { ...plain, to: payer, data: toBeHex(wallet.address, 32), gas: toBeHex(100_000) };
    for (const request of [plain, through]) {
      expect((await chain.receipt(await chain.rpc("eth_sendTransaction", request))).status).toBe("0x1");
    }
    const after = BigInt(await chain.rpc<string>("eth_getBalance", wallet.address, "latest"));
    expect(after - before).toBe(2n * value);
  });

  it("still sends transactions of its own to others", async () => {
    const activityId = await chain.enqueue();
    await chain.send(wallet.address, ["taskQueue", "claimActivity", activityId]);
    expect((await chain.activity(activityId)).assignedWorker).toBe(wallet.address);
  });

  it("does not understand calls that the executor has not, which a batch for another one would be", async () => {
    const request = { from: wallet.address, to: wallet.address, data: "0x12345678", gas: toBeHex(100_000) };
    expect((await chain.receipt(await chain.rpc("eth_sendTransaction", request))).status).toBe("0x0");
  });

  it("takes the delegation back, and then runs nothing, for which it gives no event", async () => {
    expect(delegateOf(await wallet.code())).toBe(chain.contracts.batchExecutor);
    await wallet.revoke();
    expect(await wallet.code()).toBe("0x");
    const activityId = await chain.enqueue();
    const receipt = await wallet.execute([claim(activityId)]);
    expect(receipt).toMatchObject({ status: "0x1", logs: [] });
    expect((await chain.activity(activityId)).assignedWorker).toBe(ZeroAddress);
  });

  it("delegates again, elsewhere and back, with nothing left over", async () => {
    await wallet.delegate(await placed(BURNER));
    expect((await wallet.execute([])).status).toBe("0x0");
    await wallet.delegate();
    expect(batchEvents(await wallet.execute([]), wallet.address)).toEqual([["BatchExecuted", 0n]]);
  });
});

describe("anvil", () => {
  // EIP-7825, part of Osaka: no transaction above 2^24 gas, so a batch cannot fill a block of 30 million.
  it("takes batches above 2^24 gas, unless it is told to keep to EIP-7825", async () => {
    expect((await wallet.execute([], 2 ** 24 + 1)).status).toBe("0x1");
    await using strict = await startAnvil({ args: ["--enable-tx-gas-limit"] });
    const rpc = createRpc(strict.url);
    const [from] = await rpc<string[]>("eth_accounts");
    const send = (gas: number) => rpc("eth_sendTransaction", { from, to: from, gas: toBeHex(gas) });
    await send(2 ** 24);
    await expect(send(2 ** 24 + 1)).rejects.toThrow(/gas/);
  });
});

function nameOf(reason: unknown): string | undefined {
  return typeof reason === "string" ? decodeContractError(reason)?.name : undefined;
}
