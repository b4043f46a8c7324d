import { existsSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { taskQueueReads, workflowEngineReads } from "@subnet-worker/contracts";
import { JsonRpcProvider } from "ethers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  openPlace,
  type Place,
  processesWith,
  recordOf,
  type RunningDevnet,
  stateOf,
  untilNothingRuns,
} from "./_demo.ts";
import { openPng, openWav } from "./_files.ts";

const RECORDING = fileURLToPath(new URL("../examples/audio/samples/recording.wav", import.meta.url));
const MINUTES = 60_000;

describe("demo", { timeout: 3 * MINUTES }, () => {
  it("runs the sample, ends with 0, and leaves a WAV and a PNG that open", async () => {
    using place = openPlace();
    const { code, stdout, stderr } = await place.run(["demo"]).done;
    expect([code, stderr]).toEqual([0, ""]);

    const record = recordOf(place);
    expect(record.outcome).toEqual({ kind: "completed" });
    const fileOf = (name: string) =>
      record.steps[0]?.outputs.find((output) => output.name === name)?.file ?? "none";
    const wav = openWav(fileOf("processed_object_key"));
    expect([wav.channels, wav.sampleRateHz]).toEqual([1, 16_000]);
    const duration = record.steps[0]?.outputs.find(({ name }) => name === "duration_ms")?.value;
    expect(Math.abs(wav.durationMs - Number(duration))).toBeLessThan(2);
    const png = openPng(fileOf("waveform_object_key"));
    expect(png.width).toBeGreaterThan(100);
    expect(png.dataBytes).toBeGreaterThan(png.height);

    const actions = record.transactions.map(({ action }) => action);
    expect(actions.filter((action) => action !== "heartbeat")).toEqual([
      "start",
      "claim",
      "complete",
      "resume",
      "claim",
      "complete",
      "resume",
    ]);
    expect(record.transactions.every(({ succeeded, gas_used: gas }) => succeeded && gas > 21_000)).toBe(true);
    for (const part of [
      "STEP",
      "WORKER",
      "TRANSACTIONS",
      "TIME",
      "OUTPUTS",
      "audio.preprocess",
      "audio.validate",
      "gas",
      "processed.wav",
    ]) {
      expect(stdout).toContain(part);
    }
    expect(stdout).not.toContain("\x1b");
    await untilNothingRuns(place);
  });

  it("replaces ports that are taken, and says so", async () => {
    using place = openPlace();
    const taken = createServer();
    // Somebody else may hold it already; either way it is taken.
    taken.on("error", () => {});
    taken.listen(7071, "127.0.0.1");
    await Promise.race(
      ["listening", "error"].map((event) => new Promise((resolve) => taken.once(event, resolve))),
    );
    const { code, stdout } = await place.run(["demo"]).done;
    taken.close();
    expect(code).toBe(0);
    expect(stdout).toMatch(/port 7071 is taken: the WEP's health server uses \d+ instead/);
  });

  it("runs twice side by side, started at the same moment", async () => {
    using one = openPlace();
    using two = openPlace();
    const ended = await Promise.all([one.run(["demo"]).done, two.run(["demo"]).done]);
    expect(ended.map(({ code, stderr }) => [code, stderr])).toEqual([
      [0, ""],
      [0, ""],
    ]);
    const ports = [one, two].flatMap((place) => Object.values(stateOf(place).ports));
    expect(ports.length).toBeGreaterThan(9);
    expect(new Set(ports).size).toBe(ports.length);
    await untilNothingRuns(one);
    await untilNothingRuns(two);
  });

  it.each([
    ["a missing file", "missing.wav", "missing.wav does not exist"],
    ["a directory", ".", "is a directory"],
    ["a field that is not there", "nothing=1", 'has no input "nothing"'],
  ])("refuses %s before it starts anything", async (_what, input, message) => {
    using place = openPlace();
    const { code, stderr, stdout } = await place.run(["demo", "--input", input]).done;
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toContain("[BAD_INPUT]");
    expect(stderr).toContain(message);
    expect(existsSync(join(place.cwd, ".devnet"))).toBe(false);
  });

  it("answers an unknown option with its usage and 78", async () => {
    using place = openPlace();
    const { code, stderr } = await place.run(["demo", "--imput", "x.wav"]).done;
    expect(code).toBe(78);
    expect(stderr).toContain("--imput");
    expect(stderr).toContain("subnet-devnet submit");
  });
});

describe("a network that stays up", { timeout: 3 * MINUTES }, () => {
  let place: Place;
  let network: RunningDevnet;
  beforeAll(async () => {
    place = openPlace();
    writeFileSync(join(place.cwd, "no.wav"), "this is no recording, only text about one");
    writeFileSync(join(place.cwd, "empty.wav"), "");
    writeFileSync(join(place.cwd, "cut.wav"), readFileSync(RECORDING).subarray(0, 40_000));
    writeFileSync(join(place.cwd, "large.wav"), readFileSync(RECORDING).subarray(0, 44));
    truncateSync(join(place.cwd, "large.wav"), 200 * 1024 * 1024);
    network = place.run(["up"]);
    await network.line("Ctrl-C ends it");
  }, MINUTES);
  afterAll(async () => {
    network.kill("SIGINT");
    await network.done;
    place[Symbol.dispose]();
  }, MINUTES);

  it("prints the exact command that submits another, and it works", async () => {
    const command = await network.line("--dir");
    const args = command.slice(command.indexOf(" submit ")).trim().split(" ");
    const { code, stdout } = await place.run(args).done;
    expect(code).toBe(0);
    expect(stdout).toContain("audio/1.0.0 completed");
  });

  it.each([
    ["a file that is not a WAV", "no.wav", "AUDIO_NOT_WAV"],
    ["an empty file", "empty.wav", "AUDIO_EMPTY"],
    ["a truncated file", "cut.wav", "AUDIO_TRUNCATED"],
    ["a file of 200 MB", "large.wav", "AUDIO_TOO_LARGE"],
    ["a key of no object", "audio_object_key=no/such/object", "no/such/object"],
  ])("fails on chain for %s, and says why", async (_what, input, reason) => {
    const { code, stdout, stderr } = await place.run(["submit", "--input", input]).done;
    expect(code).toBe(1);
    expect(stderr).toContain("[WORKFLOW_FAILED] audio/1.0.0 failed at audio.preprocess");
    expect(stderr).toContain(reason);

    const instance = /workflow instance (0x[0-9a-f]{64})/.exec(stdout)?.[1] ?? "none";
    const onChain = await readChain(instance);
    expect(onChain.workflow).toMatchObject({ status: "failed", currentStep: 0 });
    expect(onChain.workflow.failureReason).toContain(reason);
    expect(onChain.activity).toMatchObject({ isCompleted: true, success: false });
    expect(Buffer.from(onChain.activity.resultData.slice(2), "hex").toString()).toContain(reason);
  });

  it("runs two submissions at once", async () => {
    const args = ["submit", "--input", RECORDING];
    const ended = await Promise.all([place.run(args).done, place.run(args).done]);
    expect(ended.map(({ code }) => code)).toEqual([0, 0]);
  });

  it.skipIf(process.platform !== "linux")(
    "keeps key and credentials from the WEP's environment, arguments and configuration",
    () => {
      const { processes, store, wep } = stateOf(place);
      const pidOf = (name: string) => processes.find((child) => child.name === name)?.pid ?? 0;
      const environment = (name: string) => readFileSync(`/proc/${pidOf(name)}/environ`, "utf8");
      const key = /WCP__ETHEREUM__WALLET_PRIVATE_KEY=(0x[0-9a-f]{64})/.exec(environment("wcp"))?.[1];
      expect(key).toBeDefined();
      const ofWep =
        environment("wep") +
        readFileSync(`/proc/${pidOf("wep")}/cmdline`, "utf8") +
        readFileSync(wep.configPath, "utf8");
      for (const secret of [key!, key!.slice(2), store.secretAccessKey, store.accessKeyId])
        expect(ofWep).not.toContain(secret);
      expect(
        environment("wep")
          .split("\0")
          .filter((entry) => /KEY|SECRET|TOKEN|PASSWORD/i.test(entry)),
      ).toEqual([]);
      for (const { pid } of processes)
        expect(readFileSync(`/proc/${pid}/cmdline`, "utf8")).not.toContain(store.secretAccessKey);
      expect(new Set(processes.map(({ pid }) => pid)).size).toBe(4);
    },
  );

  async function readChain(instance: string) {
    const { chain } = stateOf(place);
    const provider = new JsonRpcProvider(chain.rpcUrl, chain.chainId, { staticNetwork: true });
    const ask = async <T>(read: { to: string; data: string; decode(answer: string): T }) =>
      read.decode(await provider.call({ to: read.to, data: read.data }));
    const engine = workflowEngineReads(chain.workflowEngine);
    const [activityId = ""] = await ask(engine.getStepActivities(instance, 0));
    const found = {
      workflow: await ask(engine.getWorkflow(instance)),
      activity: await ask(taskQueueReads(chain.taskQueue).getActivity(activityId)),
    };
    provider.destroy();
    return found;
  }
});

describe.skipIf(process.platform !== "linux")("the end of a network", { timeout: 3 * MINUTES }, () => {
  const MOMENTS = [
    "Starting a local network",
    "chain  http",
    "store  http",
    "wep    http",
    "wcp    http",
    "claimed by",
  ];

  it.each(MOMENTS)("leaves nothing behind after Ctrl-C at '%s'", async (moment) => {
    using place = openPlace();
    const devnet = place.run(["demo"]);
    await devnet.line(moment);
    devnet.kill("SIGINT");
    const { code, stderr } = await devnet.done;
    expect([code, stderr]).toEqual([130, "[INTERRUPTED] Stopped by Ctrl-C.\n"]);
    expect(place.processes()).toEqual([]);
  });

  it.each(MOMENTS)("leaves nothing behind after kill -9 at '%s'", async (moment) => {
    using place = openPlace();
    const devnet = place.run(["demo"]);
    await devnet.line(moment);
    devnet.kill("SIGKILL");
    await devnet.done;
    await untilNothingRuns(place);
  });

  it("takes the echo of a Ctrl-C that npm sends after the terminal's for one Ctrl-C", async () => {
    using place = openPlace();
    const devnet = place.run(["up"]);
    await devnet.line("Ctrl-C ends it");
    const { processes } = stateOf(place);
    devnet.kill("SIGINT");
    // Two signals at the very same moment would arrive as one.
    const wcp = processes.find(({ name }) => name === "wcp")?.pid ?? 0;
    await expect.poll(() => place.processes(), { interval: 5, timeout: 20_000 }).not.toContain(wcp);
    devnet.kill("SIGINT");
    const { code, stderr } = await devnet.done;
    expect([code, stderr]).toEqual([130, "[INTERRUPTED] Stopped by Ctrl-C.\n"]);
    expect(place.processes()).toEqual([]);
  });

  it("ends with 143 and nothing left after SIGTERM", async () => {
    using place = openPlace();
    const devnet = place.run(["up"]);
    await devnet.line("Ctrl-C ends it");
    devnet.kill("SIGTERM");
    expect((await devnet.done).code).toBe(143);
    expect(place.processes()).toEqual([]);
  });

  it("ends when npm, which started it, is killed", async () => {
    using place = openPlace();
    const npm = place.run(["up"], {
      through: ["sh", "-c", '"$0" "$@"; true'],
      env: { npm_lifecycle_event: "start" },
    });
    await npm.line("Ctrl-C ends it");
    npm.kill("SIGKILL");
    await untilNothingRuns(place);
  });

  it.each(["chain", "store", "wep", "wcp"])(
    "stops everything and names the culprit when the %s dies",
    async (name) => {
      using place = openPlace();
      const devnet = place.run(["up"]);
      await devnet.line("Ctrl-C ends it");
      process.kill(stateOf(place).processes.find((child) => child.name === name)?.pid ?? 0, "SIGKILL");
      const { code, stderr } = await devnet.done;
      expect(code).toBe(1);
      expect(stderr).toContain(`[CHILD_DIED] The process "${name}" ended by itself by SIGKILL`);
      expect(stderr).toContain(join("logs", `${name}.log`));
      expect(place.processes()).toEqual([]);
    },
  );

  it("shows what the WEP said when its handlers do not load", async () => {
    using place = openPlace();
    writeFileSync(join(place.cwd, "broken.ts"), `throw new Error("the model file is missing");`);
    writeFileSync(
      join(place.cwd, "spec.yaml"),
      "task_kind: a\ntask_version: 1.0.0\ninputs: []\noutputs: []\n",
    );
    const { code, stderr } = await place.run(["up", "--handlers", "broken.ts", "--spec", "spec.yaml"]).done;
    expect(code).toBe(1);
    expect(stderr).toContain('[CHILD_DIED] The process "wep"');
    expect(stderr).toContain("the model file is missing");
    expect(processesWith(`TMPDIR=${place.cwd}`)).toEqual([]);
  });
});
