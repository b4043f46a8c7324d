import { delegateOf, subnetControlPlaneReads } from "@subnet-worker/contracts";
import type { JsonRpc } from "../../adapters/rpc/json-rpc.ts";
import { StoreInspector } from "../../adapters/sqlite/inspect.ts";
import { initialFees } from "../../domain/fees.ts";
import type { Chain } from "../../chain-ports.ts";
import { describeDelegation } from "../delegation.ts";
import { formatCoins, formatGwei } from "../table.ts";
import { fail, ok, type Outcome, warn } from "./check.ts";
import type { Patient } from "./patient.ts";

/** Claim, one heartbeat, completion with a result of 128 bytes, and a step's resumption. */
const GAS_PER_ACTIVITY = 400_000n;
const FEW_ACTIVITIES = 100n;
const GWEI = 1_000_000_000n;

/** The wallet on the chain: whether it may work, and can pay for it. */
export function examineWallet(patient: Patient, chain: Chain, endpoints: readonly JsonRpc[]): void {
  const { exam, wallet = "", config } = patient;
  const common = { group: "wallet", needs: ["rpc.usable", "key.address"] } as const;
  void exam.check({
    ...common,
    id: "wallet.worker",
    title: "worker",
    needs: [...common.needs, "contracts.control_plane"],
    run: () => lookAtWorker(patient, chain),
  });
  void exam.check({
    ...common,
    id: "wallet.balance",
    title: "balance",
    run: () => lookAtBalance(patient, chain),
  });
  void exam.check({
    ...common,
    id: "wallet.nonces",
    title: "nonces",
    run: () => lookAtNonces(patient, chain),
  });
  void exam.check({
    ...common,
    id: "wallet.delegation",
    title: "delegation",
    run: async () => lookAtDelegation(patient, await chain.code(wallet)),
  });
  if (config.tx_policy.batching) {
    void exam.check({
      ...common,
      id: "wallet.batching",
      title: "batching",
      run: () => lookAtBatching(patient, chain, endpoints),
    });
  }
}

async function lookAtWorker({ config, wallet = "" }: Patient, chain: Chain): Promise<Outcome> {
  const read = subnetControlPlaneReads(config.ethereum.subnet_control_plane_address).getWorker(wallet);
  const worker = read.decode(await chain.call({ to: read.to, data: read.data }));
  const { max_inflight: wanted } = config.scheduler;
  if (!worker.isRegistered) {
    return fail("not registered", `the contract gives it no work: wcp register --capacity ${wanted}`);
  }
  if (worker.isSuspended) {
    return fail(
      "suspended by the subnet's owner",
      "it can neither claim nor settle, and what it holds goes to others when the leases run out: ask the owner why, and to reinstate it",
    );
  }
  if (!worker.isActive) return fail("deactivated", `wcp register --capacity ${wanted} activates it again`);
  const detail = `active, holds ${worker.activeCount} of ${worker.capacity}`;
  return worker.capacity < wanted
    ? warn(
        detail,
        `scheduler.max_inflight is ${wanted}: claims beyond ${worker.capacity} will be refused. Stop the node and run wcp register --capacity ${wanted}, or lower scheduler.max_inflight`,
      )
    : ok(detail);
}

async function lookAtBalance({ config, wallet = "" }: Patient, chain: Chain): Promise<Outcome> {
  const [balance, market] = await Promise.all([chain.balanceWei(wallet), chain.feeMarket()]);
  // What a block asks at present; the cap, which is twice as much, must only be there.
  const price = market.kind === "legacy" ? market.gasPriceWei : market.baseFeePerGasWei + market.tipWei;
  const perActivity = GAS_PER_ACTIVITY * (price === 0n ? 1n : price);
  const count = balance / perActivity;
  const shown = count > 1_000_000n ? "over a million" : `about ${count}`;
  const detail = `${formatCoins(balance)}, enough for ${shown} activities at ${formatGwei(price)} gwei`;
  const reserve = GAS_PER_ACTIVITY * initialFees(market).maxFeePerGasWei;
  const wanted = formatCoins(perActivity * FEW_ACTIVITIES * 10n);
  if (balance < reserve) {
    return fail(
      detail,
      `a transaction must be covered to its cap before an endpoint takes it: send ${wanted} of the chain's coin to ${wallet}`,
    );
  }
  const { low_balance_gwei: low } = config.tx_policy;
  const isLow = count < FEW_ACTIVITIES || balance < BigInt(low) * GWEI;
  return isLow ? warn(detail, `send ${wanted} to ${wallet}; docs/runbooks/low-balance.md`) : ok(detail);
}

