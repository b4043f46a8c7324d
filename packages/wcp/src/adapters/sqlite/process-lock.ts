import { lstatSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { homedir, hostname, tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { StoreError } from "./store-error.ts";

/**
 * Looking whether a lock is held takes a shared lock for a moment; a process that starts just then
 * waits for it instead of giving up.
 */
const GLANCE_MS = 500;

/**
 * Keeps a second process away from a database: two would hand out the same nonces.
 * A lock on a file beside it, which the kernel gives back however this process ends,
 * and which leaves the database itself readable for tools.
 *
 * @throws {StoreError} IN_USE
 */
export function lockForProcess(path: string): Disposable {
  const lock = tryLock(`${path}-lock`);
  if (lock === undefined) {
    throw new StoreError(
      "IN_USE",
      `${path} is in use by another process; stop that one first, or set db.path to another file: one wallet has one process`,
    );
  }
  return lock;
}

/** A wallet on a chain, and where locks are kept on this machine. */
export interface KeyLockOptions {
  readonly wallet: string;
  readonly chainId: bigint;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** One more place for it: another user, such as root, comes to the same database, and a container may have no other. */
  readonly databaseDir: string;
}

/** The process that has a key. */
export interface KeyHolder {
  readonly pid: number;
  readonly host: string;
  readonly startedAtMs: number;
}

/**
 * Keeps a second process of this user on this machine away from a key, whatever database it uses: two
 * would send with the same nonces. Released by the kernel however this process ends.
 *
 * It is taken in each of the user's places for such files, since a service, a login and a cron job see
 * different ones of them, and beside the database. Another user with another database, and another
 * machine, are not kept away.
 *
 * @throws {StoreError} IN_USE, which names the other process; CANNOT_OPEN when there is no place at all
 */
export function lockKey(options: KeyLockOptions, self: KeyHolder): Disposable {
  using stack = new DisposableStack();
  const problems: unknown[] = [];
  const dirs = lockDirs(options);
  const seen = new Set<string>();
  for (const dir of dirs) {
    try {
      const real = prepared(dir);
      // By two names: a lock of our own would look like somebody else's.
      if (!seen.has(real)) stack.use(lockIn(real, { options, self }));
      seen.add(real);
    } catch (error) {
      if (error instanceof StoreError) throw error;
      problems.push(error); // a read-only home, say: the next place may do
    }
  }
  if (problems.length === dirs.length) {
    throw new StoreError(
      "CANNOT_OPEN",
      `no place for the lock on the wallet's key (${problems.map(reasonOf).join("; ")}); set ${LOCK_DIR_VARIABLE} to a folder this process may write`,
      { cause: problems[0] },
    );
  }
  return stack.move();
}

/** Which process has the key; `undefined` when none has. Takes nothing and writes nothing. */
export function keyHolder(options: KeyLockOptions): KeyHolder | undefined {
  const paths = lockDirs(options).map((dir) => lockPath(dir, options));
  const held = paths.find((path) => isHeld(path));
  return held === undefined ? undefined : (readHolder(held) ?? UNKNOWN_HOLDER);
}

/** A sentence part: `process 12 on node-a, running since ...`. */
export function describeHolder({ pid, host, startedAtMs }: KeyHolder): string {
  if (pid === UNKNOWN_HOLDER.pid) return "another process, which has not said which";
  return `process ${pid} on ${host}, running since ${new Date(startedAtMs).toISOString()}`;
}

const UNKNOWN_HOLDER: KeyHolder = { pid: 0, host: "", startedAtMs: 0 };

interface Attempt {
  readonly options: KeyLockOptions;
  readonly self: KeyHolder;
}

function lockIn(dir: string, { options, self }: Attempt): Disposable {
  const path = lockPath(dir, options);
  const lock = tryLock(path);
  if (lock === undefined) {
    throw new StoreError(
      "IN_USE",
      `the key of ${options.wallet} is in use on chain ${options.chainId} by ${describeHolder(readHolder(path) ?? UNKNOWN_HOLDER)}; stop that one first: two processes with one key would overwrite each other's transactions`,
    );
  }
  try {
    writeFileSync(holderPath(path), JSON.stringify(self), { mode: 0o600 });
  } catch (error) {
    lock[Symbol.dispose]();
    throw error;
  }
  return lock;
}

/** The folder, made if missing, by its real name. */
function prepared(dir: string): string {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  refuseForeignTemp(dir);
  return realpathSync(dir);
}

/** Anybody may make a folder of this name in a shared one, and put links into it for us to follow. */
function refuseForeignTemp(dir: string): void {
  const user = process.getuid?.();
  if (user === undefined || dir !== tempDir()) return;
  const stat = lstatSync(dir);
  if (!stat.isDirectory() || stat.uid !== user) throw new Error(`${dir} belongs to somebody else`);
}

function tempDir(): string {
  return join(tmpdir(), `subnet-worker-${process.getuid?.() ?? "user"}`);
}

/** Overrides where locks are kept. Not a setting: a mistake in a file must not undo the lock. */
export const LOCK_DIR_VARIABLE = "SUBNET_WORKER_LOCK_DIR";

function lockDirs({ env, databaseDir }: KeyLockOptions): readonly string[] {
  const override = env[LOCK_DIR_VARIABLE];
  if (override !== undefined && override !== "") return [...new Set([override, databaseDir])];
  const name = "subnet-worker";
  const runtime = env["XDG_RUNTIME_DIR"];
  const state = env["XDG_STATE_HOME"];
  const dirs = [
    state === undefined || state === "" ? join(homedir(), ".local", "state", name) : join(state, name),
    ...(runtime === undefined || runtime === "" ? [] : [join(runtime, name)]),
    tempDir(),
    databaseDir,
  ];
  return [...new Set(dirs)];
}

function lockPath(dir: string, { wallet, chainId }: KeyLockOptions): string {
  return join(dir, `key-${chainId}-${wallet.toLowerCase()}.lock`);
}

/** Beside the lock: closing a file drops every lock that this process has on it. */
function holderPath(path: string): string {
  return `${path}.holder`;
}

function readHolder(path: string): KeyHolder | undefined {
  try {
    const { pid, host, startedAtMs } = JSON.parse(
      readFileSync(holderPath(path), "utf8"),
    ) as Partial<KeyHolder>;
    if (typeof pid !== "number" || typeof host !== "string" || typeof startedAtMs !== "number")
      return undefined;
    return { pid, host, startedAtMs };
  } catch {
    return undefined; // being written just now, or not readable for us: the lock itself is what counts
  }
}

/** This process. */
export function thisProcess(startedAtMs: number): KeyHolder {
  return { pid: process.pid, host: hostname(), startedAtMs };
}

function tryLock(path: string): Disposable | undefined {
  const lock = new Database(path, { timeout: GLANCE_MS });
  try {
    lock.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    lock.close();
    if (isBusy(error)) return undefined;
    throw error;
  }
  return { [Symbol.dispose]: () => lock.close() };
}

function isHeld(path: string): boolean {
  let glance: Database.Database | undefined;
  try {
    glance = new Database(path, { readonly: true, fileMustExist: true, timeout: 0 });
    glance.prepare("SELECT count(*) FROM sqlite_schema").get();
    return false;
  } catch (error) {
    if (isBusy(error)) return true;
    if (error instanceof Database.SqliteError || error instanceof TypeError) return false; // no such file
    throw error;
  } finally {
    glance?.close();
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Database.SqliteError && error.code === "SQLITE_BUSY";
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
