import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseSpec } from "@subnet-worker/activity-spec";
import { type Devnet, runWorkflow, startDevnet } from "@subnet-worker/devnet";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const at = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const SPEC_PATH = at("activity-specs/audio.yaml");
const SPEC = parseSpec(readFileSync(SPEC_PATH, "utf8"), { fileName: SPEC_PATH });
const INPUT = {
  kind: "file",
  param: "audio_object_key",
  path: at("examples/audio/samples/recording.wav"),
  sizeBytes: 0,
} as const;

describe("a workflow that does not move", { timeout: 120_000 }, () => {
  let dir: string;
  let devnet: Devnet;
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), "e2e-stall-"));
    devnet = await startDevnet(
      {
        dir: join(dir, "run"),
        cwd: dir,
        handlers: [at("examples/audio/src/handlers.ts")],
        specs: [SPEC_PATH],
      },
      { signal: AbortSignal.timeout(60_000) },
    );
  });
  afterAll(async () => {
    await devnet[Symbol.asyncDispose]();
    rmSync(dir, { recursive: true, force: true });
  });

  const submit = () =>
    runWorkflow(
      { state: devnet.state, spec: SPEC, inputs: [INPUT], stallMs: 1_500, runStallMs: 1_500 },
      { signal: AbortSignal.timeout(60_000) },
    );
  const stopped = (name: string) => {
    const pid = devnet.state.processes.find((process) => process.name === name)?.pid ?? 0;
    process.kill(pid, "SIGSTOP");
    return { [Symbol.dispose]: () => void process.kill(pid, "SIGCONT") };
  };

  it("is given up with what the chain, the WCP and the WEP say, when no worker claims it", async () => {
    using _frozen = stopped("wcp");
    await expect(submit()).rejects.toMatchObject({
      code: "STALLED",
      message: expect.stringMatching(
        /no worker has claimed it[^]*The wcp says: nothing[^]*The wep says: ready/,
      ),
    });
  });

  it("is given up when its handler never answers", async () => {
    using _frozen = stopped("wep");
    await expect(submit()).rejects.toMatchObject({
      code: "STALLED",
      message: expect.stringMatching(/has sent neither progress nor a result|no worker has claimed it/),
    });
  });
});
