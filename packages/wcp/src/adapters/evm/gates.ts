import {
  type ContractRead,
  ContractsError,
  subnetControlPlaneReads,
  taskQueueReads,
  workflowEngineReads,
} from "@subnet-worker/contracts";
import { isVersionInRange, VersionError, type VersionRange } from "@subnet-worker/protocol";
import { CallReverted, type Chain } from "../../chain-ports.ts";
import { type Gate, type GateVerdict, StoppedError, type Store } from "../../ports.ts";

type ContractSetting =
  | "task_queue_address"
  | "workflow_engine_address"
  | "subnet_control_plane_address"
  | "multicall3_address";

export interface EvmGatesOptions {
  readonly chainId: bigint;
  readonly wallet: string;
  /** Setting name to address: each must hold code, and no two the same. */
  readonly contracts: Readonly<Record<ContractSetting, string>>;
  readonly subnetControlPlane: string;
  readonly contractVersions: VersionRange;
}

export interface EvmGatesDeps {
  readonly chain: Pick<Chain, "chainId" | "block" | "code" | "call">;
  /** Remembers which chain it was: of several with one id, such as a devnet before and after its reset. */
  readonly store?: Pick<Store, "genesisHash" | "saveGenesisHash">;
  /** One try, to tell an endpoint that does not answer from one that says something else. */
  readonly probe: () => Promise<bigint>;
}

const OPEN: GateVerdict = { kind: "open" };

/** The start-up gates of the EVM source, in order. */
export function createEvmGates(options: EvmGatesOptions, deps: EvmGatesDeps): readonly Gate[] {
  const { chain, store } = deps;
  const controlPlane = subnetControlPlaneReads(options.subnetControlPlane);
  const checks: Readonly<Record<string, () => Promise<GateVerdict>>> = {
    RPC_REACHABLE: () => checkRpc(deps.probe),
    CHAIN_ID: () => checkChainId(chain, options.chainId),
    GENESIS: async () => (store === undefined ? OPEN : checkGenesis(chain, store)),
    CONTRACT_ADDRESS: async () => checkDistinct(options.contracts),
    CONTRACT_CODE: () => checkCode(chain, options.contracts),
    CONTRACT_VERSION: async () => {
      const answer = await ask(chain, controlPlane.getProtocolVersion());
      return "problem" in answer
        ? refuseAsOther("subnet_control_plane_address", "SubnetControlPlane", answer)
        : checkVersion(answer.value, options.contractVersions);
    },
    TASK_QUEUE: async () => {
      const taskQueue = taskQueueReads(options.contracts.task_queue_address);
      const answer = await ask(chain, taskQueue.getWorkerActivities(options.wallet));
      return "problem" in answer ? refuseAsOther("task_queue_address", "TaskQueue", answer) : OPEN;
    },
    WORKFLOW_ENGINE: () => checkWorkflowEngine(chain, options.contracts.workflow_engine_address),
    WORKER_ACTIVE: () => checkWorker(chain, options),
  };
  return Object.entries(checks).map(([name, check]) => ({ name, check: () => waitingForAnswers(check) }));
}

/** An endpoint that answers with an error of its own, such as a rate limit, says nothing about the configuration. */
async function waitingForAnswers(check: () => Promise<GateVerdict>): Promise<GateVerdict> {
  try {
    return await check();
  } catch (error) {
    if (error instanceof StoppedError) throw error;
    return waitForEndpoint(
      `the RPC endpoint answers with an error (${messageOf(error)}); check ethereum.rpc_url; trying on`,
    );
  }
}

async function checkRpc(probe: () => Promise<bigint>): Promise<GateVerdict> {
  try {
    await probe();
    return OPEN;
  } catch (error) {
    if (error instanceof StoppedError) throw error;
    return waitForEndpoint(
      `the RPC endpoint does not answer (${messageOf(error)}); check ethereum.rpc_url and that the node is up; trying on`,
    );
  }
}

async function checkChainId(chain: EvmGatesDeps["chain"], expected: bigint): Promise<GateVerdict> {
  const actual = await chain.chainId();
  return actual === expected
    ? OPEN
    : refuse(
        `ethereum.rpc_url serves chain ${actual}, but ethereum.chain_id is ${expected}; point rpc_url at the right network or correct chain_id`,
      );
}

/** A chain that was started anew under its old id has other blocks, and none of what the database knows. */
async function checkGenesis(
  chain: EvmGatesDeps["chain"],
  store: Pick<Store, "genesisHash" | "saveGenesisHash">,
): Promise<GateVerdict> {
  const known = store.genesisHash();
  const actual = (await chain.block(0))?.hash;
  if (actual === undefined || known === actual) return OPEN; // an endpoint without old blocks proves nothing
  if (known === undefined) {
    await store.saveGenesisHash(actual);
    return OPEN;
  }
  return refuse(
    `the database knows this chain with the first block ${known}, but ethereum.rpc_url has ${actual}: the chain was reset, or it is another one with the same id; move the file at db.path away (the node starts a new one), or point rpc_url at the chain it was`,
  );
}

