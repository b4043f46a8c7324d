import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { OtlpReceiver, type SeenSpan } from "@subnet-worker/testkit";
import { type BareChain, ECHO_QUEUE, ECHO_SPEC_PATH, startBareChain } from "./_bare-chain.ts";
import { programArgs, startProcess } from "./_process.ts";
import { until } from "./_until.ts";
import {
  configWith,
  fundedWallet,
  makeWcp,
  startWcp,
  wcpConfig,
  type WcpHome,
  type WcpProcess,
} from "./_wcp.ts";
import { startWep, type WepProcess } from "./_wep.ts";

const HANDLERS = fileURLToPath(new URL("fixtures/gated-handlers.ts", import.meta.url));

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

interface Node extends AsyncDisposable {
  readonly home: WcpHome;
  readonly wcp: WcpProcess;
  readonly wep: WepProcess;
  readonly wepUrl: string;
  /** Runs a command beside the node, to its end. */
  run(
    ...args: readonly string[]
  ): Promise<{ readonly code: number | string; readonly out: string; readonly err: string }>;
}

/** A WCP and its WEP, ready. */
async function startNode(
  changes: Parameters<typeof configWith>[1] = {},
  wepEnv: Readonly<Record<string, string>> = {},
): Promise<Node> {
  await using stack = new AsyncDisposableStack();
  const { privateKey } = await fundedWallet(chain.facts);
  const wep = stack.use(await startWep({ handlers: HANDLERS, port: 0, env: wepEnv }));
  const { port } = await wep.find("the WEP to listen", ({ msg }) => msg === "wep listening");
  const wepUrl = `http://127.0.0.1:${String(port)}`;
  const config = configWith(wcpConfig(chain.facts, wepUrl, ECHO_SPEC_PATH), {
    scheduler: { queue_name: [ECHO_QUEUE] },
    ...changes,
  });
  const env = { WCP__ETHEREUM__WALLET_PRIVATE_KEY: privateKey };
  const home = makeWcp({ dir, config, env });
  const wcp = stack.use(await home.start());
  await wcp.untilReady();
  const owned = stack.move();
  return {
    home,
    wcp,
    wep,
    wepUrl,
    async run(...args) {
      await using command = await startWcp([...args, "--config", home.configPath], { cwd: home.dir, env });
      return { code: await command.ended, out: command.stdout(), err: command.stderr() };
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** A line of `wep tail --json`. */
interface Envelope {
  readonly direction: string;
  readonly envelope: Readonly<Record<string, { readonly activityId?: string }>>;
}

/** A file that holds the handler back until it is removed. */
function gate(name: string): string {
  const path = join(dir, name);
  writeFileSync(path, "");
  return path;
}

test("wcp wep and wcp queue look at a running node, and change what it does", async () => {
  await using node = await startNode();
  const { wepUrl } = node;
  const run = (...args: readonly string[]) => node.run(...args);
  expect(statSync(join(node.home.dir, "wcp.sock")).mode & 0o777).toBe(0o600);
  expect(await run("wep", "ping", wepUrl)).toMatchObject({
    code: 0,
    out: expect.stringMatching(new RegExp(`^${wepUrl} answers after [\\d.]+ms\n$`)),
  });

  const closed = gate("closed");
  const instance = await chain.startEcho(closed);
  const activity = await chain.activityOf(instance);
  await node.wep.find("the handler", ({ msg }) => msg === "at the gate");
  const listed = await run("wep", "ls");
  expect(listed.out).toMatch(new RegExp(`^${wepUrl} +ready +\\d+s +\\S+ +1 +\\S+ +config$`, "m"));
  const halfway = new RegExp(`^[0-9a-f]{8} +50% +\\d+s +${activity}$`, "m");
  // The handler tells of its progress after it has said where it is.
  const shown = await until("its progress to be shown", async () => {
    const said = await run("wep", "show", wepUrl);
    return halfway.test(said.out) && said;
  });
  expect(shown.out).toMatch(/^kinds +test\.echo 1\.0\.0$/m);
  expect(shown.out.split("\n").every((line) => line.length <= 100)).toBe(true);

  const drained = await run("wep", "drain", wepUrl);
  expect(drained).toMatchObject({ code: 0, out: expect.stringContaining("gets no new activities") });
  rmSync(closed); // what runs there goes on to its end
  await chain.untilCompleted(instance);
  const waiting = await chain.startEcho("while it drains");
  const queue = async () => {
    const { out } = await run("queue", "ls", "--json");
    return (JSON.parse(out) as { name: string; waiting: number; isPaused: boolean }[]).find(
      ({ name }) => name === ECHO_QUEUE,
    );
  };
  await until("the offer to wait", async () => (await queue())?.waiting === 1);
  expect(await chain.count("ActivityClaimed", waiting)).toBe(0);
  expect((await run("wep", "drain", wepUrl, "--undo")).out).toContain("is assigned to again");
  await chain.untilCompleted(waiting);

  expect((await run("queue", "pause", ECHO_QUEUE)).out).toContain(`Nothing more of ${ECHO_QUEUE} is claimed`);
  const paused = await chain.startEcho("while it is paused");
  await until("the offer to wait", async () => (await queue())?.waiting === 1);
  expect(await queue()).toMatchObject({ isPaused: true });
  expect(await chain.count("ActivityClaimed", paused)).toBe(0);
  expect(await run("queue", "resume", ECHO_QUEUE)).toMatchObject({ code: 0 });
  await chain.untilCompleted(paused);

  node.wcp.signal("SIGKILL");
  await node.wcp.ended;
  expect(await run("wep", "ls")).toMatchObject({
    code: 75,
    err: expect.stringContaining("has ended without a word"),
  });
  await using again = await node.home.start();
  await again.untilReady(); // over the socket that the other left
  expect((await run("wep", "ls")).code).toBe(0);
});

test("wep tail shows an activity of a running WEP from assignment to acknowledgement", async () => {
  await using node = await startNode();
  const url = await node.wep.healthUrl();
  const closed = gate("tailed");
  const instance = await chain.startEcho(closed);
  const activity = await chain.activityOf(instance);
  await node.wep.find("the handler", ({ msg }) => msg === "at the gate");
  const tail = (...args: readonly string[]) =>
    startProcess({
      command: process.execPath,
      args: [...programArgs("wep"), "tail", "--url", url, ...args],
      env: {},
    });
  await using people = await tail();
  await using program = await tail("--json");
  for (const each of [people, program]) await until("the first ping", () => /\bping\b/.test(each.stdout()));
  rmSync(closed);
  await chain.untilCompleted(instance);
  const line = (message: string) =>
    new RegExp(`^[\\d:.]+  (in  <-|out ->)  ${message} +${activity.slice(0, 10)}  `, "m");
  await until("the acknowledgement", () => line("completionAck").test(people.stdout()), {
    instead: () => people.stdout(),
  });
  expect(people.stdout()).toMatch(line("completion"));
  people.signal("SIGINT");
  expect([await people.ended, people.stderr()]).toEqual([0, ""]);
  const events = () =>
    program
      .stdout()
      .split("\n")
      .slice(0, -1) // the last line may still be on its way
      .map((text) => JSON.parse(text) as Envelope)
      .filter(({ envelope }) => Object.values(envelope)[0]?.activityId === activity)
      .map(({ direction, envelope }) => `${direction} ${Object.keys(envelope)[0]}`);
  // The other process prints in its own time.
  await until("the same as JSON", () => events().at(-1) === "in completionAck");
  expect(events()).toEqual(["out completion", "in completionAck"]);
});

describe("tracing", () => {
  test("makes one trace of an activity over both processes, and their log lines name it", async () => {
    await using receiver = await OtlpReceiver.start();
    const { endpoint } = receiver;
    let activity = "";
    await using node = await startNode(
      { tracing: { enabled: true, endpoint } },
      { WEP__TRACING__ENABLED: "true", WEP__TRACING__ENDPOINT: endpoint },
    );
    const instance = await chain.startEcho("no such file");
    await chain.untilCompleted(instance);
    activity = await chain.activityOf(instance);
    const isDone = ({ msg, activity_id }: { msg?: unknown; activity_id?: unknown }) =>
      msg === "activity done" && activity_id === activity;
    const done = await node.wcp.find("the activity to be done", isDone);
    const atTheGate = await node.wep.find("the handler's line", ({ msg }) => msg === "at the gate");
    for (const process of [node.wcp, node.wep]) {
      process.signal("SIGTERM"); // sends what waits
      expect(await process.ended).toBe(0);
    }
    const { spans } = receiver;
    const serviceOf = ({ resource }: SeenSpan) => resource["service.name"];
    const task = spans.find((span) => serviceOf(span) === "subnet-worker-wcp");
    const handler = spans.find((span) => serviceOf(span) === "subnet-worker-wep");
    expect(spans).toHaveLength(2);
    expect(task).toMatchObject({
      name: "task",
      parentSpanId: "",
      attributes: {
        "messaging.destination.name": ECHO_QUEUE,
        "subnet_worker.activity.id": activity,
        "subnet_worker.outcome": "success",
      },
    });
    expect(task?.events.map(({ name }) => name)).toEqual([
      "claim",
      "claimed",
      "assign",
      "run",
      "complete",
      "settle",
    ]);
    expect(handler).toMatchObject({
      name: "handler test.echo",
      traceId: task?.traceId,
      parentSpanId: task?.spanId,
      attributes: { "subnet_worker.activity.id": activity, "subnet_worker.outcome": "success" },
    });
    expect([done["trace_id"], atTheGate["trace_id"]]).toEqual([task?.traceId, task?.traceId]);
  });

  test("a collector that is down holds nothing up", async () => {
    await using node = await startNode({
      tracing: { enabled: true, endpoint: "http://127.0.0.1:9/v1/traces" },
    });
    const instance = await chain.startEcho("no such file");
    await chain.untilCompleted(instance);
    node.wcp.signal("SIGTERM");
    expect(await node.wcp.ended).toBe(0);
    expect(
      node.wcp.lines().find(({ msg }) => String(msg).startsWith("spans cannot be delivered")),
    ).toMatchObject({
      level: "warn",
    });
  });
});
