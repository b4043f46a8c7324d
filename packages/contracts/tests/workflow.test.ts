import { id } from "ethers";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { taskQueueReads, workflowEngineReads } from "../src/index.ts";
import { bytes, Chain, eventsOf, expectRevert, NOBODY, SOME_TYPE } from "./_chain.ts";
import { startWorkflow, type StepOptions, type Workflows, workflowsOf } from "./_workflows.ts";

let chain: Chain;
let workflows: Workflows;
beforeAll(async () => {
  chain = await Chain.start();
  workflows = workflowsOf(chain);
});
afterAll(() => chain[Symbol.asyncDispose]());
beforeEach(() => chain.rewind());

const FALLBACK: StepOptions = { skipOnPrevSuccess: true };

describe("a workflow of two steps", () => {
  it("goes from step to step with the result as input and its own input as init, to its end", async () => {
    const worker = await chain.worker(1);
    await workflows.register("audio/1.0.0", [{ workerClass: "processing" }, { workerClass: "validation" }]);
    const { instance, receipt } = await startWorkflow(chain, "audio/1.0.0", bytes("in.wav"));
    const [first] = await workflows.activities(instance, 0);
    expect(eventsOf(receipt).map((event) => (event as [string])[0])).toEqual([
      "WorkflowStarted",
      "ActivityEnqueued",
      "StepEnqueued",
    ]);
    expect(eventsOf(receipt)[2]).toEqual([
      "StepEnqueued",
      { instance, step: 0n, queueName: "audio/1.0.0/processing", activityIds: [first] },
    ]);
    expect(await chain.activity(first!)).toMatchObject({
      workflowInstanceId: instance,
      inputData: bytes("in.wav"),
      initData: bytes("in.wav"),
      requester: chain.contracts.workflowEngine,
    });
    expect(await chain.poll("audio/1.0.0/processing")).toBe(first);
    await workflows.complete(worker, first!, bytes("out.wav"));

    const resumed = await workflows.resume(instance, chain.accounts[8]);
    const [second] = await workflows.activities(instance, 1);
    expect(eventsOf(resumed)).toMatchObject([
      ["WorkflowResumed", { instance, step: 0n, caller: chain.accounts[8] }],
      ["StepFinalised", { instance, step: 0n, success: true, resultHash: id("out.wav") }],
      ["ActivityEnqueued", { activityId: second, queueName: "audio/1.0.0/validation" }],
      ["StepEnqueued", { instance, step: 1n, activityIds: [second] }],
    ]);
    expect(await chain.activity(second!)).toMatchObject({
      inputData: bytes("out.wav"),
      initData: bytes("in.wav"),
    });
    expect(await workflows.view(instance)).toMatchObject({
      status: "running",
      currentStep: 1,
      result: bytes("out.wav"),
    });
    await workflows.complete(worker, second!, bytes("good"));

    const ended = await workflows.resume(instance);
    expect(eventsOf(ended)).toMatchObject([
      ["WorkflowResumed", { step: 1n }],
      ["StepFinalised", { step: 1n, success: true }],
      ["WorkflowCompleted", { instance, resultHash: id("good") }],
    ]);
    expect(await workflows.view(instance)).toEqual({
      workflow: "audio/1.0.0",
      status: "completed",
      currentStep: 1,
      stepCount: 2,
      input: bytes("in.wav"),
      result: bytes("good"),
      failureReason: "",
      requester: chain.accounts[9],
      startedAt: expect.any(BigInt),
    });
    expect([await workflows.status(instance, 0), await workflows.status(instance, 1)]).toEqual([
      "succeeded",
      "succeeded",
    ]);
  });

  it("fails with the reason of the activity that failed", async () => {
    const worker = await chain.worker(1);
    await workflows.register("audio/1.0.0", [{}, {}]);
    const { instance } = await startWorkflow(chain, "audio/1.0.0");
    await workflows.fail(worker, (await workflows.activities(instance, 0))[0]!, "[1001] not a WAV file");
    const receipt = await workflows.resume(instance);
    expect(eventsOf(receipt).at(-1)).toEqual([
      "WorkflowFailed",
      { instance, step: 0n, reason: "[1001] not a WAV file" },
    ]);
    expect(await workflows.view(instance)).toMatchObject({
      status: "failed",
      currentStep: 0,
      failureReason: "[1001] not a WAV file",
      result: "0x",
    });
    expect([await workflows.status(instance, 0), await workflows.status(instance, 1)]).toEqual([
      "failed",
      "pending",
    ]);
    expect(await workflows.activities(instance, 1)).toEqual([]);
    expect(await workflows.isResumable(instance)).toBe(false);
    await expectRevert(workflows.resume(instance), "WorkflowNotRunning", { instance, status: 2n });
  });

  it("keeps an empty result apart from no result", async () => {
    const worker = await chain.worker(1);
    await workflows.register("empty/1.0.0", [{}, {}]);
    const { instance } = await startWorkflow(chain, "empty/1.0.0", bytes("input"));
    await workflows.complete(worker, (await workflows.activities(instance, 0))[0]!, "0x");
    await workflows.resume(instance);
    const [second] = await workflows.activities(instance, 1);
    expect(await chain.activity(second!)).toMatchObject({ inputData: "0x", initData: bytes("input") });
  });
});

