import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Envelope, envelope } from "@subnet-worker/protocol";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type BareChain, ECHO_HANDLERS, ECHO_QUEUE, ECHO_SPEC_PATH, startBareChain } from "./_bare-chain.ts";
import { parseMetrics } from "./_prometheus.ts";
import { freePort, startRpcProxy } from "./_rpc-proxy.ts";
import { until } from "./_until.ts";
import {
  configWith,
  fundedWallet,
  makeWcp,
  registerWorker,
  type TestWallet,
  wcpConfig,
  type WcpConfig,
  type WcpHome,
  type WcpProcess,
} from "./_wcp.ts";
import { helloAck, startGarbageServer, startScriptedWep, startWep } from "./_wep.ts";

const MINED_ONCE = ["ActivityClaimed", "ActivityCompleted", "WorkflowResumed", "WorkflowCompleted"] as const;

let chain: BareChain;
let dir: string;
let wallet: TestWallet;
/** Of the WEP of the test at hand, which may not run yet. */
let wepPort: number;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "e2e-"));
  chain = await startBareChain();
});

beforeEach(async () => {
  wepPort = await freePort();
  wallet = await fundedWallet(chain.facts);
});

afterAll(async () => {
  await chain[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

function homeWith(changes: Parameters<typeof configWith>[1] = {}): WcpHome {
  const base: WcpConfig = wcpConfig(chain.facts, `http://127.0.0.1:${wepPort}`, ECHO_SPEC_PATH);
  const config = configWith(configWith(base, { scheduler: { queue_name: [ECHO_QUEUE] } }), changes);
  return makeWcp({ dir, config, env: { WCP__ETHEREUM__WALLET_PRIVATE_KEY: wallet.privateKey } });
}

function startEchoWep() {
  return startWep({ handlers: ECHO_HANDLERS, port: wepPort });
}

async function untilReason(wcp: WcpProcess, ...parts: readonly string[]): Promise<string> {
  return until(
    `a reason that says ${parts.join(" ... ")}`,
    async () => (await wcp.reasons()).find((reason) => parts.every((part) => reason.includes(part))),
    { instead: () => wcp.stdout().slice(-4_000) + wcp.stderr() },
  );
}

/** The WCP has seen the one activity that is to be had, had the time to claim it, and did not begin to. */
async function expectSeenUnclaimed(wcp: WcpProcess, instance: string): Promise<void> {
  const read = async (series: string) => {
    const samples = parseMetrics(await (await fetch(`${await wcp.adminUrl()}/metrics`)).text());
    return samples.find(({ name, labels }) => `${name}{${labels}}` === series)?.value ?? 0;
  };
  const offered = 'wcp_task_transitions_total{state="offered"}';
  await until("the WCP to see the activity", async () => (await read(offered)) === 1);
  // A claim would go out with the next few calls; pollActivity is asked whether there are blocks or not.
  const polls = 'wcp_rpc_calls_total{method="eth_call",outcome="ok"}';
  const seen = await read(polls);
  await until("the WCP to poll its queues", async () => {
    await chain.anvil.mine();
    return (await read(polls)) >= seen + 3;
  });
  expect(await read('wcp_task_transitions_total{state="claiming"}')).toBe(0);
  expect(await chain.count("ActivityClaimed", instance)).toBe(0);
}

async function expectDoneOnce(instance: string): Promise<void> {
  await chain.untilCompleted(instance);
  const counts = await Promise.all(MINED_ONCE.map((name) => chain.count(name, instance)));
  expect(Object.fromEntries(MINED_ONCE.map((name, index) => [name, counts[index]]))).toEqual(
    Object.fromEntries(MINED_ONCE.map((name) => [name, 1])),
  );
}

test("a worker that is not active is told to register, and works as soon as it has", async () => {
  wallet = await fundedWallet(chain.facts, { registered: false });
  await using _wep = await startEchoWep();
  await using wcp = await homeWith().start();
  await untilReason(wcp, `worker ${wallet.address} is not active`, "register it there (registerWorker)");
  await registerWorker(chain.facts, wallet);
  await wcp.untilReady();
  await expectDoneOnce(await chain.startEcho("hello"));
});

test("an RPC endpoint that is down at the start is waited for", async () => {
  await using proxy = await startRpcProxy(chain.facts.rpcUrl);
  await proxy.down();
  await using _wep = await startEchoWep();
  await using wcp = await homeWith({ ethereum: { rpc_url: proxy.url, ws_url: "" } }).start();
  await untilReason(wcp, "no RPC endpoint answers", proxy.url, "check ethereum.rpc_url");
  await proxy.up();
  await wcp.untilReady();
  await expectDoneOnce(await chain.startEcho("hello"));
});

describe("an RPC endpoint that goes away while an activity runs, and comes back", () => {
  test.for(["refuses connections", "does not answer"] as const)(
    "and %s, costs nothing: the activity completes once",
    async (how) => {
      await using proxy = await startRpcProxy(chain.facts.rpcUrl);
      await using wep = await startEchoWep();
      const ethereum = { rpc_url: proxy.url, ws_url: "", rpc_timeout: "500ms" };
      await using wcp = await homeWith({ ethereum }).start();
      await wcp.untilReady();
      const gate = join(dir, `gate-${wepPort}`);
      const instance = await chain.startEcho(`wait for ${gate}`);
      await wep.find("the run to start", ({ msg }) => msg === "run started");

      if (how === "does not answer") proxy.hang();
      else await proxy.down();
      await untilReason(wcp, "no RPC endpoint answers", proxy.url);
      writeFileSync(gate, "");
      await wep.find("the run to end", ({ msg }) => msg === "run ended");
      expect(await chain.count("ActivityCompleted", instance)).toBe(0);

      await proxy.up();
      await expectDoneOnce(instance);
      await wcp.untilReady();
      expect(wep.lines().filter(({ msg }) => msg === "run started")).toHaveLength(1);
    },
  );
});

test("a WEP that is not there keeps the WCP from claiming, and is found when it comes", async () => {
  await using wcp = await homeWith().start();
  await untilReason(wcp, `WEP http://127.0.0.1:${wepPort}`, "ECONNREFUSED");
  const line = await wcp.find("a line about it", ({ wep }) => wep !== undefined);
  expect(line.msg).toContain("check wep_grpc_endpoint and that the WEP runs");
  const instance = await chain.startEcho("hello");
  await expectSeenUnclaimed(wcp, instance);
  await using _wep = await startEchoWep();
  await wcp.untilReady();
  await expectDoneOnce(instance);
});

describe("a WEP with another protocol version", () => {
  test("which answers all the same is not used, and the WCP says which versions there are", async () => {
    await using wcp = await homeWith().start();
    let instance: string;
    {
      await using wep = await startScriptedWep(() => [helloAck("2.0.0", "2.0.0")], wepPort);
      await untilReason(wcp, wep.url, "we speak 1.0.0 to 1.1.0, the peer 2.0.0 to 2.0.0", "upgrade the side");
      expect(wep.hellos[0]).toMatchObject({ min: "1.0.0", max: "1.1.0" });
      instance = await chain.startEcho("hello");
      await expectSeenUnclaimed(wcp, instance);
    }
    await using _wep = await startEchoWep();
    await expectDoneOnce(instance);
  });

  test("which refuses the stream is not used, and both sides say which versions there are", async () => {
    const env = { WEP__PROTOCOL__PROTO_MIN: "2.0.0", WEP__PROTOCOL__PROTO_MAX: "2.0.0" };
    await using wcp = await homeWith().start();
    {
      await using wep = await startWep({ handlers: ECHO_HANDLERS, port: wepPort, env });
      await untilReason(
        wcp,
        "refused us",
        "we speak 2.0.0 to 2.0.0, the peer 1.0.0 to 1.1.0",
        "upgrade the side",
      );
      const refused = await wep.find("the refusal", ({ msg }) => msg === "worker client refused");
      expect(refused["why"]).toContain("we speak 2.0.0 to 2.0.0, the peer 1.0.0 to 1.1.0; upgrade the side");
    }
    await using _wep = await startEchoWep();
    await wcp.untilReady();
  });
});

describe("what listens where the WEP should be", () => {
  const badRequest = "HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n";
  const noise = "\u0000\u0007garbage".repeat(40);

  test.for([
    {
      what: "and answers hello with something else",
      start: () => startScriptedWep(() => [capacity()], wepPort),
    },
    {
      what: "and speaks HTTP/1.1, as a health port does",
      start: () => startGarbageServer(badRequest, wepPort),
    },
    { what: "and sends noise", start: () => startGarbageServer(noise, wepPort) },
  ])("$what is not used and does no harm; a WEP that takes its place is found", async ({ start }) => {
    await using wcp = await homeWith().start();
    {
      await using impostor = await start();
      await until(
        "three tries",
        async () => {
          await wcp.reasons(); // it still answers, too
          return impostor.tries() >= 3;
        },
        { instead: () => wcp.stdout() + wcp.stderr() },
      );
      await untilReason(wcp, `WEP ${impostor.url}`);
    }
    await using _wep = await startEchoWep();
    await wcp.untilReady();
    await expectDoneOnce(await chain.startEcho("hello"));
  });

  function capacity(): Envelope {
    return envelope("capacity", { availableSlots: 1 });
  }
});
