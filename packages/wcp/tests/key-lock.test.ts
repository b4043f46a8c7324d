import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  describeHolder,
  keyHolder,
  type KeyLockOptions,
  lockKey,
  thisProcess,
} from "../src/adapters/sqlite/process-lock.ts";

const WALLET = "0xAbCd000000000000000000000000000000000001";
const STARTED_AT_MS = Date.UTC(2026, 0, 2, 3, 4, 5);
const SELF = thisProcess(STARTED_AT_MS);

let dir: string;
let children: ChildProcess[];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "key-lock-"));
  children = [];
});

afterEach(() => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(dir, { recursive: true, force: true });
});

function options(overrides: Partial<KeyLockOptions> = {}): KeyLockOptions {
  return {
    wallet: WALLET,
    chainId: 31_337n,
    env: { SUBNET_WORKER_LOCK_DIR: join(dir, "locks") },
    databaseDir: join(dir, "db"),
    ...overrides,
  };
}

/** A process that holds the lock, from when this resolves. */
async function startHolder(): Promise<ChildProcess> {
  const script = fileURLToPath(new URL("_key-lock-holder.ts", import.meta.url));
  const child = spawn(
    process.execPath,
    ["--conditions=@subnet-worker/source", script, WALLET, join(dir, "locks"), String(STARTED_AT_MS)],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  children.push(child);
  await once(child.stdout, "data");
  return child;
}

describe("the lock on a key", () => {
  it("refuses a second process and names the first, until that is killed", async () => {
    const holder = await startHolder();
    expect(() => lockKey(options(), SELF)).toThrow(
      `[IN_USE] the key of ${WALLET} is in use on chain 31337 by process ${holder.pid} on ${hostname()}, running since 2026-01-02T03:04:05.000Z; stop that one first`,
    );
    expect(keyHolder(options())).toEqual({ pid: holder.pid, host: hostname(), startedAtMs: STARTED_AT_MS });
    holder.kill("SIGKILL");
    await once(holder, "exit");
    expect(keyHolder(options())).toBeUndefined();
    using _lock = lockKey(options(), SELF);
    expect(keyHolder(options())).toEqual(SELF);
  });

  it("is of one wallet on one chain, however the address is written", () => {
    using _lock = lockKey(options(), SELF);
    using _otherChain = lockKey(options({ chainId: 1n }), SELF);
    using _otherWallet = lockKey(options({ wallet: `0x${"11".repeat(20)}` }), SELF);
    expect(() => lockKey(options({ wallet: WALLET.toLowerCase() }), SELF)).toThrow("[IN_USE]");
  });

  it("is given back when it is disposed of", () => {
    lockKey(options(), SELF)[Symbol.dispose]();
    using _lock = lockKey(options(), SELF);
    expect(keyHolder(options())).toEqual(SELF);
  });

  it("is not taken by looking at it, and looking makes no file", () => {
    expect(keyHolder(options())).toBeUndefined();
    expect(readdirSync(dir)).toEqual([]);
    lockKey(options(), SELF)[Symbol.dispose]();
    expect(keyHolder(options())).toBeUndefined();
    using _lock = lockKey(options(), SELF);
  });

  it("is in all of the user's places, so that a service and a login shell meet in one", () => {
    const state = { XDG_STATE_HOME: join(dir, "state") };
    using _service = lockKey(options({ env: state }), SELF);
    const login = { ...state, XDG_RUNTIME_DIR: join(dir, "run") };
    expect(() => lockKey(options({ env: login }), SELF)).toThrow("[IN_USE]");
    expect(keyHolder(options({ env: login }))).toEqual(SELF);
    const elsewhere = { XDG_STATE_HOME: join(dir, "other"), XDG_RUNTIME_DIR: join(dir, "run") };
    // They share the temporary folder, which is the last of the places.
    expect(() => lockKey(options({ env: elsewhere }), SELF)).toThrow("[IN_USE]");
  });

  it("is beside the database too, for where no other place can be written, and for other users", () => {
    writeFileSync(join(dir, "locks"), "a file where the folder should be");
    mkdirSync(join(dir, "db"));
    using _lock = lockKey(options(), SELF);
    expect(readdirSync(join(dir, "db"))).toContain(`key-31337-${WALLET.toLowerCase()}.lock`);
    expect(() => lockKey(options(), SELF)).toThrow("[IN_USE]");
    expect(keyHolder(options())).toEqual(SELF);
  });

  it("does not take itself for another process where two places are one by another name", () => {
    mkdirSync(join(dir, "db"));
    symlinkSync(join(dir, "db"), join(dir, "locks"));
    using _lock = lockKey(options(), SELF);
    expect(() => lockKey(options(), SELF)).toThrow("[IN_USE]");
  });

  it("says what to set when there is no place at all", () => {
    writeFileSync(join(dir, "locks"), "");
    writeFileSync(join(dir, "db"), "");
    expect(() => lockKey(options(), SELF)).toThrow("set SUBNET_WORKER_LOCK_DIR to a folder");
  });

  it("holds although the other process has not said who it is", () => {
    using _lock = lockKey(options(), SELF);
    rmSync(join(dir, "locks", `key-31337-${WALLET.toLowerCase()}.lock.holder`));
    expect(() => lockKey(options(), SELF)).toThrow("by another process, which has not said which;");
    expect(describeHolder(SELF)).toBe(
      `process ${process.pid} on ${hostname()}, running since 2026-01-02T03:04:05.000Z`,
    );
  });
});
