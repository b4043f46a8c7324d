import { readdirSync, readFileSync, rmSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runWorkflow, startDevnet } from "@subnet-worker/devnet";
import { expect, test } from "vitest";
import { AUDIO_HANDLERS, AUDIO_SPEC, AUDIO_SPEC_PATH, SHORT_RECORDING } from "./_network.ts";
import { COMPILE_CACHE } from "./_process.ts";

test.each(["subnet-api", "folder"] as const)(
  "the sample runs with its objects in %s, and no log, argument or WEP knows what signs",
  async (storage) => {
    process.env["NODE_COMPILE_CACHE"] = COMPILE_CACHE; // the devnet passes it on to its children
    const cwd = mkdtempSync(join(tmpdir(), "e2e-storage-"));
    using _removed = { [Symbol.dispose]: () => rmSync(cwd, { recursive: true, force: true }) };
    const { signal } = new AbortController();
    const dir = join(cwd, "net");
    await using devnet = await startDevnet(
      { dir, cwd, handlers: [AUDIO_HANDLERS], specs: [AUDIO_SPEC_PATH], storage },
      { signal },
    );
    const input = { kind: "file", param: "audio_object_key", path: SHORT_RECORDING, sizeBytes: 0 } as const;
    const { run, outputs } = await runWorkflow(
      { state: devnet.state, spec: AUDIO_SPEC, inputs: [input], stallMs: 60_000 },
      { signal },
    );
    expect(run.outcome.kind).toBe("completed");
    const files = outputs.flat().flatMap(({ file }) => (file === undefined ? [] : [file]));
    expect(files.map((file) => readFileSync(file).length > 1_000)).toEqual([true, true]);
    expect(readdirSync(join(dir, "objects"), { recursive: true }).join(" ")).toContain("waveform.png");

    const logs = readdirSync(join(dir, "logs")).map((name) => readFileSync(join(dir, "logs", name), "utf8"));
    const written = [...logs, readFileSync(devnet.state.wcp.configPath, "utf8")].join("");
    expect(written).toContain(`"storage":"${storage}"`);
    expect(written).not.toContain("signature=");
    const kept = devnet.state.storage;
    if (kept.kind === "subnet-api") {
      expect(written).not.toContain(kept.token);
      expect(environmentOf("wep")).not.toContain(kept.token);
    }
    expect(environmentOf("wep")).not.toMatch(/TOKEN|SECRET/);

    function environmentOf(name: string): string {
      if (process.platform !== "linux") return "";
      const pid = devnet.state.processes.find((each) => each.name === name)?.pid;
      return readFileSync(`/proc/${pid}/environ`, "utf8") + readFileSync(`/proc/${pid}/cmdline`, "utf8");
    }
  },
);
