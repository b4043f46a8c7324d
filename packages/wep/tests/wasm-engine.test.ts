import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createLogger, createRegistry } from "@subnet-worker/kit";
import { createEngine, type Engine } from "@subnet-worker/wasm";
import { runHandler } from "@subnet-worker/wep-sdk/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compose } from "../src/compose.ts";
import { readConfig } from "../src/config.ts";
import { type OpenWasm, openWasm } from "../src/wasm/open-wasm.ts";
import { wepInside } from "./_commands.ts";
import { FakeEngine } from "./_fake-engine.ts";
import { wasmModule } from "./_wasm-modules.ts";
import { DEFAULTS } from "./_wasm-handler.ts";
import { folderWith, startWep } from "./_wep-process.ts";

const LOTS = 10 ** 15;

describe("wasm.execute on the engine", () => {
  let engine: Engine;
  let wasm: OpenWasm;
  const run = (inputs: Record<string, unknown>) => runHandler(wasm.handler, { inputs });

  beforeAll(async () => {
    engine = createEngine({ threads: 1, limits: { fuel: BigInt(LOTS) } });
    // Fuel for longer than any machine runs in the time that a test gives.
    const limits = { ...DEFAULTS.limits, fuel: LOTS };
    wasm = await openWasm({ ...DEFAULTS, limits }, { metrics: createRegistry(), engine });
  });

  afterAll(async () => {
    await wasm[Symbol.asyncDispose]();
    await engine[Symbol.asyncDispose]();
  });

  it("gives the same for the same, to the last unit of fuel, and meters a module once", async () => {
    const inputs = { module: await wasmModule("greet"), input: "world" };
    const [first, second] = [await run(inputs), await run(inputs)];
    expect(first.outputs).toMatchObject({
      kind: "completed",
      output: hexOf("hello, world"),
      memory_peak_bytes: 65_536,
    });
    const { time_ms: _, ...same } = first.outputs;
    expect(second.outputs).toMatchObject(same);
    expect(engine.stats).toMatchObject({ misses: 1, memoryHits: 1 });
  });

  it("ends what never would, and goes on with the next", async () => {
    const spin = await wasmModule("spin");
    const late = await run({ module: spin, max_time_s: 1 });
    expect(late.error).toMatchObject({ name: "CANCELLED_BY_TIMEOUT" });
    const burnt = await run({ module: spin, max_fuel: 1_000 });
    expect(burnt.error).toMatchObject({
      name: "QUOTA_EXCEEDED",
      message: expect.stringContaining("WASM_OUT_OF_FUEL"),
    });
    expect((await run({ module: await wasmModule("greet") })).status).toBe("success");
  });

  it("is ended by a cancel, whatever the program does", async () => {
    const stop = new AbortController();
    const inputs = { module: await wasmModule("spin") };
    const running = runHandler(wasm.handler, { inputs, signal: stop.signal });
    await expect.poll(() => engine.stats.busyThreads).toBe(1);
    stop.abort();
    expect((await running).error).toMatchObject({ name: "CANCELLED_BY_USER" });
    await expect.poll(() => engine.stats.busyThreads).toBe(0);
  });

  it("says what is wrong with a module", async () => {
    const error = async (name: Parameters<typeof wasmModule>[0]) =>
      (await run({ module: await wasmModule(name) })).error;
    expect(await error("foreign")).toMatchObject({
      name: "PERMISSION_DENIED",
      message: expect.stringContaining("env"),
    });
    expect(await error("plain")).toMatchObject({
      name: "INVALID_INPUT",
      message: expect.stringContaining("ABI"),
    });
    expect((await run({ module: new Uint8Array([1]) })).error).toMatchObject({ name: "INVALID_FORMAT" });
  });
});

describe("a worker with WebAssembly", () => {
  const configOf = (enabled: boolean) =>
    readConfig({
      configPath: undefined,
      handlerModules: [],
      env: {
        WEP__WASM__ENABLED: String(enabled),
        WEP__SERVER__PORT: "0",
        WEP__HEALTH__PORT: "0",
        WEP__LOGGING__LEVEL: "silent",
      },
      cwd: "/none",
    });

  it("serves it where it is enabled, and nothing of it else", async () => {
    const engine = new FakeEngine();
    const handlersWith = async (enabled: boolean) => {
      const lines: string[] = [];
      const destination = { write: (line: string) => void lines.push(line) };
      const logger = createLogger({ name: "wep", level: "info", destination });
      await using _app = await compose(configOf(enabled), { engine, logger });
      const said = lines.map(
        (line) => JSON.parse(line) as { readonly msg: string; readonly handlers?: unknown },
      );
      return said.find(({ msg }) => msg === "wep listening")?.handlers;
    };
    expect(await handlersWith(true)).toEqual(["wasm.execute 1.0.0"]);
    expect(await handlersWith(false)).toEqual([]);
    // It is the caller's.
    expect(engine.isDisposed).toBe(false);
  });
});

describe("a worker whose folder of modules cannot be used", () => {
  it.each([
    ["a file", "file", /EEXIST/],
    ["below a file", "file/modules", /ENOTDIR/],
    ["below /proc", "/proc/none/modules", process.platform === "linux" ? /cannot be made/ : /./],
    ["a name that is too long", "x".repeat(300), /ENAMETOOLONG/],
  ])("does not start, and says why: %s", async (_what, path, reason) => {
    await using folder = await folderWith({ file: "" });
    const wep = startWep(["run", "--port", "0", "--health-port", "0"], {
      cwd: folder.path,
      env: { WEP__WASM__ENABLED: "true", WEP__WASM__CACHE__FOLDER: path },
    });
    await using _ = wep;
    expect(await wep.exited).toBe(78);
    expect(wep.text.stderr).toMatch(
      /wasm\.cache\.folder: \[WASM_BAD_REQUEST\] \S+ cannot keep metered modules/,
    );
    expect(wep.text.stderr).toMatch(reason);
    expect(wep.text.stderr.trim().split("\n").length).toBe(1);
  });
});

describe("wep replay of a run of WebAssembly", () => {
  it("comes to the same, without any handlers or wasm.enabled", async () => {
    await using folder = await folderWith({});
    const bytes = await wasmModule("greet");
    const module = { name: "module", abiType: "bytes", mediaType: "application/json", value: hexOf(bytes) };
    const input = { name: "input", abiType: "string", mediaType: "application/json", value: "world" };
    const replay = async (outputs: object) => {
      const recorded = {
        format: "subnet-worker.recorded-run/1",
        activity: { id: "0xabc", kind: "wasm.execute", version: "1.0.0", workflowInstanceId: "0x1" },
        run: { id: "r1", attempt: 1, uploadPrefix: "runs/1/abc/r1/", metadata: {} },
        inputs: [module, input],
        workflowInputs: [],
        outputs: [{ name: "output_text", abiType: "string", mediaType: "", isObjectKey: false }],
        outcome: { state: "done", status: "success", outputs },
      };
      await writeFile(join(folder.path, "run.json"), JSON.stringify(recorded));
      return (await wepInside(["replay", "run.json"], folder.path)).code;
    };
    expect(await replay({ output_text: "hello, world" })).toBe(0);
    expect(await replay({ output_text: "hello, moon" })).toBe(1);
  });
});

function hexOf(content: string | Uint8Array): string {
  return `0x${Buffer.from(content).toString("hex")}`;
}
