import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type LogLine, printStory } from "./_logs.ts";
import { AUDIO_SPEC_PATH, type Network, startNetwork } from "./_network.ts";
import { writeRecording } from "./_recording.ts";
import { configWith, fundedWallet, makeWcp, wcpConfig, type WcpConfig } from "./_wcp.ts";
import { countOf, productOf, recordsOf, type Submitted, submitRecording } from "./_workflow.ts";

/** Long enough for a restart while the handler runs. */
const LONG_S = 120;
/** Where blocks are held back, the moment does not depend on how long the handler runs. */
const SHORT_S = 5;

let network: Network;
let recordings: { readonly long: string; readonly short: string };
/** What an undisturbed run makes of each recording. */
let undisturbed: { readonly long: unknown; readonly short: unknown };

type Which = "long" | "short";

beforeAll(async () => {
  network = await startNetwork();
  recordings = { long: join(network.dir, "long.wav"), short: join(network.dir, "short.wav") };
  writeRecording(recordings.long, LONG_S);
  writeRecording(recordings.short, SHORT_S);
  const [long, short] = await Promise.all([
    submitRecording(network, recordings.long).finished,
    submitRecording(network, recordings.short).finished,
  ]);
  undisturbed = { long: productOf(long), short: productOf(short) };
});

afterAll(() => network[Symbol.asyncDispose]());

afterEach(async ({ task }) => {
  if (task.result?.state === "fail") printStory(network.logs);
  await network.chain.releaseBlocks();
});

interface RunningWorkflow {
  readonly run: Submitted;
  /** Of the run that has begun. */
  readonly runId: string;
}

interface Expected {
  /** How often the handler of each step may have begun. Default once. */
  readonly handlerRuns?: readonly [number, number];
}

/** The workflow completes; whatever was killed, the chain shows each step done once, and the files are right. */
async function expectDoneOnce(run: Submitted, which: Which, expected: Expected = {}): Promise<void> {
  const finished = await run.finished;
  expect(finished.run.outcome).toEqual({ kind: "completed" });
  const { handlerRuns = [1, 1] } = expected;
  const once = { claimed: 1, completed: 1, failed: 0, expired: 0 };
  expect(await recordsOf(network, finished)).toEqual([
    { step: "audio_preprocess", ...once, handlerRuns: handlerRuns[0] },
    { step: "audio_validate", ...once, handlerRuns: handlerRuns[1] },
  ]);
  expect(await countOf(network, "WorkflowResumed", finished.instance)).toBe(2);
  expect(await countOf(network, "WorkflowCompleted", finished.instance)).toBe(1);
  expect(finished.transactions.filter(({ succeeded }) => !succeeded)).toEqual([]);
  expect(productOf(finished)).toEqual(undisturbed[which]);
}

/** Starts a workflow whose blocks are mined one at a time by the test; returns with its claim waiting for one. */
async function submitToClaim(): Promise<Submitted> {
  await network.chain.holdBlocks();
  const run = submitRecording(network, recordings.short);
  await network.chain.untilPending("startWorkflow");
  await network.chain.mine();
  await network.chain.untilPending("claimActivity");
  return run;
}

/** As {@link submitToClaim}, up to the moment when the first step's completion waits for a block. */
async function submitToCompletion(): Promise<Submitted> {
  const run = await submitToClaim();
  await network.chain.mine();
  await network.chain.untilPending("completeActivity");
  return run;
}

/** Starts a workflow on the long recording; returns once the handler of this kind runs. */
async function submitToRunning(kind = "audio.preprocess"): Promise<RunningWorkflow> {
  const wepMark = network.logs.wep.mark();
  const run = submitRecording(network, recordings.long);
  const isStart = (line: LogLine) => line.msg === "run started" && line["kind"] === kind;
  const { run_id: runId } = await network.logs.wep.find(`${kind} to run`, isStart, wepMark);
  return { run, runId: String(runId) };
}

