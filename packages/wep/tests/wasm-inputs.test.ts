import { createHash } from "node:crypto";
import { WasmError } from "@subnet-worker/wasm";
import { describe, expect, it } from "vitest";
import { FakeEngine } from "./_fake-engine.ts";
import { DEFAULTS, errorOf, lastRun, MODULE, setUp, SHA256 } from "./_wasm-handler.ts";

describe("the module of a run", () => {
  it.each([
    ["bytes", { module: MODULE }],
    ["base64", { module: Buffer.from(MODULE).toString("base64") }],
    ["bytes with their SHA-256", { module: MODULE, module_sha256: SHA256 }],
    [
      "bytes with their SHA-256 as a chain has it",
      { module: MODULE, module_sha256: Buffer.from(SHA256, "hex") },
    ],
    [
      "bytes beside fields that are empty",
      { module: MODULE, module_url: "", module_sha256: new Uint8Array(32) },
    ],
  ])("comes as %s", async (_what, inputs) => {
    const { engine, run } = setUp();
    expect((await run(inputs)).status).toBe("success");
    expect(engine.prepared.map((bytes) => [...bytes])).toEqual([[...MODULE]]);
  });

  it("comes from storage, and is not read again once it is known by its SHA-256", async () => {
    const { engine, run } = setUp();
    const files = { module_object_key: MODULE };
    expect((await run({ module_sha256: SHA256 }, { files })).status).toBe("success");
    expect((await run({ module_sha256: SHA256 }, { files })).status).toBe("success");
    expect(engine.prepared).toHaveLength(1);
    await run({}, { files });
    expect(engine.prepared).toHaveLength(2);
  });

  it("is forgotten when newer ones need the room", async () => {
    const { engine, run } = setUp({ config: { cache: { ...DEFAULTS.cache, memory_mb: 1 } } });
    const large = new Uint8Array(300_000);
    const other = new Uint8Array(300_001);
    const read = async (module: Uint8Array) => {
      const module_sha256 = createHash("sha256").update(module).digest("hex");
      expect((await run({ module_sha256 }, { files: { module_object_key: module } })).status).toBe("success");
    };
    await read(large);
    await read(large);
    expect(engine.prepared).toHaveLength(1);
    await read(other);
    await read(large);
    expect(engine.prepared).toHaveLength(3);
  });

  it("comes from a URL that the node fetches, once", async () => {
    const urls: string[] = [];
    const fetchModule = (url: string) => {
      urls.push(url);
      return Promise.resolve(MODULE);
    };
    const { run } = setUp({ fetchModule, config: { sources: ["url"] } });
    const inputs = { module_url: "https://modules.example/a.wasm", module_sha256: SHA256 };
    expect((await run(inputs)).status).toBe("success");
    expect((await run(inputs)).status).toBe("success");
    expect(urls).toEqual(["https://modules.example/a.wasm"]);
  });

  it.each([
    ["none", {}, "MISSING_REQUIRED_FIELD", "no module; give one of"],
    [
      "two",
      { module: MODULE, module_url: "https://a.b/c", module_sha256: SHA256 },
      "INVALID_INPUT",
      "two modules",
    ],
    ["no base64", { module: "***" }, "INVALID_INPUT", 'input "module": expected base64'],
    [
      "another one",
      { module: MODULE, module_sha256: "0".repeat(63) + "1" },
      "INVALID_INPUT",
      `SHA-256 is ${SHA256}`,
    ],
    ["half a hash", { module: MODULE, module_sha256: "abcd" }, "INVALID_INPUT", "64 hex digits or 32 bytes"],
    ["a URL alone", { module_url: "https://a.b/c" }, "MISSING_REQUIRED_FIELD", "without module_sha256"],
    [
      "plain HTTP",
      { module_url: "http://a.b/c", module_sha256: SHA256 },
      "INVALID_INPUT",
      "begins with https://",
    ],
    [
      "a file",
      { module_url: "file:///etc/passwd", module_sha256: SHA256 },
      "INVALID_INPUT",
      "begins with https://",
    ],
    [
      "a URL by default",
      { module_url: "https://a.b/c", module_sha256: SHA256 },
      "PERMISSION_DENIED",
      "only inline, object",
    ],
    [
      "a key as text",
      { module_object_key: "a/b" },
      "INVALID_INPUT",
      "its sender must know that it is an object key",
    ],
  ] as readonly (readonly [string, Record<string, unknown>, string, string])[])(
    "is refused: %s",
    async (_what, ...row) => {
      const [inputs, name, part] = row;
      expect(await errorOf(inputs)).toMatchObject({
        name,
        retryable: false,
        runs: 0,
        message: expect.stringContaining(part),
      });
    },
  );

  it("is refused inline where the operator does not want it", async () => {
    const setup = { config: { sources: ["object"] } };
    expect(await errorOf({ module: MODULE }, setup)).toMatchObject({
      name: "PERMISSION_DENIED",
      message: expect.stringContaining("takes no modules of source inline, only object"),
    });
  });

  it("is refused when it is larger than the node takes", async () => {
    const config = { module: { ...DEFAULTS.module, max_mb: 1 } };
    const files = { module_object_key: new Uint8Array(1_048_577) };
    expect(await errorOf({}, { config }, { files })).toMatchObject({ name: "QUOTA_EXCEEDED", runs: 0 });
  });

  it.each([
    ["BAD_MODULE", "INVALID_FORMAT", false],
    ["UNSUPPORTED", "INVALID_INPUT", false],
    ["MODULE_TOO_LARGE", "QUOTA_EXCEEDED", false],
    ["COMPILE_TIMEOUT", "QUOTA_EXCEEDED", false],
    ["NOT_INSTALLED", "RESOURCE_UNAVAILABLE", true],
    ["HOST_FAULT", "RESOURCE_UNAVAILABLE", true],
    ["CLOSED", "RESOURCE_UNAVAILABLE", true],
  ] as const)("is not accepted by the engine: %s", async (code, name, retryable) => {
    const engine = new FakeEngine().refuse(new WasmError(code, "why; what to do"));
    expect(await errorOf({ module: MODULE }, { engine })).toMatchObject({
      name,
      retryable,
      message: `[WASM_${code}] why; what to do (fuel=0)`,
      runs: 0,
    });
  });
});

