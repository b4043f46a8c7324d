import { subnetControlPlaneReads } from "@subnet-worker/contracts";
import { isVersionInRange, VersionError, type VersionRange } from "@subnet-worker/protocol";
import { CallReverted, type Chain, type Gate, type GateVerdict, StoppedError } from "../../ports.ts";

export interface EvmGatesOptions {
  readonly chainId: bigint;
  readonly wallet: string;
  /** Setting name to address: each must hold code. */
  readonly contracts: Readonly<Record<string, string>>;
  readonly subnetControlPlane: string;
  readonly contractVersions: VersionRange;
}

export interface EvmGatesDeps {
  readonly chain: Chain;
  /** One try, to tell an endpoint that does not answer from one that says something else. */
  readonly probe: () => Promise<bigint>;
}

const OPEN: GateVerdict = { kind: "open" };

/** The start-up gates of the EVM source, in order. */
export function createEvmGates(options: EvmGatesOptions, deps: EvmGatesDeps): readonly Gate[] {
  const { chain } = deps;
  const controlPlane = subnetControlPlaneReads(options.subnetControlPlane);
  return [
    { name: "RPC_REACHABLE", check: () => checkRpc(deps.probe) },
    { name: "CHAIN_ID", check: () => checkChainId(chain, options.chainId) },
    { name: "CONTRACT_CODE", check: () => checkCode(chain, options.contracts) },
    {
      name: "CONTRACT_VERSION",
      check: async () => {
        const read = controlPlane.getProtocolVersion();
        const answer = await answerOf(() => chain.call(read).then(read.decode));
        return "problem" in answer
          ? refuse(
              `ethereum.subnet_control_plane_address (${options.subnetControlPlane}) does not answer getProtocolVersion (${answer.problem}); check that it is a SubnetControlPlane`,
            )
          : checkVersion(answer.value, options.contractVersions);
      },
    },
    {
      name: "WORKER_ACTIVE",
      check: async () => {
        const read = controlPlane.isWorkerActive(options.wallet);
        return (await chain.call(read).then(read.decode))
          ? OPEN
          : wait(
              `worker ${options.wallet} is not active in the SubnetControlPlane at ${options.subnetControlPlane}; register it there (registerWorker), or have its owner reinstate it; the node goes on by itself as soon as it is`,
            );
      },
    },
  ];
}

async function checkRpc(probe: () => Promise<bigint>): Promise<GateVerdict> {
  try {
    await probe();
    return OPEN;
  } catch (error) {
    if (error instanceof StoppedError) throw error;
    return wait(
      `the RPC endpoint does not answer (${messageOf(error)}); check ethereum.rpc_url and that the node is up; trying on`,
    );
  }
}

async function checkChainId(chain: Chain, expected: bigint): Promise<GateVerdict> {
  const actual = await chain.chainId();
  return actual === expected
    ? OPEN
    : refuse(
        `ethereum.rpc_url serves chain ${actual}, but ethereum.chain_id is ${expected}; point rpc_url at the right network or correct chain_id`,
      );
}

async function checkCode(chain: Chain, contracts: EvmGatesOptions["contracts"]): Promise<GateVerdict> {
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

async function answerOf<T>(
  ask: () => Promise<T>,
): Promise<{ readonly value: T } | { readonly problem: string }> {
  try {
    return { value: await ask() };
  } catch (error) {
    if (error instanceof StoppedError) throw error;
    return { problem: error instanceof CallReverted ? error.revert.message : messageOf(error) };
  }
}

function wait(reason: string): GateVerdict {
  return { kind: "wait", reason };
}

function refuse(reason: string): GateVerdict {
  return { kind: "refuse", reason };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
