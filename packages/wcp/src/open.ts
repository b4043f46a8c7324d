import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { parseSpec, SpecError, type WorkflowSpec } from "@subnet-worker/activity-spec";
import { decodeContractError } from "@subnet-worker/contracts";
import {
  type Clock,
  EXIT,
  listenOps,
  type Logger,
  type OpsServer,
  type OpsServerDeps,
  StartupError,
} from "@subnet-worker/kit";
import type { EvmGatesOptions } from "./adapters/evm/gates.ts";
import { exposureOf, readKeystore, readPassword } from "./adapters/keystore/key-files.ts";
import { decryptKeystore, parseKey, type WalletKey } from "./adapters/keystore/keystore.ts";
import { KeystoreError } from "./adapters/keystore/keystore-error.ts";
import { createLocalSigner } from "./adapters/signer.ts";
import { type KeyLockOptions, lockKey, thisProcess } from "./adapters/sqlite/process-lock.ts";
import { openStore } from "./adapters/sqlite/store.ts";
import { StoreError } from "./adapters/sqlite/store-error.ts";
import type { Config } from "./config.ts";
import type { Revert } from "./domain/intent.ts";
import { unreachable } from "./domain/unreachable.ts";
import type { Signer } from "./chain-ports.ts";
import type { Store } from "./ports.ts";

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

/** Holds the raw key, where there is no keystore. */
export const KEY_VARIABLE = "WCP__ETHEREUM__WALLET_PRIVATE_KEY";

/** Where the wallet's key is to come from. */
export type KeySource =
  | { readonly kind: "keystore"; readonly file: string; readonly passwordFile: string }
  | { readonly kind: "environment" }
  /** What the operator must change, as a sentence. */
  | { readonly kind: "none"; readonly problem: string };

/** Which source of the key is configured; exactly one must be. Opens nothing. */
export function keySourceOf({ ethereum }: Config): KeySource {
  const { keystore_file: file, keystore_password_file: passwordFile, wallet_private_key: raw } = ethereum;
  const none = (problem: string): KeySource => ({ kind: "none", problem });
  if (file === "" && raw === "") {
    return none(
      `the wallet has no key: set ethereum.keystore_file and ethereum.keystore_password_file (\`wcp keys new\` or \`wcp keys import\` makes both), or ${KEY_VARIABLE} in the environment`,
    );
  }
  if (file !== "" && raw !== "") {
    return none(
      `ethereum.keystore_file and ${KEY_VARIABLE} are both set, and only one can be the wallet's key; take one away`,
    );
  }
  if (raw !== "") return { kind: "environment" };
  if (passwordFile === "") {
    return none(
      `ethereum.keystore_password_file is not set; point it at a file whose first line is the password of ${file}`,
    );
  }
  return { kind: "keystore", file, passwordFile };
}

/**
 * Reads the wallet's key; decrypting takes about a second.
 *
 * @throws {StartupError} exit code 78; the message contains neither key nor password
 */
export async function openKey(config: Config): Promise<WalletKey> {
  const source = keySourceOf(config);
  if (source.kind === "none") throw new StartupError(EXIT.badConfig, source.problem);
  const key = await readKey(config, source);
  const expected = config.ethereum.wallet_address;
  if (expected !== "" && expected.toLowerCase() !== key.address.toLowerCase()) {
    throw new StartupError(
      EXIT.badConfig,
      `ethereum.wallet_address is ${expected}, but the key belongs to ${key.address}; correct the one that is wrong`,
    );
  }
  return key;
}

