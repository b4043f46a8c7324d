import { type Clock, systemClock } from "@subnet-worker/kit";
import {
  AbiCoder,
  concat,
  getCreateAddress,
  JsonRpcApiProvider,
  JsonRpcProvider,
  type Provider,
  type Signer,
  type TransactionRequest,
  Wallet,
} from "ethers";
import { ContractsError } from "./contracts-error.ts";
import { batchExecutorBytecode } from "./gen/batch-executor.ts";
import { multicall3Bytecode, multicall3RuntimeBytecode } from "./gen/multicall3.ts";
import { subnetControlPlaneBytecode } from "./gen/subnet-control-plane.ts";
import { taskQueueBytecode } from "./gen/task-queue.ts";
import { workflowEngineBytecode } from "./gen/workflow-engine.ts";
import { MULTICALL3_ADDRESS, subnetControlPlaneInterface } from "./interfaces.ts";

/** What the contracts are deployed with. */
export interface DeployOptions {
  /** How long a claim or a heartbeat lasts, in seconds. Default 10800, three hours. */
  readonly leaseDurationS?: number;
  /** What `getProtocolVersion` answers. Default "0.2.0". */
  readonly protocolVersion?: string;
  /** How long to wait until everything is mined. Default 60000. */
  readonly timeoutMs?: number;
}

/** Who deploys, and so owns the contracts. */
export type DeployDeps = (
  | { readonly signer: Signer }
  | {
      readonly rpcUrl: string;
      /** Default: the node's own first account, as on anvil. */
      readonly privateKey?: string;
    }
) & { readonly clock?: Clock };

/** Where the contracts are. */
export interface DeployedContracts {
  readonly taskQueue: string;
  readonly workflowEngine: string;
  readonly subnetControlPlane: string;
  /** The canonical address, unless the chain has none there and does not let us put one. */
  readonly multicall3: string;
  /** What wallets delegate to (EIP-7702) to put many calls into one transaction. */
  readonly batchExecutor: string;
  readonly owner: string;
  /** The first block that can hold an event of these contracts. */
  readonly deployedAtBlock: number;
}

const RECEIPT_POLL_MS = 25;
const DEFAULT_LEASE_DURATION_S = 10_800;
const MAX_LEASE_DURATION_S = 30 * 86_400;
const DEFAULT_PROTOCOL_VERSION = "0.2.0";
const DEFAULT_TIMEOUT_MS = 60_000;
// Cannot be estimated, since the contract is not there yet when it is sent. It takes 52,000.
const SET_TASK_QUEUE_GAS = 150_000n;

/**
 * Deploys the contracts and connects them; puts Multicall3 at its canonical address where there is
 * none and the node allows it (anvil does).
 *
 * The transactions are sent under consecutive nonces without waiting for blocks, so nothing else may send
 * from that account meanwhile.
 *
 * @throws ContractsError `DEPLOY_REVERTED` or `DEPLOY_TIMEOUT`; RangeError for options that the contracts
 * would refuse.
 *
 * @example
 * ```ts
 * import { deployContracts } from "@subnet-worker/contracts/deploy";
 *
 * const contracts = await deployContracts({ leaseDurationS: 600 }, { rpcUrl: "http://127.0.0.1:8545" });
 * ```
 */
export async function deployContracts(options: DeployOptions, deps: DeployDeps): Promise<DeployedContracts> {
  if ("signer" in deps) {
    const provider = deps.signer.provider;
    if (provider === null) throw new TypeError("deployContracts needs a signer that has a provider");
    return deployWith(options, { ...deps, provider });
  }
  const provider = new JsonRpcProvider(deps.rpcUrl, undefined, { cacheTimeout: -1, staticNetwork: true });
  try {
    const signer =
      deps.privateKey === undefined ? await provider.getSigner(0) : new Wallet(deps.privateKey, provider);
    return await deployWith(options, { ...deps, signer, provider });
  } finally {
    provider.destroy();
  }
}

interface Deployer {
  readonly signer: Signer;
  readonly provider: Provider;
  readonly clock?: Clock;
}