describe("resuming", () => {
  it("is refused before the step is finalised, with how far it is", async () => {
    const worker = await chain.worker(1);
    await workflows.register("audio/1.0.0", [{}]);
    const { instance } = await startWorkflow(chain, "audio/1.0.0");
    const refusal = { instance, step: 0n, settledCount: 0n, activityCount: 1n };
    expect(await workflows.isResumable(instance)).toBe(false);
    await expectRevert(workflows.resume(instance), "StepNotFinalised", refusal);
    const [activityId] = await workflows.activities(instance, 0);
    await chain.send(worker, ["taskQueue", "claimActivity", activityId]);
    await expectRevert(workflows.resume(instance), "StepNotFinalised", refusal);
    await chain.send(worker, ["taskQueue", "completeActivity", activityId, "0x"]);
    expect(await workflows.isResumable(instance)).toBe(true);
    await workflows.resume(instance);
  });

  it("is refused the second time, in the middle and at the end", async () => {
    const worker = await chain.worker(1);
    await workflows.register("audio/1.0.0", [{}, {}]);
    const { instance } = await startWorkflow(chain, "audio/1.0.0");
    await workflows.complete(worker, (await workflows.activities(instance, 0))[0]!);
    await workflows.resume(instance);
    await expectRevert(workflows.resume(instance), "StepNotFinalised", { step: 1n });
    await workflows.complete(worker, (await workflows.activities(instance, 1))[0]!);
    await workflows.resume(instance);
    expect(await workflows.isResumable(instance)).toBe(false);
    await expectRevert(workflows.resume(instance), "WorkflowNotRunning", { instance, status: 1n });
  });

  it("is refused for an unknown instance", async () => {
    const instance = id("nothing");
    await expectRevert(workflows.resume(instance), "UnknownWorkflowInstance", { instance });
    await expectRevert(workflows.isResumable(instance), "UnknownWorkflowInstance", { instance });
    await expectRevert(workflows.view(instance), "UnknownWorkflowInstance", { instance });
    await expectRevert(workflows.activities(instance, 0), "UnknownWorkflowInstance", { instance });
  });

  it("does not listen to activities that a stranger enqueued for the instance", async () => {
    const worker = await chain.worker(1);
    await workflows.register("audio/1.0.0", [{}]);
    const { instance } = await startWorkflow(chain, "audio/1.0.0");
    const forged = await chain.enqueue({ queueName: "audio/1.0.0/processing", workflowInstanceId: instance });
    await workflows.complete(worker, forged, bytes("forged"));
    await expectRevert(workflows.resume(instance), "StepNotFinalised");
  });
});

