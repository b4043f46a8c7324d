// The simplest WEP that a WCP must work with, written in Python on plain grpcio, of the interface as deployed.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { TestProcess } from "./_process.ts";
import { hasPython, startPython } from "./_python.ts";
import { freePort } from "./_rpc-proxy.ts";
import { readTally, startTaskChain, TALLY_QUEUE, TALLY_SPEC_PATH, type TaskChain } from "./_task-chain.ts";
import { until } from "./_until.ts";
import { configWith, makeWcp, startWcp, type TestWallet, wcpConfig, type WcpProcess } from "./_wcp.ts";

const SIMPLEST_WEP = fileURLToPath(new URL("fixtures/simple-wep/simple_wep.py", import.meta.url));

describe.skipIf(!hasPython)("the simplest WEP, in Python (needs python3 with grpcio)", () => {
  let chain: TaskChain;
  let dir: string;
  let wallet: TestWallet;
  let wepPort: number;
  /** A line for each time an activity was begun: its number. */
  let tallyFile: string;
  let nextFile = 0;
  let stack: AsyncDisposableStack;

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), "e2e-"));
    chain = await startTaskChain();
  });
  beforeEach(async () => {
    stack = new AsyncDisposableStack();
    wallet = await chain.worker();
    wepPort = await freePort();
    tallyFile = join(dir, `tally-${(nextFile += 1)}`);
  });
  afterEach(() => stack.disposeAsync());
  afterAll(async () => {
    await chain[Symbol.asyncDispose]();
    rmSync(dir, { recursive: true, force: true });
  });

  async function startWep(...args: readonly string[]): Promise<TestProcess> {
    const own = ["--port", String(wepPort), "--tally-file", tallyFile];
    const wep = stack.use(await startPython([SIMPLEST_WEP, ...own, ...args]));
    await wep.find("the WEP to listen", ({ msg }) => msg === "listening");
    return wep;
  }

  async function startNode(): Promise<WcpProcess> {
    const base = wcpConfig(chain.facts, `http://127.0.0.1:${wepPort}`, TALLY_SPEC_PATH);
    const config = configWith(base, { scheduler: { queue_name: [TALLY_QUEUE] } });
    const env = { WCP__ETHEREUM__WALLET_PRIVATE_KEY: wallet.privateKey };
    const wcp = stack.use(await makeWcp({ dir, config, env }).start());
    await wcp.untilReady();
    return wcp;
  }

  /** Numbers from `first` on, so that no test meets another's activities. */
  async function enqueue(numbers: readonly number[], durationMs: number): Promise<void> {
    const requester = await chain.requester();
    await requester.enqueue(numbers.map((number) => ({ number, durationMs })));
    await requester.untilMined();
  }

  const begun = () => readFileSync(tallyFile, "utf8").trim().split("\n").map(Number);

  /** Each completed exactly once, by our wallet, with its own number as the result. */
  async function expectCompletedOnce(wcp: WcpProcess, numbers: readonly number[]): Promise<void> {
    const completed = async () => {
      const events = await chain.anvil.events(chain.facts);
      const ids = events
        .filter(({ name, args }) => name === "ActivityCompleted" && args["worker"] === wallet.address)
        .map(({ args }) => String(args["activityId"]));
      return Promise.all(ids.map((id) => readTally(chain, id)));
    };
    await until(`${numbers.length} completions`, async () => (await completed()).length >= numbers.length, {
      instead: () => wcp.stdout().slice(-4_000),
    });
    const records = await completed();
    expect(records.map(({ answered }) => answered).toSorted((a, b) => Number(a) - Number(b))).toEqual(
      numbers,
    );
    expect(records.every(({ number, answered }) => number === answered)).toBe(true);
    const others = (await chain.anvil.events(chain.facts)).filter(
      ({ name, args }) => name === "ActivityFailed" && args["worker"] === wallet.address,
    );
    expect(others).toEqual([]);
  }

  /** The most activities that our wallet held at any time: claimed, and not completed yet. */
  async function mostHeld(): Promise<number> {
    let [held, most] = [0, 0];
    for (const { name, args } of await chain.anvil.events(chain.facts)) {
      if (args["worker"] !== wallet.address) continue;
      if (name === "ActivityClaimed") held += 1;
      if (name === "ActivityCompleted") held -= 1;
      most = Math.max(most, held);
    }
    return most;
  }

  test("completes several activities one at a time, and is sent nothing that it does not know", async () => {
    const wep = await startWep();
    const wcp = await startNode();
    const numbers = [101, 102, 103, 104, 105, 106];
    await enqueue(numbers, 100);
    await expectCompletedOnce(wcp, numbers);
    expect(begun().toSorted((a, b) => a - b)).toEqual(numbers);

    expect(await mostHeld()).toBeLessThanOrEqual(2); // one that runs, and one whose completion is on its way
    const first = wcp.lines().findIndex(({ msg }) => msg === "WEP connected");
    expect(wcp.lines()[first]).toMatchObject({ version: "1.0.0" });
    expect(wep.lines().filter(({ msg }) => msg === "message ignored")).toEqual([]);
    expect(wep.lines().filter(({ msg }) => msg === "stream opened")).toHaveLength(1);
  });

  test("may leave run_id out of its completions", async () => {
    await startWep("--without-run-id");
    const wcp = await startNode();
    const numbers = [201, 202, 203];
    await enqueue(numbers, 20);
    await expectCompletedOnce(wcp, numbers);
    expect(begun().toSorted((a, b) => a - b)).toEqual(numbers);
  });

  test("killed with an activity under way and started again is given it again, and the rest after it", async () => {
    const wep = await startWep();
    const wcp = await startNode();
    const numbers = [301, 302, 303];
    await enqueue(numbers, 1_500);
    const { number: interrupted } = await wep.find("work to begin", ({ msg }) => msg === "work begun");
    wep.signal("SIGKILL");
    await wep.ended;
    await startWep();
    await expectCompletedOnce(wcp, numbers);
    expect(begun().toSorted((a, b) => a - b)).toEqual(
      [...numbers, Number(interrupted)].toSorted((a, b) => a - b),
    );
  });

  test("goes on with its work when the WCP is killed and started again", async () => {
    const wep = await startWep();
    const base = wcpConfig(chain.facts, `http://127.0.0.1:${wepPort}`, TALLY_SPEC_PATH);
    const config = configWith(base, { scheduler: { queue_name: [TALLY_QUEUE] } });
    const env = { WCP__ETHEREUM__WALLET_PRIVATE_KEY: wallet.privateKey };
    const home = makeWcp({ dir, config, env });
    const first = stack.use(await home.start());
    await first.untilReady();
    const numbers = [401, 402];
    await enqueue(numbers, 1_000);
    await wep.find("work to begin", ({ msg }) => msg === "work begun");
    first.signal("SIGKILL");
    await first.ended;
    const second = stack.use(await home.start());
    // A WEP of 1.0.0 keeps no completions: what it was doing for the stream that is gone is done again.
    await expectCompletedOnce(second, numbers);
    expect(new Set(begun())).toEqual(new Set(numbers));
  });
});

