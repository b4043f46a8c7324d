import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { systemClock } from "@subnet-worker/kit";
import { parseKey } from "../src/adapters/keystore/keystore.ts";
import { lockKey, thisProcess } from "../src/adapters/sqlite/process-lock.ts";
import { openStore } from "../src/adapters/sqlite/store.ts";
import type { Attempt, Receipt, Transaction, TransactionState } from "../src/domain/transaction.ts";
import type { Store } from "../src/ports.ts";
import { type CommandResult, type IoOptions, runCommand } from "./_io.ts";

export const RAW = "0x4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318";
export const WALLET: string = parseKey(RAW).address;
export const KEY = "WCP__ETHEREUM__WALLET_PRIVATE_KEY";
const SPEC = fileURLToPath(new URL("../../../e2e/fixtures/echo.yaml", import.meta.url));
export const ID = `0x${"ab".repeat(32)}`;

/** A folder with a configuration, and the commands run in it. */
export class CommandBench implements Disposable {
  readonly dir: string = mkdtempSync(join(tmpdir(), "commands-"));
  readonly config: string = join(this.dir, "wcp.toml");

  constructor() {
    writeFileSync(this.config, CONFIG);
  }

  path(name: string): string {
    return join(this.dir, name);
  }

  wcp(argv: readonly string[], options: IoOptions = {}): Promise<CommandResult> {
    const isKeys = argv[0] === "keys" && argv[1] !== "address";
    const env = { SUBNET_WORKER_LOCK_DIR: this.path("locks"), [KEY]: RAW, ...options.env };
    const where = isKeys ? [] : ["--config", this.config];
    return runCommand([...argv.slice(0, 2), ...where, ...argv.slice(2)], { cwd: this.dir, ...options, env });
  }

  /** The database, as the running node has it open. */
  store(): Store {
    const options = { path: this.path("wcp.db"), chainId: 31_337n, wallet: WALLET };
    return openStore(options, { clock: systemClock });
  }

  /** The lock that a running node has. */
  lock(): Disposable {
    const env = { SUBNET_WORKER_LOCK_DIR: this.path("locks") };
    return lockKey({ wallet: WALLET, chainId: 31_337n, env, databaseDir: this.dir }, thisProcess(0));
  }

  [Symbol.dispose](): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}

const CONFIG = `[ethereum]
rpc_url = ["https://user:pass@rpc.example/v3/0123456789abcdef", "http://127.0.0.1:8545"]
ws_url = "wss://rpc.example/ws?key=0123456789abcdef"
chain_id = 31337
task_queue_address = "0x${"11".repeat(20)}"
workflow_engine_address = "0x${"22".repeat(20)}"
subnet_control_plane_address = "0x${"33".repeat(20)}"
[scheduler]
queue_name = "echo/1.0.0/processing"
poll_interval = "1500ms"
[specs]
files = ["${SPEC}"]
[db]
path = "wcp.db"
`;

export const ATTEMPT: Attempt = {
  txHash: `0x${"a1".repeat(32)}`,
  raw: "0x02a1",
  isNoop: false,
  maxFeePerGasWei: 2_500_000_000n,
  maxPriorityFeePerGasWei: 1_000_000_000n,
  gasLimit: 100_000n,
  signedAtMs: Date.now(),
};

export const RECEIPT: Receipt = {
  txHash: ATTEMPT.txHash,
  blockNumber: 12,
  blockHash: `0x${"b1".repeat(32)}`,
  gasUsed: 50_000n,
  effectiveGasPriceWei: 1_500_000_000n,
  succeeded: true,
};

/** A claim with nonce 7, in this state. */
export async function saveClaim(target: Store, state: TransactionState): Promise<void> {
  const request = { key: `${ID}:1:claim`, kind: "claim", taskId: ID, to: WALLET, data: "0xc1" } as const;
  const intent = await target.addIntent(request, Date.now());
  const transaction: Transaction = {
    nonce: 7,
    kind: "single",
    intentIds: [intent.id],
    attempts: [ATTEMPT],
    createdAtMs: Date.now() - 90_000,
    state,
  };
  const signed = { ...intent, state: { kind: "signed", nonce: 7 } } as const;
  await target.saveTransaction({ transaction, attempt: ATTEMPT, intents: [signed] });
}
