import { describe, expect, it } from "vitest";
import { StorageError, type StorageErrorCode } from "../src/storage-ports.ts";
import { idOf } from "./_builders.ts";
import { NodeBench } from "./_node-bench.ts";
import { KEYED, PLAN, running, succeed } from "./_run-bench.ts";
import { settle } from "./_until.ts";

const INPUT_PATIENCE_MS = 60_000;
const RESULT_PATIENCE_MS = 120_000;
/** A wait may go on for the pause that is under way when its time is over. */
const SLACK_MS = 11_000;
const PATIENCE = { inputPatienceMs: INPUT_PATIENCE_MS, resultPatienceMs: RESULT_PATIENCE_MS };

/** A node whose storage stumbles on every input, for as long as `state.code` says so. */
async function stumbling(parts: ConstructorParameters<typeof NodeBench>[1] = {}) {
  const node = new NodeBench({}, { runner: PATIENCE, ...parts });
  const state: { code: StorageErrorCode | undefined } = { code: "UNAVAILABLE" };
  const { storage, source } = node;
  const ticket = storage.downloadTicket.bind(storage);
  const head = storage.head.bind(storage);
  const failure = (key: string) =>
    state.code === undefined ? undefined : new StorageError(state.code, `${key}: odd; try again`);
  storage.downloadTicket = async (key) => {
    const error = failure(key);
    if (error !== undefined) throw error;
    return await ticket(key);
  };
  storage.head = async (key) => {
    const error = failure(key);
    if (error !== undefined) throw error;
    return await head(key);
  };
  source.spec = PLAN;
  source.onInputs = async () => ({ inputs: [KEYED], workflowInputs: [] });
  node.run();
  await settle();
  return { node, state };
}

/** The same after a restart, with a task whose run was given to an executor before it. */
async function restartedWithRun() {
  const { node: first, state } = await stumbling();
  state.code = undefined;
  await first.offer();
  await first.executor.nextRun();
  const { disk, clock, executor, source } = first;
  await first[Symbol.asyncDispose]();
  return await stumbling({ disk, clock, executor, source });
}

describe("an activity whose inputs storage always stumbles on", () => {
  it("is left to another worker when its time to wait is over: its slot is free, and log and count say so", async () => {
    const { node } = await stumbling();
    await using _node = node;
    await node.offer();
    await node.pass(INPUT_PATIENCE_MS - 2_000);
    expect(node.stored()?.kind).toBe("claimed");
    expect(node.executor.inUse).toBe(1);
    await node.pass(SLACK_MS + 2_000);
    expect(node.stored()?.kind).toBe("abandoned");
    const { reason } = node.stored() as { readonly reason: string };
    expect(reason).toMatch(/\[STORAGE_WAIT_OVER\] .*\(storage\.input_patience\).*in\/song\.wav/);
    expect(node.executor.inUse).toBe(0);
    expect(node.executor.runs).toEqual([]);
    expect(node.givenUp).toEqual(["input patience"]);
    expect(node.runner.waitingForStorage).toBe(0);
    const [line] = node.logs.lines.filter(({ msg }) => msg.includes("waits no longer"));
    expect(line).toMatchObject({ activity_id: idOf(1), what: "input", why: "patience" });
    expect(node.source.count("fail")).toBe(0);
  });

  it("fails when its deadline passes first, since nobody wants its result from then on", async () => {
    const { node } = await stumbling();
    await using _node = node;
    const deadlineMs = node.clock.nowMs() + 20_000;
    node.source.onInputs = async () => ({ inputs: [KEYED], workflowInputs: [], deadlineMs });
    await node.offer();
    await node.pass(20_000 + SLACK_MS);
    expect(node.stored()).toMatchObject({ kind: "done", outcome: { status: "error", code: 5002 } });
    expect(node.source.calls.at(-1)).toMatch(/^fail 1 \[STORAGE_WAIT_OVER\] its deadline/);
    expect(node.givenUp).toEqual(["input deadline"]);
  });

  it("waits on while storage does not take this node's credential, and then has all of its time", async () => {
    const { node, state } = await stumbling();
    await using _node = node;
    state.code = "UNAUTHENTICATED";
    await node.offer();
    await node.pass(5 * INPUT_PATIENCE_MS);
    expect(node.stored()?.kind).toBe("claimed");
    state.code = "UNAVAILABLE";
    await node.pass(INPUT_PATIENCE_MS - 2_000);
    expect(node.stored()?.kind).toBe("claimed");
    state.code = undefined;
    await node.pass(SLACK_MS);
    expect(node.executor.runs).toHaveLength(1);
    expect(node.givenUp).toEqual([]);
  });

  it("waits as its result would when an executor may have its run from before a restart", async () => {
    const { node, state } = await restartedWithRun();
    await using _node = node;
    await node.pass(INPUT_PATIENCE_MS + SLACK_MS);
    expect(node.stored()?.kind).toBe("assigned");
    const { executor } = node;
    state.code = undefined;
    await node.pass(SLACK_MS);
    expect(executor.runs).toHaveLength(2);
    expect(executor.runs[1]?.assignment.runId).toBe(executor.runs[0]?.assignment.runId);
  });

  it("is left to another worker then too, and names the setting that it waited by", async () => {
    const { node } = await restartedWithRun();
    await using _node = node;
    await node.pass(RESULT_PATIENCE_MS + SLACK_MS);
    expect(node.stored()).toMatchObject({
      kind: "abandoned",
      reason: expect.stringContaining("(storage.result_patience)") as string,
    });
    expect(node.givenUp).toEqual(["input patience"]);
    expect(node.executor.inUse).toBe(0);
  });
});

