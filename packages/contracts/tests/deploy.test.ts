import { JsonRpcProvider, parseEther, Wallet } from "ethers";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Anvil, startAnvil } from "../src/anvil.ts";
import { deployContracts } from "../src/deploy.ts";
import { MULTICALL3_ADDRESS, subnetControlPlaneReads, taskQueueReads } from "../src/index.ts";
import { createRpc, type Rpc } from "./_rpc.ts";

let anvil: Anvil;
let rpc: Rpc;
beforeAll(async () => {
  anvil = await startAnvil();
  rpc = createRpc(anvil.url);
});
afterAll(() => anvil[Symbol.asyncDispose]());

const read = async <T>(call: { to: string; data: string; decode(data: string): T }) =>
  call.decode(await rpc<string>("eth_call", { to: call.to, data: call.data }, "latest"));

it("deploying connects the contracts and sets what was asked for", async () => {
  const contracts = await deployContracts(
    { leaseDurationS: 42, protocolVersion: "0.9.1" },
    { rpcUrl: anvil.url },
  );
  const [owner] = await rpc<string[]>("eth_accounts");
  expect(contracts.owner.toLowerCase()).toBe(owner?.toLowerCase());
  expect(await read(taskQueueReads(contracts.taskQueue).leaseDurationS())).toBe(42);
  expect(await read(subnetControlPlaneReads(contracts.subnetControlPlane).getProtocolVersion())).toBe(
    "0.9.1",
  );
  expect(contracts.multicall3).toBe(MULTICALL3_ADDRESS);
  for (const address of [contracts.taskQueue, contracts.workflowEngine, contracts.subnetControlPlane]) {
    const before = `0x${(contracts.deployedAtBlock - 1).toString(16)}`;
    expect(await rpc("eth_getCode", address, "latest")).not.toBe("0x");
    expect(await rpc("eth_getCode", address, before)).toBe("0x");
  }
});

it("deploying twice gives two sets with leases of three hours by default", async () => {
  const [first, second] = [
    await deployContracts({}, { rpcUrl: anvil.url }),
    await deployContracts({}, { rpcUrl: anvil.url }),
  ];
  expect(first.taskQueue).not.toBe(second.taskQueue);
  expect(await read(taskQueueReads(second.taskQueue).leaseDurationS())).toBe(10_800);
});

it("a private key or a signer deploys, and owns", async () => {
  const provider = new JsonRpcProvider(anvil.url, undefined, { cacheTimeout: -1, staticNetwork: true });
  try {
    const wallet = new Wallet(Wallet.createRandom().privateKey, provider);
    await rpc("anvil_setBalance", wallet.address, `0x${parseEther("10").toString(16)}`);
    expect((await deployContracts({}, { signer: wallet })).owner).toBe(wallet.address);
    const options = { rpcUrl: anvil.url, privateKey: wallet.privateKey };
    expect((await deployContracts({}, options)).owner).toBe(wallet.address);
  } finally {
    provider.destroy();
  }
});

it("a chain that has no anvil_setCode gets a Multicall3 at another address", async () => {
  await using plain = await startAnvil();
  const provider = new JsonRpcProvider(plain.url, undefined, { cacheTimeout: -1, staticNetwork: true });
  const send = provider.send.bind(provider);
  provider.send = async (method: string, params: unknown[] | Record<string, unknown>) => {
    if (method === "anvil_setCode") throw new Error("the method anvil_setCode does not exist");
    return send(method, params);
  };
  try {
    const contracts = await deployContracts({}, { signer: await provider.getSigner(0) });
    expect(contracts.multicall3).not.toBe(MULTICALL3_ADDRESS);
    const code = await createRpc(plain.url)("eth_getCode", contracts.multicall3, "latest");
    expect(code).not.toBe("0x");
  } finally {
    provider.destroy();
  }
});

it("no transaction leaves before the one under the nonce below it is taken", async () => {
  const provider = new JsonRpcProvider(anvil.url, undefined, { cacheTimeout: -1, staticNetwork: true });
  let [underWay, most] = [0, 0];
  const send = provider.send.bind(provider);
  provider.send = async (method: string, params: unknown[] | Record<string, unknown>) => {
    if (method !== "eth_sendTransaction") return send(method, params);
    most = Math.max(most, (underWay += 1));
    try {
      return await send(method, params);
    } finally {
      underWay -= 1;
    }
  };
  try {
    await deployContracts({}, { signer: await provider.getSigner(0) });
  } finally {
    provider.destroy();
  }
  expect(most).toBe(1);
});

it("a chain that does not mine ends the wait with the transaction to look for", async () => {
  await using stuck = await startAnvil({ noMining: true });
  await expect(deployContracts({ timeoutMs: 200 }, { rpcUrl: stuck.url })).rejects.toMatchObject({
    code: "DEPLOY_TIMEOUT",
    message: expect.stringMatching(/^\[DEPLOY_TIMEOUT\] transaction 0x[0-9a-f]{64} was not mined in 200 ms/),
  });
});

it("a lease of no time is refused before anything is sent", async () => {
  const [owner] = await rpc<string[]>("eth_accounts");
  const before = await rpc("eth_getTransactionCount", owner, "pending");
  await expect(deployContracts({ leaseDurationS: 0 }, { rpcUrl: anvil.url })).rejects.toThrow(RangeError);
  await expect(deployContracts({ protocolVersion: "" }, { rpcUrl: anvil.url })).rejects.toThrow(RangeError);
  expect(await rpc("eth_getTransactionCount", owner, "pending")).toBe(before);
});
