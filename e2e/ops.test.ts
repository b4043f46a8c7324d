import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type BareChain, ECHO_HANDLERS, ECHO_QUEUE, ECHO_SPEC_PATH, startBareChain } from "./_bare-chain.ts";
import type { TestProcess } from "./_process.ts";
import { parseMetrics } from "./_prometheus.ts";
import { freePort } from "./_rpc-proxy.ts";
import { until } from "./_until.ts";
import { configWith, fundedWallet, makeWcp, wcpConfig, type WcpHome, type WcpProcess } from "./_wcp.ts";
import { startWep, type WepProcess } from "./_wep.ts";

let chain: BareChain;
let dir: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "e2e-"));
  chain = await startBareChain();
});

afterAll(async () => {
  await chain[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

/** One WEP and one WCP, ready. */
interface Node extends AsyncDisposable {
  readonly wep: WepProcess;
  readonly wcp: WcpProcess;
  readonly wcpHome: WcpHome;
  readonly wepPort: number;
}

async function startNode(wepEnv: Readonly<Record<string, string>> = {}): Promise<Node> {
  await using stack = new AsyncDisposableStack();
  const wepPort = await freePort();
  const wep = stack.use(await startWep({ handlers: ECHO_HANDLERS, port: wepPort, env: wepEnv }));
  const config = configWith(wcpConfig(chain.facts, `http://127.0.0.1:${wepPort}`, ECHO_SPEC_PATH), {
    scheduler: { queue_name: [ECHO_QUEUE] },
  });
  const { privateKey } = await fundedWallet(chain.facts);
  const wcpHome = makeWcp({ dir, config, env: { WCP__ETHEREUM__WALLET_PRIVATE_KEY: privateKey } });
  const wcp = stack.use(await wcpHome.start());
  await wcp.untilReady();
  const owned = stack.move();
  return { wep, wcp, wcpHome, wepPort, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

let gates = 0;

/** Starts a workflow whose handler runs until `open` is called; returns once it runs. */
async function startHeldRun({
  wep,
}: Node): Promise<{ readonly instance: string; readonly open: () => void }> {
  gates += 1;
  const path = join(dir, `gate-${gates}`);
  const instance = await chain.startEcho(`wait for ${path}`);
  const activityId = await chain.activityOf(instance);
  await wep.find(
    "its run to start",
    ({ msg, activity_id: id }) => msg === "run started" && id === activityId,
  );
  return { instance, open: () => writeFileSync(path, "") };
}

async function get(
  url: string,
): Promise<{ readonly status: number; readonly type: string; readonly text: string }> {
  const response = await fetch(url);
  return {
    status: response.status,
    type: response.headers.get("content-type") ?? "",
    text: await response.text(),
  };
}

async function sampleOf(url: string, wanted: string): Promise<number | undefined> {
  return parseMetrics((await get(url)).text).find(({ name }) => name === wanted)?.value;
}

const PROCESSES = ["wcp", "wep"] as const;

describe("a node that has done one activity and failed another", () => {
  let node: Node;
  let urls: Readonly<Record<(typeof PROCESSES)[number], string>>;

  beforeAll(async () => {
    node = await startNode();
    urls = { wcp: await node.wcp.adminUrl(), wep: await node.wep.healthUrl() };
    await chain.untilCompleted(await chain.startEcho("hello"));
    const failing = await chain.startEcho("fail");
    await until("the workflow to fail", async () => (await chain.count("WorkflowFailed", failing)) === 1);
    await node.wcp.find(
      "the failed activity to be done",
      ({ msg, activity_id: id }) =>
        msg === "activity done" &&
        node.wcp.lines().some((line) => line.activity_id === id && line["error_code"] !== undefined),
    );
    // What the WEP hears of it, and the end of the first one, may still be on their way.
    await until("nothing to be under way", async () => {
      const inflight = await sampleOf(`${urls.wcp}/metrics`, "wcp_tasks_inflight");
      const unheard = await sampleOf(`${urls.wep}/metrics`, "wep_completions_unacknowledged");
      return inflight === 0 && unheard === 0;
    });
  });

  afterAll(() => node[Symbol.asyncDispose]());

  test.for(PROCESSES)("answers on /healthz and /readyz of the %s", async (name) => {
    expect(await get(`${urls[name]}/healthz`)).toMatchObject({ status: 200, text: '{"status":"ok"}\n' });
    expect(await get(`${urls[name]}/readyz`)).toMatchObject({
      status: 200,
      text: '{"ready":true,"reasons":[]}\n',
    });
    expect(await get(`${urls[name]}/`)).toMatchObject({ status: 404 });
    expect((await fetch(`${urls[name]}/healthz`, { method: "POST" })).status).toBe(405);
  });

  test.for([
    {
      name: "wcp" as const,
      series: {
        'wcp_task_transitions_total{state="claimed"}': 2,
        'wcp_transactions_total{kind="complete",outcome="mined"}': 1,
        'wcp_transactions_total{kind="fail",outcome="mined"}': 1,
        "wcp_tasks_inflight{}": 0,
        "wcp_weps_connected{}": 1,
      },
    },
    {
      name: "wep" as const,
      series: {
        'wep_runs_total{kind="test.echo",status="SUCCESS"}': 1,
        'wep_runs_total{kind="test.echo",status="INVALID_INPUT"}': 1,
        "wep_streams{}": 1,
        "wep_completions_unacknowledged{}": 0,
      },
    },
  ])(
    "gives metrics of the $name in Prometheus form, in base units, that tell what happened",
    async ({ name, series }) => {
      const { status, type, text } = await get(`${urls[name]}/metrics`);
      expect({ status, type }).toEqual({ status: 200, type: "text/plain; version=0.0.4; charset=utf-8" });
      const samples = parseMetrics(text);
      const ours = samples.filter((sample) => sample.name.startsWith(`${name}_`));
      expect(
        ours.map((sample) => sample.name).filter((each) => /_(ms|millis|kb|mb|minutes)(_|$)/.test(each)),
      ).toEqual([]);
      const found = Object.fromEntries(
        ours.map((sample) => [`${sample.name}{${sample.labels}}`, sample.value]),
      );
      expect(found).toMatchObject(series);
    },
  );

  const hasPromtool = spawnSync("promtool", ["--version"]).status === 0;

  test.skipIf(!hasPromtool).for(PROCESSES)(
    "gives metrics of the %s that promtool takes (needs promtool)",
    async (name) => {
      const { text: input } = await get(`${urls[name]}/metrics`);
      const { status, stderr } = spawnSync("promtool", ["check", "metrics"], { input, encoding: "utf8" });
      // 3: it takes them, and has a remark on a name; some of Node's own gauges end in _total.
      expect([0, 3], stderr).toContain(status);
      expect(stderr.split("\n").filter((line) => line.startsWith(`${name}_`))).toEqual([]);
    },
  );

  test.for(PROCESSES)(
    "logs JSON only from the %s, with the activity and the run where a line concerns one",
    (name) => {
      const process_: TestProcess = node[name];
      const lines = process_.lines();
      expect(process_.stderr()).toBe("");
      for (const line of lines) {
        expect(line.notJson).toBeUndefined();
        expect(line).toMatchObject({
          component: name,
          pid: process_.pid,
          level: expect.any(String) as string,
        });
        expect(Date.parse(String(line["time"]))).not.toBeNaN();
        expect(line.msg).toMatch(/\S/);
      }
      // By what a line says, not by what it carries: one that names an activity or tells of a run must have both ids.
      const ofActivities = lines.filter((line) =>
        /0x[0-9a-f]{64}/.test(JSON.stringify({ ...line, tx_hash: "" })),
      );
      expect(ofActivities.filter(({ activity_id: id }) => id === undefined)).toEqual([]);
      const isOfRun = /^(run |the run |activity (assigned|running|settling))/;
      const ofRuns = lines.filter(({ msg }) => isOfRun.test(msg ?? ""));
      expect(ofRuns.length).toBeGreaterThanOrEqual(4);
      expect(ofRuns.filter((line) => line.activity_id === undefined || line.run_id === undefined)).toEqual(
        [],
      );
    },
  );
});

describe("SIGTERM", () => {
  test("ends an idle WCP and an idle WEP with 0", async () => {
    await using node = await startNode();
    for (const name of PROCESSES) {
      node[name].signal("SIGTERM");
      expect(await node[name].ended).toBe(0);
      expect(node[name].stderr()).toBe("");
    }
  });

  test("lets a WCP settle what runs, not ready meanwhile, and ends it with 0", async () => {
    await using node = await startNode();
    const { instance, open } = await startHeldRun(node);
    node.wcp.signal("SIGTERM");
    await until("the WCP to say that it stops", async () =>
      (await node.wcp.reasons()).includes("the process is stopping"),
    );
    const later = await chain.startEcho("later");
    open();
    expect(await node.wcp.ended).toBe(0);
    expect(await chain.count("WorkflowCompleted", instance)).toBe(1);
    expect(await chain.count("ActivityClaimed", later)).toBe(0);

    await using _next = await node.wcpHome.start();
    await chain.untilCompleted(later);
  });

  test("lets a WEP finish what runs, not ready meanwhile, and ends it with 0", async () => {
    await using node = await startNode();
    const { instance, open } = await startHeldRun(node);
    node.wep.signal("SIGTERM");
    const healthUrl = await node.wep.healthUrl();
    const answer = await until("the WEP to say that it drains", async () => {
      const found = await get(`${healthUrl}/readyz`);
      return found.status === 503 && found.text;
    });
    expect(JSON.parse(answer)).toEqual({ ready: false, reasons: ["draining: no new assignments are taken"] });
    open();
    expect(await node.wep.ended).toBe(0);
    await chain.untilCompleted(instance);
  });

  test("makes a WEP whose time is up hand back what runs; the next WEP runs it, and it completes once", async () => {
    await using node = await startNode({ WEP__RUNTIME__GRACEFUL_SHUTDOWN_S: "0" });
    const { instance, open } = await startHeldRun(node);
    node.wep.signal("SIGTERM");
    expect(await node.wep.ended).toBe(0);
    open();
    await using _next = await startWep({ handlers: ECHO_HANDLERS, port: node.wepPort });
    await chain.untilCompleted(instance);
    expect(await chain.count("ActivityCompleted", instance)).toBe(1);
    expect(await chain.count("ActivityFailed", instance)).toBe(0);
  });

  test.for(PROCESSES)(
    "twice ends a busy %s at once with 1, and the activity completes after its restart",
    async (name) => {
      await using node = await startNode();
      const { instance, open } = await startHeldRun(node);
      node[name].signal("SIGTERM");
      await node[name].find("the drain to begin", ({ msg }) => /^(stopping|draining)/.test(msg ?? ""));
      node[name].signal("SIGTERM");
      expect(await node[name].ended).toBe(1);
      expect(await chain.count("ActivityCompleted", instance)).toBe(0);
      open();
      await using _next =
        name === "wcp"
          ? await node.wcpHome.start()
          : await startWep({ handlers: ECHO_HANDLERS, port: node.wepPort });
      await chain.untilCompleted(instance);
      expect(await chain.count("ActivityCompleted", instance)).toBe(1);
    },
  );
});