describe("skip_on_prev_success", () => {
  it("skips the step when the one before succeeded, and passes the result on", async () => {
    const worker = await chain.worker(1);
    await workflows.register("skip/1.0.0", [{}, FALLBACK, FALLBACK, {}]);
    const { instance } = await startWorkflow(chain, "skip/1.0.0", bytes("input"));
    await workflows.complete(worker, (await workflows.activities(instance, 0))[0]!, bytes("one"));
    const receipt = await workflows.resume(instance);
    expect(receipt.events().map(({ name }) => name)).toEqual([
      "WorkflowResumed",
      "StepFinalised",
      "StepSkipped",
      "StepSkipped",
      "ActivityEnqueued",
      "StepEnqueued",
    ]);
    const statuses = await Promise.all([0, 1, 2, 3].map((step) => workflows.status(instance, step)));
    expect(statuses).toEqual(["succeeded", "skipped", "skipped", "running"]);
    expect(await workflows.activities(instance, 1)).toEqual([]);
    const [last] = await workflows.activities(instance, 3);
    expect(await chain.activity(last!)).toMatchObject({ inputData: bytes("one"), initData: bytes("input") });
  });

  it("runs the step as a fallback when the one before failed, with the input that one had", async () => {
    const worker = await chain.worker(1);
    await workflows.register("skip/1.0.0", [{}, {}, FALLBACK, FALLBACK, {}]);
    const { instance } = await startWorkflow(chain, "skip/1.0.0", bytes("input"));
    await workflows.complete(worker, (await workflows.activities(instance, 0))[0]!, bytes("one"));
    await workflows.resume(instance);
    await workflows.fail(worker, (await workflows.activities(instance, 1))[0]!, "broken");
    const receipt = await workflows.resume(instance);
    expect(eventsOf(receipt)).toMatchObject([
      ["WorkflowResumed", { step: 1n }],
      ["StepFinalised", { step: 1n, success: false }],
      ["ActivityEnqueued", {}],
      ["StepEnqueued", { step: 2n }],
    ]);
    const [fallback] = await workflows.activities(instance, 2);
    expect(await chain.activity(fallback!)).toMatchObject({
      inputData: bytes("one"),
      initData: bytes("input"),
    });
    await workflows.complete(worker, fallback!, bytes("rescued"));
    await workflows.resume(instance);
    const statuses = await Promise.all([0, 1, 2, 3, 4].map((step) => workflows.status(instance, step)));
    expect(statuses).toEqual(["succeeded", "failed", "succeeded", "skipped", "running"]);
    const [last] = await workflows.activities(instance, 4);
    expect((await chain.activity(last!)).inputData).toBe(bytes("rescued"));
  });

  it("gives a fallback of the first step the workflow's input", async () => {
    const worker = await chain.worker(1);
    await workflows.register("skip/1.0.0", [{}, FALLBACK]);
    const { instance } = await startWorkflow(chain, "skip/1.0.0", bytes("input"));
    await workflows.fail(worker, (await workflows.activities(instance, 0))[0]!, "broken");
    await workflows.resume(instance);
    const [fallback] = await workflows.activities(instance, 1);
    expect((await chain.activity(fallback!)).inputData).toBe(bytes("input"));
  });

  it("fails the workflow when the last fallback fails, with that one's reason", async () => {
    const worker = await chain.worker(1);
    await workflows.register("skip/1.0.0", [{}, FALLBACK, {}]);
    const { instance } = await startWorkflow(chain, "skip/1.0.0");
    await workflows.fail(worker, (await workflows.activities(instance, 0))[0]!, "first");
    await workflows.resume(instance);
    await workflows.fail(worker, (await workflows.activities(instance, 1))[0]!, "second");
    await workflows.resume(instance);
    expect(await workflows.view(instance)).toMatchObject({
      status: "failed",
      currentStep: 1,
      failureReason: "second",
    });
  });

  it("completes a workflow whose last step is skipped, with the result before it", async () => {
    const worker = await chain.worker(1);
    await workflows.register("skip/1.0.0", [{}, FALLBACK]);
    const { instance } = await startWorkflow(chain, "skip/1.0.0");
    await workflows.complete(worker, (await workflows.activities(instance, 0))[0]!, bytes("one"));
    await workflows.resume(instance);
    expect(await workflows.view(instance)).toMatchObject({
      status: "completed",
      currentStep: 1,
      result: bytes("one"),
    });
  });

  it("runs a first step that has it, since nothing came before", async () => {
    await workflows.register("skip/1.0.0", [FALLBACK]);
    const { instance } = await startWorkflow(chain, "skip/1.0.0");
    expect(await workflows.activities(instance, 0)).toHaveLength(1);
  });
});