/** Waits for what the WEP logs about a run. */
async function logged(runId: string, msg: string): Promise<void> {
  await network.logs.wep.find(
    `"${msg}" about run ${runId}`,
    (line) => line.run_id === runId && line.msg === msg,
  );
}

async function crash(): Promise<void> {
  await network.kill("wcp");
  await network.restart("wcp");
}

/** The moment was hit: when the process was gone, the run was not over. */
function expectUnfinished(runId: string): void {
  const ended = network.logs.wep.lines().filter((line) => line.run_id === runId && line.msg === "run ended");
  expect(ended).toEqual([]);
}

describe("a WCP killed", () => {
  afterEach(() => network.heal());

  test("right after it sent a claim goes on with the claim that was mined meanwhile", async () => {
    const run = await submitToClaim();
    await network.kill("wcp");
    await network.chain.mine();
    await network.chain.releaseBlocks();
    await network.restart("wcp");
    await expectDoneOnce(run, "short");
  });

  test("right after it sent a claim that the node lost sends it again", async () => {
    const run = await submitToClaim();
    await network.kill("wcp");
    await network.chain.drop((await network.chain.untilPending("claimActivity")).hash);
    await network.restart("wcp");
    await network.chain.untilPending("claimActivity");
    await network.chain.releaseBlocks();
    await expectDoneOnce(run, "short");
  });

  test("while audio.preprocess runs finds the run again, and the handler runs once", async () => {
    const { run, runId } = await submitToRunning();
    await network.kill("wcp");
    expectUnfinished(runId);
    await network.restart("wcp");
    await logged(runId, "run re-attached");
    await expectDoneOnce(run, "long");
  });

  test("and away when a handler finishes gets the result on its return, and the handler runs once", async () => {
    const { run, runId } = await submitToRunning("audio.validate");
    {
      using _ = network.pause("wep");
      await network.kill("wcp");
      expectUnfinished(runId);
    }
    await logged(runId, "run ended");
    await network.restart("wcp");
    await logged(runId, "run re-attached");
    await expectDoneOnce(run, "long");
  });

  test("with its completion waiting for a block resumes the workflow when that was mined meanwhile", async () => {
    const run = await submitToCompletion();
    await network.kill("wcp");
    await network.chain.mine();
    expect(await network.chain.pending()).toEqual([]); // completed, and nobody has asked for the next step
    await network.restart("wcp");
    await network.chain.untilPending("resumeWorkflow");
    await network.chain.releaseBlocks();
    await expectDoneOnce(run, "short");
  });

  test("with its completion waiting for a block sends it again when the node lost it", async () => {
    const run = await submitToCompletion();
    await network.kill("wcp");
    await network.chain.drop((await network.chain.untilPending("completeActivity")).hash);
    await network.restart("wcp");
    await network.chain.untilPending("completeActivity");
    await network.chain.releaseBlocks();
    await expectDoneOnce(run, "short");
  });

  test("with its resume waiting for a block sends it again when the node lost it", async () => {
    const run = await submitToCompletion();
    await network.chain.mine();
    const resume = await network.chain.untilPending("resumeWorkflow");
    await network.kill("wcp");
    await network.chain.drop(resume.hash);
    await network.restart("wcp");
    await network.chain.untilPending("resumeWorkflow");
    await network.chain.releaseBlocks();
    await expectDoneOnce(run, "short");
  });

  test("five times in a row, once at each stage, completes each activity once, and the handler runs once", async () => {
    const run = await submitToClaim();
    await crash();
    await network.chain.mine();
    await network.chain.untilPending("completeActivity");
    await crash();
    await crash();
    await network.chain.mine();
    await network.chain.untilPending("resumeWorkflow");
    await crash();
    await network.chain.mine();
    await network.chain.untilPending("claimActivity");
    await crash();
    await network.chain.releaseBlocks();
    await expectDoneOnce(run, "short");
  });
});

