import { id } from "ethers";
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  batchReads,
  decodeContractError,
  MULTICALL3_ADDRESS,
  multicall3Interface,
  subnetControlPlaneReads,
  taskQueueReads,
} from "../src/index.ts";
import { Chain, type Reverted } from "./_chain.ts";

let chain: Chain;
beforeAll(async () => {
  chain = await Chain.start();
});
afterAll(() => chain[Symbol.asyncDispose]());

it("Multicall3 is at its canonical address", async () => {
  expect(chain.contracts.multicall3).toBe(MULTICALL3_ADDRESS);
  expect(await chain.rpc("eth_getCode", MULTICALL3_ADDRESS, "latest")).not.toBe("0x");
});

it("Multicall3 has the selectors of the canonical contract", () => {
  const canonical = {
    aggregate: "0x252dba42",
    aggregate3: "0x82ad56cb",
    aggregate3Value: "0x174dea71",
    blockAndAggregate: "0xc3077fa9",
    getBasefee: "0x3e64a696",
    getBlockHash: "0xee82ac5e",
    getBlockNumber: "0x42cbb15c",
    getChainId: "0x3408e470",
    getCurrentBlockCoinbase: "0xa8b0574e",
    getCurrentBlockDifficulty: "0x72425d9d",
    getCurrentBlockGasLimit: "0x86d516e8",
    getCurrentBlockTimestamp: "0x0f28c97d",
    getEthBalance: "0x4d2301cc",
    getLastBlockHash: "0x27e86d6e",
    tryAggregate: "0xbce38bd7",
    tryBlockAndAggregate: "0x399542e9",
  };
  const ours: Record<string, string> = {};
  multicall3Interface.forEachFunction((fragment) => {
    ours[fragment.name] = fragment.selector;
  });
  expect(ours).toEqual(canonical);
});

it("a batch of reads answers each, and one that reverts does not spoil the others", async () => {
  const worker = await chain.worker(1, 7);
  const taskQueue = taskQueueReads(chain.contracts.taskQueue);
  const controlPlane = subnetControlPlaneReads(chain.contracts.subnetControlPlane);
  const [version, missing, registered] = await chain.read(
    batchReads<unknown>(
      [
        controlPlane.getProtocolVersion(),
        taskQueue.getActivity(id("nothing")),
        controlPlane.getWorker(worker),
      ],
      chain.contracts.multicall3,
    ),
  );
  expect(version).toEqual({ ok: true, value: "0.2.0" });
  expect(registered).toMatchObject({ ok: true, value: { capacity: 7 } });
  expect(missing).toMatchObject({ ok: false });
  const revertData = missing?.ok === false ? missing.revertData : "0x";
  expect(decodeContractError(revertData)?.name).toBe("UnknownActivity");
});

it("an empty batch answers nothing", async () => {
  expect(await chain.read(batchReads([], chain.contracts.multicall3))).toEqual([]);
});

it("a call that may not fail fails the whole batch in the canonical words", async () => {
  const calls = [[chain.contracts.taskQueue, false, "0xdeadbeef"]];
  const error = await chain.call(["multicall3", "aggregate3", calls]).catch((cause: unknown) => cause);
  expect((error as Reverted).revert.message).toBe("Multicall3: call failed");
});

it("values must add up to what was sent", async () => {
  const calls = [[chain.accounts[5], false, 1n, "0x"]];
  await chain.rpc("anvil_setBalance", chain.contracts.multicall3, "0x1");
  const error = await chain.call(["multicall3", "aggregate3Value", calls]).catch((cause: unknown) => cause);
  expect((error as Reverted).revert.message).toBe("Multicall3: value mismatch");
});