describe("registering", () => {
  it("is for good: a second registration under the name is refused", async () => {
    await workflows.register("audio/1.0.0", [{}]);
    await expectRevert(workflows.register("audio/1.0.0", [{}, {}]), "WorkflowAlreadyRegistered", {
      workflow: "audio/1.0.0",
    });
    await workflows.register("audio/1.0.1", [{}, {}]);
  });

  it("keeps the definition as it was given", async () => {
    await workflows.register("audio/1.0.0", [{ workerClass: "gpu", numWorkers: 3, quorum: 2 }, FALLBACK]);
    const definition = (await chain.call(["workflowEngine", "getDefinition", "audio/1.0.0"])) as unknown[][];
    expect(definition.map((step) => [...step].slice(1))).toEqual([
      ["gpu", 3n, 2n, false],
      ["processing", 1n, 1n, true],
    ]);
  });

  it("refuses an empty name, no steps, and more than 64", async () => {
    await expectRevert(workflows.register("", [{}]), "EmptyWorkflowName");
    await expectRevert(workflows.register("a/1.0.0", []), "StepCountOutOfRange", {
      stepCount: 0n,
      maxSteps: 64n,
    });
    const many = Array.from({ length: 65 }, () => ({}));
    await expectRevert(workflows.register("a/1.0.0", many), "StepCountOutOfRange", { stepCount: 65n });
  });

  it("refuses a step that could never run or never succeed", async () => {
    const refusals: readonly [StepOptions, string][] = [
      [{ activityType: NOBODY }, "StepWithoutActivityType"],
      [{ workerClass: "" }, "EmptyWorkerClass"],
      [{ numWorkers: 0 }, "NumWorkersOutOfRange"],
      [{ numWorkers: 33 }, "NumWorkersOutOfRange"],
      [{ numWorkers: 2, quorum: 0 }, "QuorumOutOfRange"],
      [{ numWorkers: 2, quorum: 3 }, "QuorumOutOfRange"],
    ];
    for (const [step, error] of refusals) {
      await expectRevert(workflows.register("a/1.0.0", [{ activityType: SOME_TYPE }, step]), error, {
        step: 1n,
      });
    }
    await expectRevert(startWorkflow(chain, "a/1.0.0"), "UnknownWorkflow", { workflow: "a/1.0.0" });
  });
});

describe("starting", () => {
  it("is refused for a workflow that is not registered", async () => {
    await expectRevert(startWorkflow(chain, "none/1.0.0"), "UnknownWorkflow", { workflow: "none/1.0.0" });
  });

  it("is refused with an input above 16 KiB", async () => {
    await workflows.register("audio/1.0.0", [{}]);
    await expectRevert(startWorkflow(chain, "audio/1.0.0", `0x${"00".repeat(16_385)}`), "PayloadTooLarge");
  });

  it("gives every instance an id of its own", async () => {
    await workflows.register("audio/1.0.0", [{}]);
    const [first, second] = [
      await startWorkflow(chain, "audio/1.0.0"),
      await startWorkflow(chain, "audio/1.0.0"),
    ];
    expect(first.instance).not.toBe(second.instance);
    expect(
      await chain.read(taskQueueReads(chain.contracts.taskQueue).getQueueDepth("audio/1.0.0/processing", 0)),
    ).toEqual({ waiting: 2, leased: 0 });
  });

  it("knows no step beyond the last", async () => {
    await workflows.register("audio/1.0.0", [{}]);
    const { instance } = await startWorkflow(chain, "audio/1.0.0");
    const read = workflowEngineReads(chain.contracts.workflowEngine).getStepActivities(instance, 1);
    await expectRevert(chain.read(read), "StepOutOfRange", { instance, step: 1n, stepCount: 1n });
  });
});