async function readKey(config: Config, source: Exclude<KeySource, { kind: "none" }>): Promise<WalletKey> {
  try {
    if (source.kind === "environment") return parseKey(config.ethereum.wallet_private_key);
    const password = readPassword(source.passwordFile);
    return await decryptKeystore(readKeystore(source.file), { name: source.file, password });
  } catch (error) {
    if (!(error instanceof KeystoreError)) throw error;
    const message =
      source.kind === "keystore"
        ? `ethereum.keystore_file: ${error.message}`
        : `ethereum.wallet_private_key: ${error.message}; set ${KEY_VARIABLE} to the key of the wallet that is registered as a worker`;
    // Without a cause: what a library says about a key may contain it.
    throw new StartupError(EXIT.badConfig, message);
  }
}

/**
 * The wallet's signer, which alone holds the decrypted key from then on. Warns of a key or a password that
 * is less protected than it could be.
 *
 * @throws {StartupError} exit code 78; the message contains neither key nor password
 */
export async function openSigner(config: Config, deps: { readonly logger: Logger }): Promise<Signer> {
  const { privateKey } = await openKey(config);
  for (const warning of keyWarnings(keySourceOf(config))) deps.logger.warn(warning);
  return createLocalSigner(privateKey, BigInt(config.ethereum.chain_id));
}

/** What is dangerous about where the key is kept; empty when nothing is. */
export function keyWarnings(source: KeySource): readonly string[] {
  switch (source.kind) {
    case "environment":
      return [
        `the wallet's key is in the environment as it is, where other programs of this user and crash reports can read it; put it into a keystore: wcp keys import --from-env ${KEY_VARIABLE} --out wallet.json --password-file wallet.password`,
      ];
    case "keystore":
      return [source.file, source.passwordFile].map(exposureOf).filter((problem) => problem !== undefined);
    case "none":
      return [];
    default:
      return unreachable(source);
  }
}

/** The configuration without the wallet's key, for everything that outlives the signer's making. */
export function withoutKey(config: Config): Config {
  return { ...config, ethereum: { ...config.ethereum, wallet_private_key: "" } };
}

/**
 * Keeps a second process on this machine away from the wallet's key, whatever its database.
 *
 * @throws {StartupError} exit code 75 while another process has it, and names that process
 */
export function lockWallet(config: Config, wallet: string, deps: LockDeps): Disposable {
  try {
    return lockKey(keyLockOptions(config, wallet, deps.env), thisProcess(deps.clock.nowMs()));
  } catch (error) {
    throw toStartupError(error);
  }
}

export interface LockDeps {
  readonly clock: Clock;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Where the lock on a wallet's key is. */
export function keyLockOptions(config: Config, wallet: string, env: LockDeps["env"]): KeyLockOptions {
  return {
    wallet,
    chainId: BigInt(config.ethereum.chain_id),
    env,
    databaseDir: dirname(config.db.path),
  };
}

/** A refusal of the store as the process tells it: 75 for what may pass, 78 for what must be changed. */
export function toStartupError(error: unknown): unknown {
  if (!(error instanceof StoreError)) return error;
  const exitCode = error.code === "IN_USE" ? EXIT.tryLater : EXIT.badConfig;
  return new StartupError(exitCode, error.message, { cause: error });
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
    throw toStartupError(error);
  }
}

/** What the start-up gates need to know. */
export function gateOptions({ ethereum, protocol }: Config, wallet: string): EvmGatesOptions {
  const { task_queue_address, workflow_engine_address, subnet_control_plane_address, multicall3_address } =
    ethereum;
  return {
    chainId: BigInt(ethereum.chain_id),
    wallet,
    contracts: {
      task_queue_address,
      workflow_engine_address,
      subnet_control_plane_address,
      multicall3_address,
    },
    subnetControlPlane: subnet_control_plane_address,
    contractVersions: { min: protocol.contract_min, max: protocol.contract_max },
  };
}

/** What revert data says: a name for decisions, a sentence for people. */
export function decodeRevert(data: string): Revert {
  const known = decodeContractError(data);
  if (known !== undefined) return { name: known.name, message: known.message };
  const message =
    data === "0x"
      ? "the contract refused without a reason"
      : `the contract refused with ${data.slice(0, 74)}`;
  return { name: "", message };
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
