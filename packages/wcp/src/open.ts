import { readFileSync } from "node:fs";
import { parseSpec, SpecError, type WorkflowSpec } from "@subnet-worker/activity-spec";
import {
  type Clock,
  EXIT,
  listenOps,
  type OpsServer,
  type OpsServerDeps,
  StartupError,
} from "@subnet-worker/kit";
import { createLocalSigner } from "./adapters/signer.ts";
import { openStore } from "./adapters/sqlite/store.ts";
import { StoreError } from "./adapters/sqlite/store-error.ts";
import type { Config } from "./config.ts";
import type { Signer, Store } from "./ports.ts";

/** Reads the workflow files, which must describe every queue. @throws {StartupError} exit code 78 */
export function readSpecs({ specs, scheduler }: Config): WorkflowSpec[] {
  const workflows = parseSpecs(specs.files);
  const described = workflows.flatMap(({ activities }) => activities.map(({ queue }) => queue));
  const unknown = scheduler.queue_name.filter((queue) => !described.includes(queue));
  if (unknown.length > 0) {
    throw new StartupError(
      EXIT.badConfig,
      `scheduler.queue_name: no file in specs.files describes ${unknown.join(" and ")}; the files describe ${[...new Set(described)].join(", ")}`,
    );
  }
  return workflows;
}

function parseSpecs(files: readonly string[]): WorkflowSpec[] {
  try {
    return files.map((fileName) => parseSpec(readFileSync(fileName, "utf8"), { fileName }));
  } catch (error) {
    if (error instanceof SpecError) throw new StartupError(EXIT.badConfig, error.message, { cause: error });
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartupError(EXIT.badConfig, `specs.files: ${reason}; correct the path`, { cause: error });
  }
}

/** The wallet's signer. @throws {StartupError} exit code 78; the message never contains the key */
export function openSigner({ ethereum }: Config): Signer {
  const signer = localSigner(ethereum);
  const expected = ethereum.wallet_address;
  if (expected !== "" && expected.toLowerCase() !== signer.address.toLowerCase()) {
    throw new StartupError(
      EXIT.badConfig,
      `ethereum.wallet_address is ${expected}, but the key belongs to ${signer.address}; correct the one that is wrong`,
    );
  }
  return signer;
}

function localSigner(ethereum: Config["ethereum"]): Signer {
  try {
    return createLocalSigner(ethereum.wallet_private_key, BigInt(ethereum.chain_id));
  } catch (error) {
    // Neither the message nor the cause of any other error: what a library says about a key may contain it.
    const reason =
      error instanceof RangeError
        ? error.message
        : "the wallet key is no key: zero, or beyond the curve's order";
    throw new StartupError(
      EXIT.badConfig,
      `ethereum.wallet_private_key: ${reason}; set WCP__ETHEREUM__WALLET_PRIVATE_KEY to the key of the wallet that is registered as a worker`,
    );
  }
}

/** The database of this wallet and chain. @throws {StartupError} exit code 78, or 75 while another process has it */
export function openWalletStore(
  config: Config,
  deps: { readonly wallet: string; readonly clock: Clock },
): Store {
  try {
    const chainId = BigInt(config.ethereum.chain_id);
    return openStore({ path: config.db.path, chainId, wallet: deps.wallet }, { clock: deps.clock });
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    const exitCode = error.code === "IN_USE" ? EXIT.tryLater : EXIT.badConfig;
    throw new StartupError(exitCode, error.message, { cause: error });
  }
}

/** Health and metrics. @throws {StartupError} exit code 75 when the port is taken */
export async function listenAdmin({ admin }: Config, deps: OpsServerDeps): Promise<OpsServer> {
  try {
    return await listenOps(admin, deps);
  } catch (error) {
    throw new StartupError(
      EXIT.tryLater,
      `admin port ${admin.host}:${admin.port} cannot be bound (${error instanceof Error ? error.message : String(error)}); set admin.port to a free one, or 0`,
      { cause: error },
    );
  }
}