describe.skipIf(!hasPython)("examples/python-wep with TLS (needs python3 with grpcio)", () => {
  const EXAMPLE = fileURLToPath(new URL("../examples/python-wep", import.meta.url));

  test("is reached by a WCP whose certificate is of its authority, and by no other", async () => {
    await using stack = new AsyncDisposableStack();
    const dir = mkdtempSync(join(tmpdir(), "e2e-"));
    stack.defer(() => rmSync(dir, { recursive: true, force: true }));
    const chain = stack.use(await startTaskChain());
    const { privateKey } = await chain.worker();
    const init = async (name: string) => {
      const args = ["tls", "init", "--dir", name, "--wep-name", "127.0.0.1"];
      await using made = await startWcp(args, { cwd: dir, env: {} });
      expect(await made.ended, made.stderr()).toBe(0);
      return (file: string) => join(dir, name, file);
    };
    const [ours, others] = [await init("ours"), await init("others")];

    const port = await freePort();
    const files = ["--tls-cert", ours("wep.crt"), "--tls-key", ours("wep.key"), "--tls-ca", ours("ca.crt")];
    const wep = stack.use(
      await startPython(["worker.py", "--port", String(port), ...files], { cwd: EXAMPLE }),
    );
    await wep.find("the WEP to listen", ({ msg }) => msg === "wep listening");
    const start = async (at: typeof ours) => {
      const base = wcpConfig(chain.facts, `https://127.0.0.1:${port}`, TALLY_SPEC_PATH);
      const tls = { ca_file: ours("ca.crt"), cert_file: at("wcp.crt"), key_file: at("wcp.key") };
      const config = configWith(base, { scheduler: { queue_name: [TALLY_QUEUE] }, wep_tls: tls });
      const env = { WCP__ETHEREUM__WALLET_PRIVATE_KEY: privateKey };
      return stack.use(await makeWcp({ dir, config, env }).start());
    };
    const stranger = await start(others);
    // grpcio hangs up without a word; it says why in its own log.
    await until("a refusal", () => wep.stderr().includes("certificate verify failed"), {
      instead: () => stranger.stdout().slice(-3_000) + wep.stdout() + wep.stderr().slice(-3_000),
    });
    expect(await stranger.reasons()).not.toEqual([]);
    await stranger[Symbol.asyncDispose]();
    expect(wep.lines().filter(({ msg }) => msg === "WCP connected")).toEqual([]);
    await (await start(ours)).untilReady();
    expect(wep.lines().filter(({ msg }) => msg === "WCP connected")).toHaveLength(1);
  });
});
