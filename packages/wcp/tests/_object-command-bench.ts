import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Clock, createLogger, systemClock } from "@subnet-worker/kit";
import { listenStore } from "../../devnet/src/store/server.ts";
import { S3Storage } from "../src/adapters/s3/storage.ts";
import { openStore } from "../src/adapters/sqlite/store.ts";
import type { Store } from "../src/ports.ts";
import type { StorageBroker } from "../src/storage-ports.ts";
import { EvmBench, SPEC_TEXT, WORKER } from "./_evm-bench.ts";
import { type CommandResult, type IoOptions, runCommand } from "./_io.ts";
import { s3Options } from "./_storage-places.ts";

/** Two hours from now: what was written just now is no longer recent. */
export const LATE: Clock = Object.create(systemClock, {
  nowMs: { value: () => systemClock.nowMs() + 2 * 3_600_000 },
}) as Clock;

/** A chain, an object store, a database, and the commands that look at all three. */
export class ObjectCommandBench implements AsyncDisposable {
  readonly evm: EvmBench;
  readonly storage: StorageBroker;
  readonly dir: string;
  /** Settings that go before those of the file. */
  env: Readonly<Record<string, string>> = {};
  readonly #stack: AsyncDisposableStack;
  readonly #endpoint: string;

  private constructor(
    evm: EvmBench,
    at: { readonly endpoint: string; readonly stack: AsyncDisposableStack },
  ) {
    this.evm = evm;
    this.#endpoint = at.endpoint;
    this.#stack = at.stack;
    this.dir = mkdtempSync(join(tmpdir(), "objects-"));
    this.#stack.defer(() => rmSync(this.dir, { recursive: true, force: true }));
    this.storage = this.#stack.use(new S3Storage(s3Options(at.endpoint), { clock: systemClock }));
    writeFileSync(join(this.dir, "audio.yaml"), SPEC_TEXT);
    this.configure();
  }

  static async start(): Promise<ObjectCommandBench> {
    await using stack = new AsyncDisposableStack();
    const evm = stack.use(await EvmBench.start());
    const directory = mkdtempSync(join(tmpdir(), "s3-"));
    stack.defer(() => rmSync(directory, { recursive: true, force: true }));
    const { bucket, accessKeyId, secretAccessKey } = s3Options("");
    const logger = createLogger({ name: "test", level: "silent" });
    const where = { host: "127.0.0.1", port: 0, directory };
    const server = stack.use(
      await listenStore({ ...where, bucket, accessKeyId, secretAccessKey }, { logger }),
    );
    return new ObjectCommandBench(evm, { endpoint: server.url, stack: stack.move() });
  }

  /** Writes the configuration; `more` goes to its `[storage]`. */
  configure(more = "", rpcUrl: string = this.evm.dev.anvil.url, bucket = "contract"): void {
    const { taskQueue, workflowEngine, subnetControlPlane } = this.evm.dev.contracts;
    writeFileSync(
      join(this.dir, "wcp.toml"),
      `[ethereum]
rpc_url = "${rpcUrl}"
chain_id = 31337
rpc_timeout = "2s"
task_queue_address = "${taskQueue}"
workflow_engine_address = "${workflowEngine}"
subnet_control_plane_address = "${subnetControlPlane}"
[scheduler]
queue_name = "audio/1.0.0/processing"
[specs]
files = ["audio.yaml"]
[storage]
endpoint = "${this.#endpoint}"
bucket = "${bucket}"
${more}
`,
    );
  }

  /** The database, as the running node has it open. */
  store(): Store {
    const options = { path: join(this.dir, "wcp.db"), chainId: 31_337n, wallet: WORKER };
    return openStore(options, { clock: systemClock });
  }

  wcp(argv: readonly string[], clock: Clock = LATE, io: Partial<IoOptions> = {}): Promise<CommandResult> {
    const { accessKeyId, secretAccessKey } = s3Options("");
    const env = {
      ...this.env,
      WCP__STORAGE__ACCESS_KEY_ID: accessKeyId,
      WCP__STORAGE__SECRET_ACCESS_KEY: secretAccessKey,
    };
    const all = [...argv, "--config", join(this.dir, "wcp.toml")];
    return runCommand(all, { ...io, cwd: this.dir, env, io: { ...io.io, clock } });
  }

  /** Puts objects there, as runs would have. */
  async put(...keys: readonly string[]): Promise<void> {
    for (const key of keys) await this.putWith(key);
  }

  /** Puts one there, with its digest where there is one. */
  async putWith(key: string, sha256?: Uint8Array): Promise<void> {
    const wish = { mediaType: "text/plain", sizeBytes: 3, ...(sha256 === undefined ? {} : { sha256 }) };
    const ticket = await this.storage.uploadTicket(key, wish);
    const response = await fetch(ticket.url, { method: "PUT", headers: { ...ticket.headers }, body: "abc" });
    if (!response.ok) throw new Error(`PUT ${key}: HTTP ${response.status}`);
  }

  /** All keys there are, in order. */
  async keys(): Promise<string[]> {
    const keys: string[] = [];
    for await (const { objectKey } of this.storage.list("")) keys.push(objectKey);
    return keys;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}
