// examples/python-wep message by message: what it says to a WCP that speaks 1.1.0, and to one of 1.0.0.
import { fileURLToPath } from "node:url";
import { systemClock } from "@subnet-worker/kit";
import { type Completion, envelope, TASK_ERROR } from "@subnet-worker/protocol";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { TestProcess } from "./_process.ts";
import { hasPython, startPython } from "./_python.ts";
import { openStream, type StreamClient } from "./_stream-client.ts";

const HANDLERS = fileURLToPath(new URL("fixtures/python-wep/handlers.py", import.meta.url));
const NODE = { min: "1.0.0", max: "1.1.0", instanceId: "wcp-1", nodeId: "node-1" };

describe.skipIf(!hasPython)("examples/python-wep on the wire (needs python3 with grpcio)", () => {
  let stack: AsyncDisposableStack;
  let wep: TestProcess;
  let url: string;

  beforeEach(async () => {
    stack = new AsyncDisposableStack();
    const args = ["--port", "0", "--max-concurrency", "2", "--grace-s", "0.5"];
    wep = stack.use(await startPython([HANDLERS, ...args]));
    const listening = await wep.find("the WEP to listen", ({ msg }) => msg === "wep listening");
    url = `http://127.0.0.1:${String(listening["port"])}`;
  });
  afterEach(() => stack.disposeAsync());

  async function connect(hello: Parameters<typeof openStream>[1] = NODE): Promise<StreamClient> {
    const stream = stack.use(openStream(url, hello));
    await stream.find("capabilities");
    return stream;
  }

  interface Wish {
    readonly id?: string;
    readonly run?: string;
    readonly kind: string;
    readonly inputs?: Readonly<Record<string, unknown>>;
    readonly extra?: Readonly<Record<string, unknown>>;
  }

  function assign({ id = "a", run = "1", kind, inputs = {}, extra = {} }: Wish) {
    return envelope("assign", {
      activityId: id,
      runId: run,
      taskKind: kind,
      taskVersion: "1.0.0",
      inputs: Object.entries(inputs).map(([name, value]) => ({ name, inlineJson: JSON.stringify(value) })),
      ...extra,
    });
  }

  /** Once so many lines say it: what is logged comes by another way than what is sent. */
  async function logged(what: string, count: number): Promise<void> {
    const said = () => wep.lines().filter(({ msg }) => msg === what);
    await wep.find(`"${what}", ${count} times`, () => said().length >= count);
    expect(said()).toHaveLength(count);
  }

  const resultOf = ({ resultInline }: Completion) =>
    JSON.parse(new TextDecoder().decode(resultInline)) as unknown;
  const ack = (activityId: string, runId = "1") => envelope("completionAck", { activityId, runId });

  test("tells what it can run, and that nothing runs yet", async () => {
    const stream = await connect();
    await stream.find("inventory");
    expect(stream.received.map((message) => message.case)).toEqual([
      "helloAck",
      "capabilities",
      "capacity",
      "inventory",
    ]);
    expect(stream.of("helloAck")[0]).toMatchObject({ min: "1.0.0", max: "1.1.0", agent: "python-wep/0.1.0" });
    const [capabilities] = stream.of("capabilities");
    expect(capabilities).toMatchObject({ maxConcurrency: 2, inventoryFollows: true });
    expect(capabilities?.kinds.map(({ kind, version }) => `${kind} ${version}`)).toContain("test.echo 1.0.0");
  });

  test("gives values to a handler as their types say, and takes them back", async () => {
    const stream = await connect();
    const wide = "123456789012345678901234567890";
    const inputs = [
      { name: "wide", abiType: "uint256", inlineJson: JSON.stringify(wide) },
      { name: "list", abiType: "uint64[]", inlineJson: '["9007199254740993", 2]' },
      { name: "bytes", abiType: "bytes", inlineJson: '"0x00ff"' },
      { name: "text", abiType: "string", inlineJson: '"é"' },
    ];
    stream.send(assign({ kind: "test.echo", extra: { inputs, attempt: 3, checkpointRef: "here" } }));
    const completion = await stream.find("completion");
    expect(completion).toMatchObject({ activityId: "a", runId: "1", status: "SUCCESS", errorCode: 0 });
    expect(resultOf(completion)).toEqual({
      wide,
      list: ["9007199254740993", 2],
      bytes: "0x00ff",
      text: "é",
      attempt: 3,
      checkpoint: "here",
    });
    expect(stream.received.findIndex((message) => message.case === "ack")).toBeLessThan(
      stream.received.findIndex((message) => message.case === "completion"),
    );
  });

  test.for([
    ["unknown", TASK_ERROR.EXECUTION_FAILED, false, 0, "KeyError: 'no such thing'"],
    ["retry", TASK_ERROR.RESOURCE_UNAVAILABLE, true, 2_500, "[RESOURCE_UNAVAILABLE] the model warms up"],
    ["nan", TASK_ERROR.INVALID_FORMAT, false, 0, "the result has no JSON form"],
    ["exit", TASK_ERROR.EXECUTION_FAILED, false, 0, "SystemExit: the handler left"],
  ] as const)(
    "tells of a handler that failed: %s",
    async ([how, errorCode, retryable, retryAfterMs, text]) => {
      const stream = await connect();
      stream.send(assign({ kind: "test.fail", inputs: { how } }));
      expect(await stream.find("completion")).toMatchObject({
        status: "ERROR",
        errorCode,
        retryable,
        retryAfterMs: BigInt(retryAfterMs),
        error: expect.stringContaining(text),
      });
    },
  );

  test("refuses what it has no handler or no room for, and says when there is room", async () => {
    const stream = await connect();
    stream.send(assign({ id: "x", kind: "test.other" }));
    expect(await stream.find("rejection")).toMatchObject({
      activityId: "x",
      errorCode: TASK_ERROR.INVALID_INPUT,
      reason: expect.stringContaining("no handler for test.other 1.0.0 here; there is: test.echo 1.0.0"),
    });
    for (const id of ["a", "b", "c"]) stream.send(assign({ id, kind: "test.wait" }));
    expect(await stream.find("rejection", ({ activityId }) => activityId === "c")).toMatchObject({
      errorCode: TASK_ERROR.SYSTEM_OVERLOAD,
    });
    stream.send(envelope("cancel", { activityId: "a", reason: "requested" }));
    await stream.find("completion", ({ activityId }) => activityId === "a");
    await stream.find(
      "capacity",
      ({ availableSlots }) => availableSlots === 1 && stream.of("completion").length > 0,
    );
    stream.send(assign({ id: "d", kind: "test.echo" }));
    await stream.find("completion", ({ activityId }) => activityId === "d");
  });

  test.for([
    ["requested", TASK_ERROR.CANCELLED_BY_USER, false],
    ["deadline", TASK_ERROR.CANCELLED_BY_TIMEOUT, false],
    ["lease_lost", TASK_ERROR.CANCELLED_BY_USER, false],
    ["drain", TASK_ERROR.CANCELLED_BY_USER, true],
  ] as const)("stops a run that is cancelled: %s", async ([reason, errorCode, retryable]) => {
    const stream = await connect();
    stream.send(assign({ kind: "test.wait" }));
    await stream.find("progress", ({ checkpointRef }) => checkpointRef === "at the beginning");
    stream.send(envelope("cancel", { activityId: "a", reason, runId: "another" }));
    stream.send(envelope("ping", { nonce: 1n }));
    await stream.find("pong");
    expect(wep.lines().filter(({ msg }) => msg === "run stopping")).toEqual([]);
    stream.send(envelope("cancel", { activityId: "a", reason, runId: "1" }));
    const completion = await stream.find("completion");
    expect(completion).toMatchObject({ status: "ERROR", errorCode, retryable });
    expect(completion.error).toContain(`(${reason})`);
    await logged("run stopping", 1);
  });

  test("stops a run itself when its deadline is over", async () => {
    const stream = await connect();
    stream.send(
      assign({ kind: "test.wait", extra: { deadlineUnixMs: BigInt(systemClock.nowMs() + 2_000) } }),
    );
    expect(await stream.find("completion")).toMatchObject({ errorCode: TASK_ERROR.CANCELLED_BY_TIMEOUT });
  });

  test("replaces a run when a newer one of the same activity is assigned", async () => {
    const stream = await connect();
    stream.send(assign({ run: "1", kind: "test.wait" }));
    await stream.find("progress");
    stream.send(assign({ run: "2", kind: "test.echo" }));
    await stream.find("completion", ({ runId }) => runId === "2");
    await wep.find("the end of the first", ({ msg, run_id: run }) => msg === "run ended" && run === "1");
    expect(stream.of("completion").map(({ runId }) => runId)).toEqual(["2"]);
  });

  test("keeps a completion until it is acknowledged, and tells a new stream what is here", async () => {
    {
      await using first = openStream(url, NODE);
      first.send(assign({ id: "done", kind: "test.echo" }));
      first.send(assign({ id: "busy", kind: "test.wait" }));
      await first.find("completion");
      await first.find("progress", ({ percent }) => percent === 10);
    }
    await wep.find("the stream to end", ({ msg }) => msg === "WCP disconnected");
    const other = await connect({ ...NODE, nodeId: "node-2" });
    expect((await other.find("inventory")).runs).toEqual([]); // runs belong to the node that assigned them

    const second = await connect();
    const { runs } = await second.find("inventory");
    expect(runs).toEqual([
      expect.objectContaining({ activityId: "done", state: "finished" }),
      expect.objectContaining({
        activityId: "busy",
        state: "running",
        percent: 10,
        checkpointRef: "at the beginning",
      }),
    ]);
    second.send(assign({ id: "done", kind: "test.echo" }));
    second.send(assign({ id: "busy", kind: "test.wait" }));
    await second.find("completion", ({ activityId }) => activityId === "done");
    await logged("run started", 2);

    second.send(ack("done"));
    second.send(envelope("cancel", { activityId: "busy", reason: "requested" }));
    await second.find("completion", ({ activityId }) => activityId === "busy");
    second.send(ack("busy"));
    // An assignment of a run that was forgotten begins it anew.
    second.send(assign({ id: "done", kind: "test.echo" }));
    await second.find("completion", () => second.of("completion").length === 3);
    await logged("run started", 3);
  });

  test("answers pings and repeats progress while a handler spins without a pause", async () => {
    const stream = await connect();
    const word = { word: "go on" };
    stream.send(assign({ kind: "test.spin", inputs: word, extra: { heartbeatIntervalS: 1 } }));
    await stream.find("progress", ({ percent }) => percent === 50);
    for (let nonce = 1n; nonce <= 5n; nonce += 1n) {
      stream.send(envelope("ping", { nonce }));
      await stream.find("pong", (pong) => pong.nonce === nonce);
    }
    await stream.find("progress", () => stream.of("progress").length >= 4);
    expect(stream.of("completion")).toEqual([]);
    stream.send(assign({ id: "b", kind: "test.release", inputs: word }));
    await stream.find("completion", ({ activityId }) => activityId === "a");
  });

  test("drains on SIGTERM: refuses, stops what takes too long, waits for the ack, ends with 0", async () => {
    const stream = await connect();
    stream.send(assign({ id: "slow", kind: "test.wait" }));
    await stream.find("progress");
    wep.signal("SIGTERM");
    await stream.find("drain");
    stream.send(assign({ id: "late", kind: "test.echo" }));
    expect(await stream.find("rejection")).toMatchObject({
      activityId: "late",
      errorCode: TASK_ERROR.SYSTEM_OVERLOAD,
    });
    expect(await stream.find("completion")).toMatchObject({ activityId: "slow", retryable: true });
    stream.send(ack("slow"));
    expect(await wep.ended).toBe(0);
    expect(wep.lines().find(({ msg }) => msg === "drained")).toMatchObject({ unacknowledged: 0 });
  });

  test("ends the run of a handler that does not stop, and takes nothing in its place", async () => {
    const stream = await connect();
    const word = { word: "go on" };
    stream.send(assign({ id: "deaf", kind: "test.deaf", inputs: word }));
    await stream.find("ack");
    stream.send(envelope("cancel", { activityId: "deaf", reason: "requested" }));
    expect(await stream.find("completion")).toMatchObject({ errorCode: TASK_ERROR.CANCELLED_BY_USER });
    expect(stream.of("capacity").at(-1)?.availableSlots).toBe(1);
    stream.send(assign({ id: "release", kind: "test.release", inputs: word }));
    // The last one that came: one that waits to be written is replaced by the next.
    await stream.find("capacity", () => stream.of("capacity").at(-1)?.availableSlots === 2);
  });

  test("takes many messages in one, and sends many in one to a WCP that takes them", async () => {
    const stream = await connect({ ...NODE, maxBatch: 100 });
    expect(stream.received[0]?.case).toBe("helloAck"); // alone
    const [helloAck] = stream.of("helloAck");
    const ids = Array.from({ length: 10 }, (_, each) => `id ${each}`);
    const assigns = ids.map((id) => assign({ id, kind: "test.other" }));
    expect(helloAck?.maxBatch).toBeGreaterThanOrEqual(assigns.length);
    stream.send(envelope("batch", { envelopes: assigns }));
    await stream.find("rejection", ({ activityId }) => activityId === ids.at(-1));
    expect(stream.of("rejection").map(({ activityId }) => activityId)).toEqual(ids);
    expect(stream.batches()).toBeGreaterThan(0);
  });

  test("sends single messages to a WCP that takes no batches", async () => {
    const stream = await connect();
    const assigns = Array.from({ length: 10 }, (_, each) => assign({ id: `id ${each}`, kind: "test.other" }));
    stream.send(envelope("batch", { envelopes: assigns }));
    await stream.find("rejection", ({ activityId }) => activityId === "id 9");
    expect(stream.batches()).toBe(0);
  });

  test("sends nothing numbered 20 or above to a WCP of 1.0.0, which needs no acks", async () => {
    const stream = await connect({ min: "1.0.0", max: "1.0.0" });
    stream.send(assign({ id: "x", kind: "test.other" }));
    stream.send(assign({ id: "a", kind: "test.fail", inputs: { how: "retry" } }));
    stream.send(assign({ id: "b", kind: "test.echo" }));
    await stream.find("completion", () => stream.of("completion").length === 3);
    expect(new Set(stream.received.map((message) => message.case))).toEqual(
      new Set(["helloAck", "capabilities", "capacity", "ack", "progress", "completion"]),
    );
    expect(stream.of("helloAck")[0]).toMatchObject({ instanceId: "", agent: "" });
    expect(stream.of("capabilities")[0]?.kinds).toEqual([]);
  });

  test.for([
    [{ min: "2.0.0", max: "2.1.0" }, "upgrade the side with the lower range"],
    [{ min: "one", max: "two" }, "is not a version"],
  ] as const)("refuses a hello of %o with the reason", async ([hello, reason]) => {
    const stream = stack.use(openStream(url, hello));
    expect(String(await stream.ended)).toContain(reason);
    expect(stream.received).toEqual([]);
  });

  test("says that its port is taken, and ends with 75", async () => {
    const { port } = new URL(url);
    const second = stack.use(await startPython([HANDLERS, "--port", port]));
    expect(await second.ended).toBe(75);
    expect(second.lines().find(({ level }) => level === "fatal")?.msg).toContain("give another --port");
  });

  test("does not listen to other hosts in plain text", async () => {
    const open = stack.use(await startPython([HANDLERS, "--host", "0.0.0.0", "--port", "0"]));
    expect(await open.ended).not.toBe(0);
    expect(open.stderr()).toContain("plain text is for loopback only");
  });
});
