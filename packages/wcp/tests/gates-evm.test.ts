import { subnetControlPlaneInterface } from "@subnet-worker/contracts";
import { type Anvil, startAnvil } from "@subnet-worker/contracts/anvil";
import { deployContracts, type DeployedContracts } from "@subnet-worker/contracts/deploy";
import { systemClock } from "@subnet-worker/kit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createEvmGates, type EvmGatesOptions } from "../src/adapters/evm/gates.ts";
import { JsonRpc } from "../src/adapters/rpc/json-rpc.ts";
import { directChain } from "../src/commands/direct-rpc.ts";
import type { Chain } from "../src/chain-ports.ts";
import type { GateVerdict } from "../src/ports.ts";
import { minedBy } from "./_mined.ts";

const WALLET = `0x${"aa".repeat(20)}`;

let anvil: Anvil;
let contracts: DeployedContracts;

beforeAll(async () => {
  anvil = await startAnvil();
  contracts = await deployContracts({}, { rpcUrl: anvil.url });
});
afterAll(() => anvil[Symbol.asyncDispose]());

function chainAt(url: string): Chain {
  const { signal } = new AbortController();
  return directChain([
    new JsonRpc({ url, timeoutMs: 5_000, batchSize: 100 }, { clock: systemClock, signal }),
  ]);
}

async function rpc(method: string, params: readonly unknown[]): Promise<unknown> {
  const client = new JsonRpc(
    { url: anvil.url, timeoutMs: 5_000, batchSize: 1 },
    { clock: systemClock, signal: new AbortController().signal },
  );
  return client.once(method, params);
}

/** What the database remembers. */
class Memory {
  hash: string | undefined;
  genesisHash = () => this.hash;
  saveGenesisHash = async (hash: string) => {
    this.hash = hash;
  };
}

async function verdictOf(
  name: string,
  options: {
    readonly url?: string;
    readonly store?: Memory;
    readonly addresses?: Partial<EvmGatesOptions["contracts"]>;
  } = {},
): Promise<GateVerdict> {
  const { url = anvil.url, store, addresses = {} } = options;
  const chain = chainAt(url);
  const gates = createEvmGates(
    {
      chainId: 31_337n,
      wallet: WALLET,
      contracts: {
        task_queue_address: contracts.taskQueue,
        workflow_engine_address: contracts.workflowEngine,
        subnet_control_plane_address: contracts.subnetControlPlane,
        multicall3_address: contracts.multicall3,
        ...addresses,
      },
      subnetControlPlane: contracts.subnetControlPlane,
      contractVersions: { min: "0.2.0", max: "0.2.0" },
    },
    { chain, probe: () => chain.chainId(), ...(store === undefined ? {} : { store }) },
  );
  const gate = gates.find((each) => each.name === name);
  if (gate === undefined) throw new Error(`there is no gate ${name}`);
  return gate.check();
}

describe("the gate GENESIS", () => {
  it("remembers the first block of a new database's chain, and knows it again", async () => {
    const store = new Memory();
    expect(await verdictOf("GENESIS", { store })).toEqual({ kind: "open" });
    expect(store.hash).toMatch(/^0x[0-9a-f]{64}$/);
    expect(await verdictOf("GENESIS", { store })).toEqual({ kind: "open" });
  });

  it("refuses a chain that was reset, with both hashes and what to do", async () => {
    const store = new Memory();
    await verdictOf("GENESIS", { store });
    const before = store.hash;
    // Of the same id, with another first block.
    await using reset = await startAnvil({ args: ["--timestamp", "1700000000"] });
    const verdict = await verdictOf("GENESIS", { store, url: reset.url });
    expect(verdict).toMatchObject({
      kind: "refuse",
      reason: expect.stringContaining(`first block ${before}`),
    });
    expect(verdict).toMatchObject({ reason: expect.stringContaining("move the file at db.path away") });
    expect(store.hash).toBe(before);
  });

  it("is open where nothing is remembered between starts", async () => {
    expect(await verdictOf("GENESIS")).toEqual({ kind: "open" });
  });
});

describe("the gate WORKFLOW_ENGINE", () => {
  it("is open for the WorkflowEngine", async () => {
    expect(await verdictOf("WORKFLOW_ENGINE")).toEqual({ kind: "open" });
  });

  it.each(["taskQueue", "subnetControlPlane", "multicall3"] as const)(
    "refuses the %s in its place",
    async (name) => {
      const verdict = await verdictOf("WORKFLOW_ENGINE", {
        addresses: { workflow_engine_address: contracts[name] },
      });
      expect(verdict).toMatchObject({
        kind: "refuse",
        reason: expect.stringContaining(
          `the contract at ethereum.workflow_engine_address (${contracts[name]}) does not answer as a WorkflowEngine does`,
        ),
      });
    },
  );

  it("refuses an account without code, which answers anything with nothing", async () => {
    const verdict = await verdictOf("WORKFLOW_ENGINE", { addresses: { workflow_engine_address: WALLET } });
    expect(verdict).toMatchObject({ kind: "refuse", reason: expect.stringContaining("does not exist") });
  });
});

describe("the gate WORKER_ACTIVE", () => {
  const send = async (from: string, name: string, args: readonly unknown[]) => {
    const data = subnetControlPlaneInterface.encodeFunctionData(name, args);
    await rpc("anvil_setBalance", [from, "0xde0b6b3a7640000"]);
    await rpc("anvil_impersonateAccount", [from]);
    await minedBy(rpc, await rpc("eth_sendTransaction", [{ from, to: contracts.subnetControlPlane, data }]));
  };

  it("waits for a worker that is not registered or is suspended, and holds for one that deactivated itself", async () => {
    const [owner = ""] = (await rpc("eth_accounts", [])) as readonly string[];
    expect(await verdictOf("WORKER_ACTIVE")).toMatchObject({
      kind: "wait",
      reason: expect.stringContaining("stop the node and run wcp register"),
    });
    await send(WALLET, "registerWorker", [4]);
    expect(await verdictOf("WORKER_ACTIVE")).toEqual({ kind: "open" });
    await send(owner, "suspendWorker", [WALLET]);
    expect(await verdictOf("WORKER_ACTIVE")).toMatchObject({ kind: "wait" });
    await send(owner, "reinstateWorker", [WALLET]);
    await send(WALLET, "deactivateWorker", []);
    expect(await verdictOf("WORKER_ACTIVE")).toMatchObject({
      kind: "hold",
      reason: expect.stringContaining(
        "is deactivated and holds 0 activities; they are settled, and nothing more is claimed",
      ),
    });
  });
});

it("an endpoint that is not there is told of as such, so that it is told once", async () => {
  const verdict = await verdictOf("RPC_REACHABLE", { url: "http://127.0.0.1:9" });
  expect(verdict).toMatchObject({ kind: "wait", isEndpointTrouble: true });
});