describe("a result whose objects storage always stumbles on", () => {
  it("is kept for its time to wait, and then the run is made again", async () => {
    const { node, state } = await stumbling();
    await using _node = node;
    state.code = undefined;
    await node.offer();
    const run = await node.executor.nextRun();
    state.code = "UNAVAILABLE";
    succeed(run, { out: `${run.assignment.uploadPrefix}out.wav` });
    await node.pass(RESULT_PATIENCE_MS - 2_000);
    expect(node.stored()?.kind).toBe("assigned");
    await node.pass(SLACK_MS + 2_000);
    expect(node.stored()).toMatchObject({
      past: {
        failures: [
          expect.stringMatching(/\[STORAGE_WAIT_OVER\] .*\(storage\.result_patience\).*out\.wav/) as string,
        ],
      },
    });
    expect(node.givenUp).toEqual(["result patience"]);
    state.code = undefined;
    await node.pass(2_000 + SLACK_MS);
    expect(node.executor.runs[1]?.assignment.attempt).toBe(2);
    expect(node.source.count("complete")).toBe(0);
  });

  it("is settled as it is when storage answers within that time, after longer than inputs would be waited for", async () => {
    const { node, state } = await stumbling();
    await using _node = node;
    state.code = undefined;
    await node.offer();
    const run = await node.executor.nextRun();
    const objectKey = `${run.assignment.uploadPrefix}out.wav`;
    node.storage.put(objectKey, "sound");
    state.code = "UNAVAILABLE";
    succeed(run, { out: objectKey });
    await node.pass(INPUT_PATIENCE_MS + SLACK_MS);
    state.code = undefined;
    await node.pass(SLACK_MS);
    expect(node.stored()?.kind).toBe("done");
    expect(node.source.count("complete")).toBe(1);
    expect(node.executor.runs).toHaveLength(1);
  });

  it("fails the activity when its deadline passes", async () => {
    const { node, run } = await running();
    await using _node = node;
    expect(run.assignment.deadlineMs).toBeUndefined();
    const deadlineMs = node.clock.nowMs() + 20_000;
    node.source.onInputs = async () => ({ inputs: [KEYED], workflowInputs: [], deadlineMs });
    await node.offer(2);
    const late = await node.executor.nextRun();
    node.storage.failWith(...Array<"UNAVAILABLE">(1_000).fill("UNAVAILABLE"));
    succeed(late, { out: `${late.assignment.uploadPrefix}out.wav` });
    await node.pass(20_000 + SLACK_MS);
    expect(node.stored(2)).toMatchObject({ kind: "done", outcome: { status: "error", code: 5002 } });
    expect(node.givenUp).toEqual(["result deadline"]);
  });
});
