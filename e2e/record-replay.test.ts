import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseRecordedRun } from "@subnet-worker/protocol/recorded-run";
import { afterAll, beforeAll, expect, test } from "vitest";
import { AUDIO_HANDLERS, type Network, SHORT_RECORDING, startNetwork } from "./_network.ts";
import { programArgs, startProcess } from "./_process.ts";
import { submitRecording } from "./_workflow.ts";

let network: Network;

beforeAll(async () => {
  network = await startNetwork();
});
afterAll(() => network[Symbol.asyncDispose]());

interface Run {
  readonly code: unknown;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(program: "wcp" | "wep", ...args: readonly string[]): Promise<Run> {
  const { accessKeyId, secretAccessKey } = network.state.store;
  const secrets = {
    WCP__STORAGE__ACCESS_KEY_ID: accessKeyId,
    WCP__STORAGE__SECRET_ACCESS_KEY: secretAccessKey,
  };
  await using process_ = await startProcess({
    command: process.execPath,
    args: [...programArgs(program), ...args],
    env: program === "wcp" ? secrets : {},
    cwd: network.dir,
  });
  const code = await process_.ended;
  return { code, stdout: process_.stdout(), stderr: process_.stderr() };
}

test("a run of the network is recorded while the node runs, and run again from the record", async () => {
  const { run: finished } = await submitRecording(network, SHORT_RECORDING).finished;
  expect(finished.outcome.kind).toBe("completed");
  const [step] = finished.steps;
  const id = step !== undefined && "activityIds" in step ? (step.activityIds[0] ?? "") : "";
  const shown = await run("wcp", "record", "show", id.slice(0, 20), "--config", network.state.wcp.configPath);
  expect(shown, shown.stderr).toMatchObject({ code: 0, stderr: "" });
  const record = parseRecordedRun(shown.stdout);
  expect(record.activity).toMatchObject({ id, kind: "audio.preprocess" });
  expect(record.outcome).toMatchObject({ state: "done", status: "success" });
  const [input] = record.inputs;
  const bytes = Buffer.from(await (await fetch(input?.url ?? "")).arrayBuffer());
  expect(bytes.equals(readFileSync(SHORT_RECORDING))).toBe(true);
  expect(shown.stdout).not.toContain(network.state.store.secretAccessKey);

  const file = join(network.dir, "run.json");
  writeFileSync(file, shown.stdout);
  const replayed = await run("wep", "replay", file, "--handlers", AUDIO_HANDLERS);
  expect(replayed, replayed.stdout + replayed.stderr).toMatchObject({ code: 0 });
});