/** A worker that is suspended can neither claim nor settle; one that deactivated itself still settles. */
async function checkWorker(
  chain: EvmGatesDeps["chain"],
  { subnetControlPlane, wallet }: EvmGatesOptions,
): Promise<GateVerdict> {
  const controlPlane = subnetControlPlaneReads(subnetControlPlane);
  const answer = await ask(chain, controlPlane.isWorkerActive(wallet));
  if ("problem" in answer) {
    return refuseAsOther("subnet_control_plane_address", "SubnetControlPlane", answer);
  }
  if (answer.value) return OPEN;
  const details = await ask(chain, controlPlane.getWorker(wallet));
  // A contract that keeps no details has no deactivation either.
  if ("value" in details && details.value.isRegistered && !details.value.isSuspended) {
    return {
      kind: "hold",
      reason: `worker ${wallet} is deactivated and holds ${details.value.activeCount} activities; they are settled, and nothing more is claimed: to end the deactivation, stop the node and run wcp register`,
    };
  }
  return wait(
    `worker ${wallet} is not active in the SubnetControlPlane at ${subnetControlPlane}; register it there (registerWorker): stop the node and run wcp register; or have its owner reinstate it; the node goes on by itself as soon as it is`,
  );
}

/** Never a workflow's id. */
const NO_INSTANCE = `0x${"0".repeat(64)}`;

/** Asks for a workflow that cannot exist: only a WorkflowEngine refuses it in these words. */
async function checkWorkflowEngine(chain: EvmGatesDeps["chain"], address: string): Promise<GateVerdict> {
  const read = workflowEngineReads(address).getWorkflow(NO_INSTANCE);
  try {
    await chain.call({ to: read.to, data: read.data });
  } catch (error) {
    if (!(error instanceof CallReverted)) throw error;
    if (error.revert.name === "UnknownWorkflowInstance") return OPEN;
    return refuseAsOther("workflow_engine_address", "WorkflowEngine", {
      address,
      problem: error.revert.message,
    });
  }
  return refuseAsOther("workflow_engine_address", "WorkflowEngine", {
    address,
    problem: "it answers for a workflow that does not exist",
  });
}

function checkDistinct(contracts: EvmGatesOptions["contracts"]): GateVerdict {
  const byAddress = Map.groupBy(Object.entries(contracts), ([, address]) => address.toLowerCase());
  const [same] = [...byAddress.values()].filter((entries) => entries.length > 1);
  return same === undefined
    ? OPEN
    : refuse(
        `${same.map(([name]) => `ethereum.${name}`).join(" and ")} are the same address (${same[0]?.[1]}); each is a contract of its own, so correct the wrong one`,
      );
}

async function checkCode(
  chain: EvmGatesDeps["chain"],
  contracts: EvmGatesOptions["contracts"],
): Promise<GateVerdict> {
  const entries = Object.entries(contracts);
  const codes = await Promise.all(entries.map(([, address]) => chain.code(address)));
  const empty = entries.filter((_, index) => codes[index] === "0x");
  return empty.length === 0
    ? OPEN
    : refuse(
        `no contract at ${empty.map(([name, address]) => `ethereum.${name} (${address})`).join(" and ")}; correct the address, or check that this is the network it was deployed to`,
      );
}

function checkVersion(version: string, range: VersionRange): GateVerdict {
  try {
    if (isVersionInRange(version, range)) return OPEN;
  } catch (error) {
    if (!(error instanceof VersionError)) throw error;
    return refuse(
      `the contracts answer the version ${JSON.stringify(version)}, which is none; check ethereum.subnet_control_plane_address`,
    );
  }
  return refuse(
    `the contracts have protocol version ${version}, this node is configured for ${range.min} to ${range.max}; upgrade the node, or widen protocol.contract_min and protocol.contract_max if you know they fit`,
  );
}

interface NoAnswer {
  readonly address: string;
  readonly problem: string;
}

/** Asks a contract; a problem is one that only another contract would have. */
async function ask<T>(
  chain: EvmGatesDeps["chain"],
  read: ContractRead<T>,
): Promise<{ readonly value: T } | NoAnswer> {
  try {
    return { value: read.decode(await chain.call({ to: read.to, data: read.data })) };
  } catch (error) {
    if (error instanceof CallReverted) return { address: read.to, problem: error.revert.message };
    if (error instanceof ContractsError && error.code === "BAD_ANSWER") {
      return { address: read.to, problem: "its answer is not one" };
    }
    throw error;
  }
}

function refuseAsOther(
  setting: ContractSetting,
  contract: string,
  { address, problem }: NoAnswer,
): GateVerdict {
  return refuse(
    `the contract at ethereum.${setting} (${address}) does not answer as a ${contract} does (${problem}); correct the address: another contract is there`,
  );
}

function wait(reason: string): GateVerdict {
  return { kind: "wait", reason };
}

function waitForEndpoint(reason: string): GateVerdict {
  return { kind: "wait", reason, isEndpointTrouble: true };
}

function refuse(reason: string): GateVerdict {
  return { kind: "refuse", reason };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
