import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { subnetControlPlaneReads } from "@subnet-worker/contracts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePort } from "./_rpc-proxy.ts";
import { until } from "./_until.ts";
import { type BareChain, ECHO_QUEUE, ECHO_SPEC_PATH, startBareChain } from "./_bare-chain.ts";
import {
  configWith,
  fundedWallet,
  makeWcp,
  startWcp,
  type WcpConfig,
  wcpConfig,
  type WcpHome,
} from "./_wcp.ts";

const KEY = "WCP__ETHEREUM__WALLET_PRIVATE_KEY";

let chain: BareChain;
let dir: string;
let config: WcpConfig;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "e2e-"));
  chain = await startBareChain();
  config = configWith(wcpConfig(chain.facts, "http://127.0.0.1:1", ECHO_SPEC_PATH), {
    scheduler: { queue_name: [ECHO_QUEUE] },
  });
});

afterAll(async () => {
  await chain[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

interface Said {
  readonly code: number | string;
  readonly out: string;
  readonly err: string;
}

/** Runs a command of a home's wallet to its end. */
async function wcp(home: WcpHome, key: string, ...args: readonly string[]): Promise<Said> {
  await using process = await startWcp([...args, "--config", home.configPath], {
    cwd: home.dir,
    env: { [KEY]: key, SUBNET_WORKER_LOCK_DIR: join(home.dir, "locks") },
  });
  const code = await process.ended;
  return { code, out: process.stdout(), err: process.stderr() };
}

const home = (key: string, changes: Parameters<typeof configWith>[1] = {}) =>
  makeWcp({ dir, config: configWith(config, changes), env: { [KEY]: key } });

async function workerOf(address: string) {
  const read = subnetControlPlaneReads(chain.facts.subnetControlPlane).getWorker(address);
  return read.decode(
    (await chain.anvil.rpc("eth_call", [{ to: read.to, data: read.data }, "latest"])) as string,
  );
}

const balanceOf = async (address: string) =>
  BigInt((await chain.anvil.rpc("eth_getBalance", [address, "latest"])) as string);

describe("wcp register and deactivate", () => {
  test("put a wallet to work and out of it, and say what it cost", async () => {
    const { address, privateKey } = await fundedWallet(chain.facts, { registered: false });
    const its = home(privateKey);
    const registered = await wcp(its, privateKey, "register", "--capacity", "5");
    expect(registered).toMatchObject({ code: 0, err: "" });
    expect(registered.out).toMatch(/^registerWorker: sending 0x[0-9a-f]{64} \(nonce 0, /);
    expect(registered.out).toMatch(/^cost +0\.\d+ \(\d+ gas at [\d.]+ gwei\)$/m);
    expect(registered.out).toContain(`${address} is registered, with a capacity of 5`);
    expect(await workerOf(address)).toMatchObject({ isActive: true, capacity: 5 });
    const again = await wcp(its, privateKey, "register", "--capacity", "5");
    expect(again.out).toContain("nothing to do");
    const deactivated = await wcp(its, privateKey, "deactivate");
    expect(deactivated).toMatchObject({
      code: 0,
      out: expect.stringContaining("claims no more; wcp register takes that back"),
    });
    expect(await workerOf(address)).toMatchObject({ isRegistered: true, isActive: false });
  });

  test("what the contract would refuse is not sent, and costs nothing", async () => {
    const { address, privateKey } = await fundedWallet(chain.facts, { registered: false });
    const before = await balanceOf(address);
    const refused = await wcp(home(privateKey), privateKey, "deactivate");
    expect(refused).toMatchObject({ code: 1, out: "" });
    expect(refused.err).toContain("deactivateWorker would fail, so nothing was sent");
    expect(refused.err).toContain("is not registered");
    expect(await balanceOf(address)).toBe(before);
  });

  test("a wallet without funds, another chain and a dead endpoint are told as such", async () => {
    const { address, privateKey } = await fundedWallet(chain.facts, { registered: false });
    await chain.anvil.rpc("anvil_setBalance", [address, "0x1"]);
    const poor = await wcp(home(privateKey), privateKey, "register");
    expect(poor).toMatchObject({
      code: 1,
      err: expect.stringContaining(`${address} has <0.000001 and this may cost up to`),
    });
    const other = await wcp(home(privateKey, { ethereum: { chain_id: 1 } }), privateKey, "register");
    expect(other).toMatchObject({
      code: 78,
      err: expect.stringContaining("serves chain 31337, but ethereum.chain_id is 1"),
    });
    const dead = await wcp(
      home(privateKey, { ethereum: { rpc_url: "http://127.0.0.1:9" } }),
      privateKey,
      "register",
    );
    expect(dead).toMatchObject({ code: 75, err: expect.stringContaining("no RPC endpoint answers") });
  });

  test("a transaction that is not mined in time is named, and not given up for lost", async () => {
    const { privateKey } = await fundedWallet(chain.facts, { registered: false });
    await chain.anvil.holdBlocks();
    try {
      const its = home(privateKey);
      const slow = await wcp(its, privateKey, "register", "--wait", "1s");
      expect(slow).toMatchObject({
        code: 75,
        err: expect.stringMatching(/not mined within 1s, and it may still be: 0x[0-9a-f]{64}/),
      });
      const next = await wcp(its, privateKey, "register");
      expect(next).toMatchObject({
        code: 75,
        err: expect.stringContaining("wait to be mined, from nonce 0"),
      });
    } finally {
      await chain.anvil.releaseBlocks();
    }
  });
});

test("wcp register replaces a transaction that is not mined with higher fees, and knows whichever is mined", async () => {
  const { address, privateKey } = await fundedWallet(chain.facts, { registered: false });
  await chain.anvil.holdBlocks();
  const hashOf = async () =>
    (await chain.anvil.pending()).find(({ from }) => from === address.toLowerCase())?.hash;
  try {
    const its = home(privateKey, { tx_policy: { bump_after: "1s", resend_after: "500ms" } });
    const registering = wcp(its, privateKey, "register");
    const first = await until("the first transaction", hashOf);
    await until("its replacement", async () => {
      const hash = await hashOf();
      return hash === first ? undefined : hash;
    });
    await chain.anvil.releaseBlocks();
    const { code, out } = await registering;
    expect(code).toBe(0);
    expect(out).toContain(`sending ${first}`);
    expect(out).toMatch(/^transaction +0x[0-9a-f]{64}$/m);
    expect(out).not.toContain(`transaction  ${first}`);
  } finally {
    await chain.anvil.releaseBlocks();
  }
  expect(await workerOf(address)).toMatchObject({ isActive: true });
});

test("wcp delegation revoke takes a delegation back", async () => {
  const { address, privateKey } = await fundedWallet(chain.facts, { registered: false });
  await chain.anvil.rpc("anvil_setCode", [address, `0xef0100${chain.facts.multicall3.slice(2)}`]);
  const its = home(privateKey);
  const shown = await wcp(its, privateKey, "delegation", "show");
  expect(shown.out).toContain(`${address} delegates to ${chain.facts.multicall3}`);
  const revoked = await wcp(its, privateKey, "delegation", "revoke");
  expect(revoked).toMatchObject({ code: 0, err: "" });
  expect(revoked.out.trimEnd().split("\n").at(-1)).toBe(`${address} delegates to nobody`);
  expect(await chain.anvil.rpc("eth_getCode", [address, "latest"])).toBe("0x");
  expect((await wcp(its, privateKey, "delegation", "revoke")).out).toContain("nothing to do");
});

describe("one key has one process", () => {
  test("a second WCP with another database ends with 75 and names the first, whose SIGKILL frees the key", async () => {
    const { address, privateKey } = await fundedWallet(chain.facts);
    const [first, second] = [home(privateKey), home(privateKey)];
    const shared = { SUBNET_WORKER_LOCK_DIR: join(dir, "shared-locks") };
    {
      await using running = await first.start(shared);
      await running.adminUrl();
      await using refused = await second.start(shared);
      expect(await refused.ended).toBe(75);
      expect(refused.stderr()).toContain(
        `the key of ${address} is in use on chain 31337 by process ${running.pid} on `,
      );
      expect(refused.stderr()).toMatch(/running since \d{4}-\d\d-\d\dT[\d:.]+Z; stop that one first/);
      running.signal("SIGKILL");
      await running.ended;
    }
    await using freed = await second.start(shared);
    await freed.adminUrl();
  });

  test("a command that sends is refused while the node runs", async () => {
    const { privateKey } = await fundedWallet(chain.facts);
    const its = home(privateKey);
    await using running = await its.start();
    await running.adminUrl();
    for (const args of [["register"], ["deactivate"], ["delegation", "revoke"]]) {
      const { code, err } = await wcp(its, privateKey, ...args);
      expect([code, err]).toEqual([75, expect.stringContaining(`by process ${running.pid}`)]);
    }
  });
});

describe("a keystore in place of the raw key", () => {
  test("runs the node, and neither key nor password is ever written", async () => {
    const { address, privateKey } = await fundedWallet(chain.facts);
    const its = home(privateKey, {
      ethereum: { keystore_file: "w.json", keystore_password_file: "w.pass" },
    });
    writeFileSync(join(its.dir, "w.pass"), "correct horse battery\n", { mode: 0o644 });
    const imported = await wcpKeys(its.dir, privateKey);
    expect(imported.out).toContain(address);
    await using node = await its.start({ [KEY]: "" });
    await node.adminUrl();
    const listening = await node.find("its wallet", ({ msg }) => msg === "wcp listening");
    expect(listening["wallet"]).toBe(address);
    expect(node.lines().find(({ level }) => level === "warn")?.msg).toContain("w.pass is open to every user");
    const everything = imported.out + imported.err + node.stdout() + node.stderr();
    for (const secret of [privateKey.slice(2), "correct horse battery"])
      expect(everything).not.toContain(secret);
  });

  test("is what the warning about a raw key asks for", async () => {
    const { privateKey } = await fundedWallet(chain.facts);
    await using node = await home(privateKey).start();
    const warning = await node.find("the warning", ({ level }) => level === "warn");
    expect(warning.msg).toContain("the wallet's key is in the environment as it is");
    expect(warning.msg).toContain(`wcp keys import --from-env ${KEY}`);
  });
});

test("a diagnostic report of the running node, with its environment and stack, holds no key", async () => {
  const { privateKey } = await fundedWallet(chain.facts);
  const its = home(privateKey);
  await using node = await its.start({
    NODE_OPTIONS: `--report-on-signal --report-directory=${its.dir} --report-filename=report.json`,
  });
  await node.adminUrl();
  node.signal("SIGUSR2");
  const path = join(its.dir, "report.json");
  const report = await until("a whole report", async () => {
    const text = existsSync(path) ? readFileSync(path, "utf8") : "";
    return text.trimEnd().endsWith("}") ? text : undefined;
  });
  expect(report).toContain("SUBNET_WORKER_LOCK_DIR"); // it does list the environment
  expect(report).not.toContain(privateKey.slice(2));
});

async function wcpKeys(cwd: string, key: string): Promise<Said> {
  const args = ["keys", "import", "--out", "w.json", "--password-file", "w.pass", "--from-env", "MY_KEY"];
  await using process = await startWcp(args, { cwd, env: { MY_KEY: key } });
  const code = await process.ended;
  return { code, out: process.stdout(), err: process.stderr() };
}

test("the doctor looks at a running node without disturbing it", async () => {
  const { privateKey } = await fundedWallet(chain.facts);
  const its = home(privateKey, { admin: { port: await freePort() } });
  await using running = await its.start();
  await running.adminUrl();
  const { out, code } = await wcp(its, privateKey, "doctor");
  expect(out).toContain(`the node is running: process ${running.pid}`);
  expect(out).toContain("in use, by the node as it seems");
  expect(out).toMatch(/database +sound/);
  expect(out).toMatch(/FAIL +127\.0\.0\.1:1 +reachable: /);
  expect(code).toBe(1);
  expect((await fetch(`${await running.adminUrl()}/healthz`)).status).toBe(200);
});