describe("what a run is given", () => {
  it.each([
    ["text", { input: "grüß" }, Buffer.from("grüß")],
    ["bytes", { input: new Uint8Array([0, 255]) }, Buffer.from([0, 255])],
    ["an object, as JSON", { input: { a: [1, null] } }, Buffer.from('{"a":[1,null]}')],
    ["a number, as JSON", { input: 0 }, Buffer.from("0")],
    ["base64", { input_base64: "AP8=" }, Buffer.from([0, 255])],
    ["nothing", {}, Buffer.alloc(0)],
  ])("is %s", async (_what, inputs, expected) => {
    expect(Buffer.from((await lastRun(inputs)).input!)).toEqual(expected);
  });

  it("is an object in storage", async () => {
    const { engine, run } = setUp();
    await run({ module: MODULE }, { files: { input_object_key: "a large text" } });
    expect(Buffer.from(engine.runs[0]!.input!).toString()).toBe("a large text");
  });

  it("is of the media type that it is said to be, or that its object has", async () => {
    expect((await lastRun({ input: "{}" })).inputType).toBe("text/plain");
    expect((await lastRun({ input: { a: 1 } })).inputType).toBe("application/json");
    expect((await lastRun({ input: new Uint8Array([1]) })).inputType).toBeUndefined();
    expect((await lastRun({ input: "{}", input_type: "application/json" })).inputType).toBe(
      "application/json",
    );
    const { engine, run } = setUp();
    const files = { input_object_key: { path: import.meta.filename, mediaType: "text/plain" } };
    await run({ module: MODULE }, { files });
    await run({ module: MODULE, input_type: "text/csv" }, { files });
    expect(engine.runs.map(({ inputType }) => inputType)).toEqual(["text/plain", "text/csv"]);
  });

  it("is arguments, an environment and an ABI, in either form", async () => {
    const expected = { args: ["-v", "x=1"], env: { A: "1", B: "=" }, abi: "command" };
    expect(await lastRun({ ...expected, env: ["A=1", "B=="] })).toMatchObject(expected);
    expect(await lastRun(expected)).toMatchObject(expected);
  });

  it("is limits within the node's, and a seeded world", async () => {
    const request = await lastRun({
      max_fuel: "5000",
      max_memory_mb: 2,
      max_stack_kb: 3n,
      max_time_s: 4,
      max_output_mb: 5,
      max_host_calls: 6,
      seed: 2n ** 64n - 1n,
      start_ms: 1_300_000_000_000,
    });
    expect(request.limits).toEqual({
      fuel: 5_000n,
      memoryBytes: 2 * 1_048_576,
      stackBytes: 3 * 1_024,
      timeMs: 4_000,
      outputBytes: 5 * 1_048_576,
      hostCalls: 6,
    });
    expect(request.world).toEqual({ kind: "seeded", seed: 2n ** 64n - 1n, startMs: 1_300_000_000_000 });
    const plain = await lastRun({ max_fuel: 0 });
    expect([plain.limits, plain.world]).toEqual([{}, { kind: "seeded", seed: 0n, startMs: 0 }]);
  });

  it("is real clocks only where the operator allows it", async () => {
    expect((await lastRun({ world: "live" }, { config: { allow_live_world: true } })).world).toEqual({
      kind: "live",
    });
    expect(await errorOf({ module: MODULE, world: "live" })).toMatchObject({
      name: "PERMISSION_DENIED",
      runs: 0,
    });
  });

  it("is HTTP only where the node sends", async () => {
    expect((await lastRun({})).send).toBeUndefined();
    const send = () => Promise.reject(new Error("refused"));
    expect((await lastRun({}, { send })).send).toBe(send);
  });

  it.each([
    ["max_fuel", 10_000_000_001n, "is more than the 10000000000 of this node"],
    ["max_memory_mb", 129, "wasm.limits.memory_mb"],
    ["max_stack_kb", 1_025, "wasm.limits.stack_kb"],
    ["max_time_s", 61, "wasm.limits.time_s"],
    ["max_output_mb", 17, "wasm.limits.output_mb"],
    ["max_host_calls", 1_000_001, "wasm.limits.host_calls"],
  ])("is never more than the node's own: %s", async (name, value, part) => {
    expect(await errorOf({ module: MODULE, [name]: value })).toMatchObject({
      name: "QUOTA_EXCEEDED",
      retryable: false,
      runs: 0,
      message: expect.stringContaining(part),
    });
  });

  it.each([
    [{ fuel: 1 }, 'there is no input "fuel"; there is: module, '],
    [{ abi: "wasi" }, 'input "abi": expected execute, command, cli, handler, got "wasi"'],
    [{ args: "-v" }, 'input "args": expected a list of text'],
    [{ args: [1] }, 'input "args": expected a list of text, got a list'],
    [{ env: ["=1"] }, 'input "env": expected NAME=VALUE, got "=1"'],
    [{ env: { A: 1 } }, 'input "env": expected names with text as their values, got 1'],
    [{ env: { "A=B": "1" } }, 'input "env": expected names'],
    [{ env: 5 }, 'input "env": expected a list of NAME=VALUE'],
    [{ max_fuel: -1 }, 'input "max_fuel": expected a whole number from 0, got -1'],
    [{ max_fuel: 1.5 }, 'input "max_fuel": expected a whole number'],
    [{ seed: "0x1" }, 'input "seed": expected a whole number'],
    [{ seed: "18446744073709551616" }, 'input "seed": expected a number below 2^64'],
    [{ start_ms: "10000000000000" }, 'input "start_ms": expected milliseconds since 1970'],
    [{ input: "a", input_base64: "AA==" }, "two inputs; give one of"],
    [{ input_base64: "a b" }, 'input "input_base64": expected base64'],
    [{ on_guest_error: "ignore" }, 'input "on_guest_error": expected fail, return'],
    [{ world: true }, 'input "world": expected text, got true'],
  ])("is refused when it makes no sense: %j", async (inputs, part) => {
    expect(await errorOf({ module: MODULE, ...inputs })).toMatchObject({
      name: "INVALID_INPUT",
      retryable: false,
      runs: 0,
      message: expect.stringContaining(part),
    });
  });
});