async function lookAtNonces({ config, io, wallet = "", node }: Patient, chain: Chain): Promise<Outcome> {
  const [latest, pending] = await Promise.all([chain.minedCount(wallet), chain.pendingCount(wallet)]);
  const known = knownNonces(config.db.path, io.clock.nowMs());
  const waiting = Math.max(0, pending - latest);
  const detail = `next ${latest}, ${waiting} waiting in the endpoint's pool`;
  if (known === undefined) {
    return waiting === 0
      ? ok(detail)
      : warn(
          detail,
          "no database knows of them: the node waits for them, then goes on; docs/runbooks/lost-database.md",
        );
  }
  const { highest, open, oldestOpenMs } = known;
  if (highest !== undefined && latest > highest + 1) {
    return warn(
      `${detail}; this database last used ${highest}`,
      `${latest - highest - 1} transactions of this wallet are not this database's. If that was not you, the key is in other hands: docs/runbooks/key-compromise.md`,
    );
  }
  if (open > 0 && !node.isRunning) {
    return warn(
      `${detail}; ${open} of ours are not final`,
      "the node brings them to an end when it runs: wcp run",
    );
  }
  return open > 0 && oldestOpenMs > STUCK_MS
    ? warn(
        `${detail}; ${open} of ours wait, the oldest for ${Math.round(oldestOpenMs / 60_000)} minutes`,
        "wcp tx ls shows which; docs/runbooks/stuck-nonce.md",
      )
    : ok(`${detail}${highest === undefined ? "" : `, last used ${highest}`}`);
}

const STUCK_MS = 5 * 60_000;

function knownNonces(path: string, nowMs: number) {
  try {
    using inspector = new StoreInspector(path);
    const open = inspector.transactions(false).filter(({ state }) => state === "signed");
    const oldestOpenMs = Math.max(0, ...open.map((each) => nowMs - each.created_at_ms));
    return { highest: inspector.highestNonce(), open: open.length, oldestOpenMs };
  } catch {
    return undefined; // what is wrong with the database is told by its own check
  }
}

function lookAtDelegation({ config }: Patient, code: string): Outcome {
  const text = describeDelegation(code, config);
  if (code === "0x") return ok(text);
  const delegate = delegateOf(code);
  if (delegate === undefined) {
    return fail(
      text,
      "a wallet with code cannot send transactions: this is the address of a contract, so the key or wallet_address is wrong",
    );
  }
  if (delegate.toLowerCase() !== config.ethereum.batch_executor_address.toLowerCase()) {
    return warn(
      text,
      "whoever wrote that contract decides what the wallet does when it is called. If that was not you, move the funds and see docs/runbooks/key-compromise.md; otherwise: wcp delegation revoke",
    );
  }
  return config.tx_policy.batching
    ? ok(text)
    : warn(
        text,
        "tx_policy.batching is off, and nodes take only one pending transaction of a delegated wallet: wcp delegation revoke",
      );
}

async function lookAtBatching(
  { config }: Patient,
  chain: Chain,
  [rpc]: readonly JsonRpc[],
): Promise<Outcome> {
  const { batch_executor_address: executor } = config.ethereum;
  if (!/^0x[0-9a-fA-F]{40}$/.test(executor)) {
    return fail(
      "ethereum.batch_executor_address is not set",
      "set it to the BatchExecutor contract, or turn tx_policy.batching off",
    );
  }
  if ((await chain.code(executor)) === "0x") {
    return fail(
      `no contract at ethereum.batch_executor_address (${executor})`,
      "correct the address, or turn tx_policy.batching off",
    );
  }
  // A chain with type-4 transactions (Prague) has this field in every block.
  const block = (await rpc?.once("eth_getBlockByNumber", ["latest", false])) as
    | { readonly requestsHash?: unknown }
    | undefined;
  return block?.requestsHash === undefined
    ? warn(
        "this chain does not show that it takes type-4 transactions",
        "the node falls back to single transactions where it does not; turn tx_policy.batching off if the log says so",
      )
    : ok(`executor at ${executor}`);
}
