import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { subnetControlPlaneInterface } from "@subnet-worker/contracts";
import { type Anvil, startAnvil } from "@subnet-worker/contracts/anvil";
import { deployContracts, type DeployedContracts } from "@subnet-worker/contracts/deploy";
import { systemClock } from "@subnet-worker/kit";
import { ScriptedWep } from "@subnet-worker/testkit";
import { encryptKeystoreJsonSync, Wallet } from "ethers";
import { openStore } from "../src/adapters/sqlite/store.ts";
import type { Finding } from "../src/commands/doctor/check.ts";
import type { Store } from "../src/ports.ts";
import { type CommandResult, runCommand } from "./_io.ts";
import { minedBy } from "./_mined.ts";

const SPEC = fileURLToPath(new URL("../../../e2e/fixtures/echo.yaml", import.meta.url));
const KEY = "WCP__ETHEREUM__WALLET_PRIVATE_KEY";

type Value = string | number | boolean | readonly string[];
export type Settings = Readonly<Record<string, Value>>;

export interface TestWallet {
  readonly address: string;
  readonly privateKey: string;
}

/** What `wcp doctor --json` prints. */
export interface Diagnosis {
  readonly code: number;
  readonly healthy: boolean;
  readonly summary: string;
  readonly findings: readonly Finding[];
  /** @throws when there is none */
  readonly finding: (id: string) => Finding;
}

/** A chain, a WEP and a wallet that are all well, for a test to spoil. */
export class DoctorBench implements AsyncDisposable {
  readonly dir: string = mkdtempSync(join(tmpdir(), "doctor-"));
  readonly anvil: Anvil;
  readonly contracts: DeployedContracts;
  readonly wep: ScriptedWep;
  readonly wallet: TestWallet;

  private constructor(parts: Pick<DoctorBench, "anvil" | "contracts" | "wep" | "wallet">) {
    this.anvil = parts.anvil;
    this.contracts = parts.contracts;
    this.wep = parts.wep;
    this.wallet = parts.wallet;
  }

  static async start(): Promise<DoctorBench> {
    const anvil = await startAnvil();
    const contracts = await deployContracts({}, { rpcUrl: anvil.url });
    const wep = await ScriptedWep.listen();
    const { address, privateKey } = Wallet.createRandom();
    const bench = new DoctorBench({ anvil, contracts, wep, wallet: { address, privateKey } });
    await bench.fund(address);
    await bench.sendAs(address, "registerWorker", [16]);
    return bench;
  }

  async rpc(method: string, params: readonly unknown[], url: string = this.anvil.url): Promise<unknown> {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
    });
    const { result, error } = (await response.json()) as {
      readonly result?: unknown;
      readonly error?: unknown;
    };
    if (error !== undefined) throw new Error(`${method}: ${JSON.stringify(error)}`);
    return result;
  }

  async fund(address: string, hexWei = "0x3635c9adc5dea00000"): Promise<void> {
    await this.rpc("anvil_setBalance", [address, hexWei]);
  }

  /** A call of the control plane from somebody whose key is not needed; it is in a block afterwards. */
  async sendAs(from: string, name: string, args: readonly unknown[]): Promise<void> {
    const data = subnetControlPlaneInterface.encodeFunctionData(name, args);
    await this.rpc("anvil_impersonateAccount", [from]);
    const transaction = { from, to: this.contracts.subnetControlPlane, data };
    const ask = (method: string, params: readonly unknown[]) => this.rpc(method, params);
    await minedBy(ask, await this.rpc("eth_sendTransaction", [transaction]));
  }

  /** What the WEP says it can run. */
  kinds: readonly { readonly kind: string; readonly version: string }[] = [
    { kind: "test.echo", version: "1.0.0" },
  ];

  async #welcomeNext(): Promise<void> {
    const stream = await this.wep.next();
    await stream.welcome({ maxConcurrency: 2, kinds: [...this.kinds] });
  }

  /** Runs the doctor with `changes` laid over settings that work; `undefined` in `env` takes a variable away. */
  async run(
    changes: Settings = {},
    options: { readonly env?: Readonly<Record<string, string>>; readonly json?: boolean } = {},
  ): Promise<CommandResult> {
    const path = join(this.dir, "wcp.toml");
    writeFileSync(path, toToml({ ...this.#settings(), ...changes }));
    const env = {
      SUBNET_WORKER_LOCK_DIR: join(this.dir, "locks"),
      [KEY]: this.wallet.privateKey,
      ...options.env,
    };
    void this.#welcomeNext(); // a run that does not dial leaves it to the next one
    const argv = ["doctor", "--config", path, ...(options.json === false ? [] : ["--json"])];
    return runCommand(argv, { cwd: this.dir, env });
  }

  async diagnose(changes: Settings = {}, env: Readonly<Record<string, string>> = {}): Promise<Diagnosis> {
    const { code, out } = await this.run(changes, { env });
    const report = JSON.parse(out) as Omit<Diagnosis, "code" | "finding">;
    return {
      ...report,
      code,
      finding(id) {
        const found = report.findings.find((each) => each.id === id);
        if (found === undefined)
          throw new Error(`no finding ${id} in ${report.findings.map((each) => each.id).join(" ")}`);
        return found;
      },
    };
  }

  /** A database in the bench's folder, as a node has it open. */
  openDatabase(name: string, wallet: string): Store {
    const options = { path: join(this.dir, name), chainId: 31_337n, wallet };
    return openStore(options, { clock: systemClock });
  }

  /** Variables for a keystore in place of the raw key. */
  keystore({ password = "pw", mode = 0o600 } = {}): Record<string, string> {
    const json = encryptKeystoreJsonSync(this.wallet, "pw", { scrypt: { N: 2, r: 8, p: 1 } });
    writeFileSync(join(this.dir, "k.json"), json, { mode: 0o600 });
    writeFileSync(join(this.dir, "k.pass"), `${password}\n`);
    chmodSync(join(this.dir, "k.pass"), mode);
    return {
      [KEY]: "",
      WCP__ETHEREUM__KEYSTORE_FILE: "k.json",
      WCP__ETHEREUM__KEYSTORE_PASSWORD_FILE: "k.pass",
    };
  }

  #settings(): Settings {
    return {
      wep_grpc_endpoint: this.wep.url,
      "ethereum.rpc_url": this.anvil.url,
      "ethereum.ws_url": this.anvil.wsUrl,
      "ethereum.chain_id": 31_337,
      "ethereum.task_queue_address": this.contracts.taskQueue,
      "ethereum.workflow_engine_address": this.contracts.workflowEngine,
      "ethereum.subnet_control_plane_address": this.contracts.subnetControlPlane,
      "ethereum.multicall3_address": this.contracts.multicall3,
      // Far beyond what a busy machine takes, or the doctor would rightly find fault with anvil.
      "ethereum.rpc_timeout": "20s",
      "scheduler.queue_name": ["echo/1.0.0/processing"],
      "specs.files": [SPEC],
      "db.path": "wcp.db",
      "admin.port": 0,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.wep[Symbol.asyncDispose]();
    await this.anvil[Symbol.asyncDispose]();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Dotted names stand for themselves in TOML. */
function toToml(settings: Settings): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name} = ${JSON.stringify(value)}\n`)
    .join("");
}
