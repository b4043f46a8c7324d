import type { Clock, Logger, Service } from "@subnet-worker/kit";
import { createBatchCodec } from "./adapters/evm/batch-codec.ts";
import { ContractCaller } from "./adapters/evm/contract-caller.ts";
import { createEvmGates } from "./adapters/evm/gates.ts";
import { OfferWatcher } from "./adapters/evm/offer-watcher.ts";
import { SpecIndex } from "./adapters/evm/spec-index.ts";
import { EvmTaskSource } from "./adapters/evm/task-source.ts";
import { RpcChain } from "./adapters/rpc/chain.ts";
import { HeadWatcher } from "./adapters/rpc/heads.ts";
import { RpcPool } from "./adapters/rpc/pool.ts";
import type { Config } from "./config.ts";
import type { Metrics } from "./metrics.ts";
import { decodeRevert, gateOptions, readSpecs } from "./open.ts";
import type { BatchCodec, Signer } from "./chain-ports.ts";
import type { Store } from "./ports.ts";
import { Gates } from "./services/gates.ts";
import { Housekeeper } from "./services/housekeeper.ts";
import { Lane, type LaneOptions } from "./services/lane/lane.ts";
import type { TaskTraces } from "./services/task-traces.ts";

/** What nearly every part needs. */
export interface Base {
  readonly config: Config;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly signer: Signer;
  readonly store: Store;
  /** Aborting it ends everything. */
  readonly stop: AbortController;
  /** Where tracing is on. */
  readonly traces?: TaskTraces | undefined;
}

/** The on-chain TaskQueue as a source of tasks, and what stands behind it. */
export interface EvmParts {
  readonly gates: Gates;
  readonly lane: Lane;
  readonly source: EvmTaskSource;
  readonly rpc: RpcPool;
  readonly housekeeper: Housekeeper;
  readonly services: readonly Service[];
  /** Why the node should take on nothing at present; empty when it may. */
  readonly notReady: () => readonly string[];
}

const GWEI = 1_000_000_000n;

/** Everything that talks to the chain. @throws {StartupError} exit code 78 for specs that cannot be read */
export function composeEvm(base: Base): EvmParts {
  const { config, clock, logger, signer, store, stop } = base;
  const { ethereum, scheduler } = config;
  const { rpc, chain, heads } = composeRpc(base);
  const lane = composeLane(base, { chain, heads });
  const specs = new SpecIndex(readSpecs(config));
  const taskQueue = ethereum.task_queue_address;
  const caller = composeCaller(base, chain);
  const watcher = new OfferWatcher(
    {
      source: "evm",
      taskQueue,
      queues: scheduler.queue_name,
      pollIntervalMs: scheduler.poll_interval,
      logRangeBlocks: ethereum.log_range_blocks,
      lookbackBlocks: ethereum.lookback_blocks,
    },
    { chain, heads, caller, specs, store, clock, logger },
  );
  const source = new EvmTaskSource(
    { name: "evm", wallet: signer.address, taskQueue, workflowEngine: ethereum.workflow_engine_address },
    { lane, heads, caller, watcher, specs, clock, logger, signal: stop.signal },
  );
  const endpointReasons = () =>
    rpc.failure === undefined
      ? []
      : [`no RPC endpoint answers: ${rpc.failure}; check ethereum.rpc_url and that a node is up; trying on`];
  const gates = new Gates(
    { retryMs: 1_000, recheckMs: 120_000 },
    {
      gates: createEvmGates(gateOptions(config, signer.address), {
        chain,
        store,
        probe: () => rpc.probe(),
      }),
      clock,
      logger,
      endpointReasons,
    },
  );
  const housekeeper = new Housekeeper(
    {
      retentionMs: config.db.retention,
      lowBalanceWei: BigInt(config.tx_policy.low_balance_gwei) * GWEI,
    },
    { store, chain, signer, clock, logger },
  );
  const notReady = () => [
    ...gates.notReady(),
    ...endpointReasons(),
    ...lane.notReady(),
    ...source.notReady(),
  ];
  return { gates, lane, source, rpc, housekeeper, services: [gates, heads, lane, housekeeper], notReady };
}

function composeCaller({ config, clock, logger, signer, stop }: Base, chain: RpcChain): ContractCaller {
  const { task_queue_address: taskQueue, multicall3_address: multicall3 } = config.ethereum;
  const { signal } = stop;
  return new ContractCaller({ chain, wallet: signer.address, taskQueue, multicall3, clock, logger, signal });
}

function composeRpc({ config, clock, logger, metrics, stop }: Base) {
  const { ethereum } = config;
  const chainId = BigInt(ethereum.chain_id);
  const rpc = new RpcPool(
    { urls: ethereum.rpc_url, chainId, timeoutMs: ethereum.rpc_timeout, batchSize: 100 },
    { clock, logger, signal: stop.signal, onCall: (method, outcome) => metrics.onRpcCall(method, outcome) },
  );
  const chain = new RpcChain({ rpc, decodeRevert });
  const heads = new HeadWatcher(
    { wsUrls: ethereum.ws_url, chainId, pollIntervalMs: ethereum.head_poll_interval },
    { rpc, clock, logger },
  );
  return { rpc, chain, heads };
}

function composeLane(
  { config, clock, logger, metrics, signer, store }: Base,
  { chain, heads }: { readonly chain: RpcChain; readonly heads: HeadWatcher },
): Lane {
  const executor = config.ethereum.batch_executor_address;
  const codec = executor === "" ? undefined : createBatchCodec({ executor, decodeRevert });
  return new Lane(laneOptions(config, codec), {
    chain,
    heads,
    signer,
    store,
    clock,
    logger,
    codec,
    onOutcome: (intent) => metrics.onIntent(intent, clock.nowMs()),
    onTransaction: (transaction) => metrics.onTransaction(transaction),
    onEvent: (event) => metrics.onLaneEvent(event),
  });
}

function laneOptions({ tx_policy: policy }: Config, codec: BatchCodec | undefined): LaneOptions {
  return {
    maxPending: policy.max_pending,
    gasBumpPercent: policy.gas_bump_percent,
    gasMarginPercent: policy.gas_margin_percent,
    resendAfterMs: policy.resend_after,
    bumpAfterMs: policy.bump_after,
    maxFeePerGasWei: BigInt(policy.max_fee_gwei) * GWEI,
    confirmationsBlocks: policy.confirmations,
    repairAfterMs: policy.repair_after,
    batching:
      policy.batching && codec !== undefined ? { codec, gasPercent: policy.batch_gas_percent } : undefined,
  };
}