describe("a WEP killed", () => {
  afterEach(() => network.heal());

  test("while audio.preprocess runs is given the activity again, which completes once", async () => {
    const { run, runId } = await submitToRunning();
    await network.kill("wep");
    expectUnfinished(runId);
    await network.restart("wep");
    await expectDoneOnce(run, "long", { handlerRuns: [2, 1] });
  });

  test("right after its handler finished is not needed for the completion", async () => {
    const run = await submitToCompletion();
    await network.kill("wep");
    await network.chain.mine();
    await network.chain.untilPending("resumeWorkflow");
    await network.restart("wep");
    await network.chain.releaseBlocks();
    await expectDoneOnce(run, "short");
  });
});

describe("both processes killed", () => {
  afterEach(() => network.heal());

  test("while audio.preprocess runs complete it once after their restart", async () => {
    const { run, runId } = await submitToRunning();
    await network.kill("wcp", "wep");
    expectUnfinished(runId);
    await network.restart("wep", "wcp");
    await expectDoneOnce(run, "long", { handlerRuns: [2, 1] });
  });

  test("with a completion waiting for a block do not run the handler again", async () => {
    const run = await submitToCompletion();
    await network.kill("wcp", "wep");
    await network.restart("wep", "wcp");
    await network.chain.releaseBlocks();
    await expectDoneOnce(run, "short");
  });
});

describe("a WCP told to stop with SIGTERM", () => {
  let key: Readonly<Record<string, string>>;
  let config: WcpConfig;

  // The devnet's own would count an end by SIGTERM as a crash; and with two, either could claim.
  beforeAll(async () => {
    await network.kill("wcp");
    const { chain, store, wep } = network.state;
    const { accessKeyId, secretAccessKey, ...storage } = store;
    key = {
      WCP__STORAGE__ACCESS_KEY_ID: accessKeyId,
      WCP__STORAGE__SECRET_ACCESS_KEY: secretAccessKey,
      WCP__ETHEREUM__WALLET_PRIVATE_KEY: (await fundedWallet(chain)).privateKey,
    };
    config = configWith(wcpConfig(chain, wep.endpoint, AUDIO_SPEC_PATH), { storage });
  });

  test("while audio.preprocess runs settles it, takes nothing new, and ends with 0", async () => {
    const home = makeWcp({ dir: network.dir, config, env: key });
    await using first = await home.start();
    await first.untilReady();
    const { run, runId } = await submitToRunning();
    first.signal("SIGTERM");
    await first.find("the drain to begin", ({ msg }) => msg?.startsWith("stopping: no new claims") === true);
    expectUnfinished(runId);
    expect(await first.ended).toBe(0);
    const instance = await run.started;
    expect(await countOf(network, "StepFinalised", instance)).toBe(1);
    const claims = (await network.chain.pending()).filter(({ name }) => name === "claimActivity");
    expect(claims).toEqual([]);

    await using _second = await home.start();
    await expectDoneOnce(run, "long");
  });

  test("leaves a run that takes too long for its deadline, ends with 0, and finds it again", async () => {
    const home = makeWcp({
      dir: network.dir,
      config: configWith(config, { shutdown: { deadline: "100ms" } }),
      env: key,
    });
    await using first = await home.start();
    await first.untilReady();
    const { run, runId } = await submitToRunning();
    first.signal("SIGTERM");
    expect(await first.ended).toBe(0);
    expectUnfinished(runId);
    expect(first.lines().map(({ msg }) => msg)).toContain(
      "stopping with activities under way; they are stored and go on at the next start",
    );

    await using _second = await home.start();
    await logged(runId, "run re-attached");
    await expectDoneOnce(run, "long");
  });

  test("does not wait beyond its deadline for a block that does not come, and ends with 0", async () => {
    const home = makeWcp({
      dir: network.dir,
      config: configWith(config, { shutdown: { deadline: "100ms" } }),
      env: key,
    });
    await using first = await home.start();
    await first.untilReady();
    const run = await submitToCompletion();
    first.signal("SIGTERM");
    expect(await first.ended).toBe(0);

    await using _second = await home.start();
    await network.chain.releaseBlocks();
    await expectDoneOnce(run, "short");
  });
});