async function deployWith(options: DeployOptions, deployer: Deployer): Promise<DeployedContracts> {
  const { signer, provider } = deployer;
  const { leaseDurationS = DEFAULT_LEASE_DURATION_S, protocolVersion = DEFAULT_PROTOCOL_VERSION } = options;
  // Before sending, because a transaction that fails leaves a gap that those after it wait behind.
  if (!(leaseDurationS >= 1 && leaseDurationS <= MAX_LEASE_DURATION_S)) {
    throw new RangeError(`leaseDurationS is ${leaseDurationS}: choose 1 to ${MAX_LEASE_DURATION_S}`);
  }
  if (protocolVersion === "") throw new RangeError("protocolVersion is empty: give one, like 0.2.0");
  const [owner, nonce, multicall3] = await Promise.all([
    signer.getAddress(),
    signer.getNonce("pending"),
    placeMulticall3(provider),
  ]);
  const at = (offset: number) => getCreateAddress({ from: owner, nonce: nonce + offset });
  const [subnetControlPlane, taskQueue, workflowEngine, batchExecutor] = [at(0), at(1), at(2), at(4)];
  const transactions: TransactionRequest[] = [
    creation(subnetControlPlaneBytecode, ["string"], [protocolVersion]),
    creation(taskQueueBytecode, ["address", "uint256"], [subnetControlPlane, leaseDurationS]),
    creation(workflowEngineBytecode, ["address"], [taskQueue]),
    {
      to: subnetControlPlane,
      data: subnetControlPlaneInterface.encodeFunctionData("setTaskQueue", [taskQueue]),
      gasLimit: SET_TASK_QUEUE_GAS,
    },
    { data: batchExecutorBytecode },
  ];
  if (multicall3 === undefined) transactions.push({ data: multicall3Bytecode });
  // One after the other: anvil can keep a transaction that came before its predecessor queued for ever.
  const hashes: string[] = [];
  for (const [offset, transaction] of transactions.entries()) {
    hashes.push((await signer.sendTransaction({ ...transaction, nonce: nonce + offset })).hash);
  }
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const blocks = await minedBlocks(hashes, { ...deployer, timeoutMs });
  return {
    taskQueue,
    workflowEngine,
    subnetControlPlane,
    multicall3: multicall3 ?? at(5),
    batchExecutor,
    owner,
    deployedAtBlock: Math.min(...blocks),
  };
}

function creation(
  bytecode: string,
  types: readonly string[],
  values: readonly unknown[],
): TransactionRequest {
  return { data: concat([bytecode, AbiCoder.defaultAbiCoder().encode(types, values)]) };
}

/** `undefined` when there is none and this node cannot be told to have one. */
async function placeMulticall3(provider: Provider): Promise<string | undefined> {
  if ((await provider.getCode(MULTICALL3_ADDRESS)) !== "0x") return MULTICALL3_ADDRESS;
  if (!(provider instanceof JsonRpcApiProvider)) return undefined;
  try {
    await provider.send("anvil_setCode", [MULTICALL3_ADDRESS, multicall3RuntimeBytecode]);
  } catch {
    // Not anvil: every other node refuses an unknown method, each in its own words.
    return undefined;
  }
  return MULTICALL3_ADDRESS;
}

async function minedBlocks(
  hashes: readonly string[],
  deps: { readonly provider: Provider; readonly clock?: Clock; readonly timeoutMs: number },
): Promise<number[]> {
  const { provider, clock = systemClock, timeoutMs } = deps;
  const deadlineMs = clock.monotonicMs() + timeoutMs;
  const blocks: number[] = [];
  for (const hash of hashes) {
    let receipt = await provider.getTransactionReceipt(hash);
    while (receipt === null) {
      if (clock.monotonicMs() > deadlineMs) {
        throw new ContractsError(
          "DEPLOY_TIMEOUT",
          `transaction ${hash} was not mined in ${timeoutMs} ms: see whether the node mines, and at what fee`,
          { details: { hash } },
        );
      }
      await clock.sleep(RECEIPT_POLL_MS);
      receipt = await provider.getTransactionReceipt(hash);
    }
    if (receipt.status !== 1) {
      throw new ContractsError(
        "DEPLOY_REVERTED",
        `transaction ${hash} reverted: check leaseDurationS and protocolVersion, and the block gas limit`,
        { details: { hash } },
      );
    }
    blocks.push(receipt.blockNumber);
  }
  return blocks;
}
