// Each example is built and run, with what docs/wasm.md says that it makes of its input.
import { readFileSync } from "node:fs";
import { createEngine, type RunOutcome, type RunRequest } from "@subnet-worker/wasm";
import { afterAll, describe, expect, test } from "vitest";
import { buildExamples } from "../build.ts";

const built = new Map((await buildExamples()).map((each) => [each.name, each]));
// A JavaScript engine takes its time on a machine that is busy with other tests.
const engine = createEngine({ threads: 1, moduleLimits: { compileMs: 120_000 } });
afterAll(() => engine[Symbol.asyncDispose]());

/** An example that was not built is skipped, and named: its compiler is missing here. */
const example = (name: string, body: () => Promise<void>) =>
  test.skipIf(built.get(name)?.state === "skipped")(name, body);

interface Said {
  readonly kind: RunOutcome["kind"];
  readonly code?: number;
  readonly output?: string;
  readonly stderr?: string;
  readonly failure?: { readonly code: string; readonly isRetryable: boolean };
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** Runs it twice, which must be the same to the last unit of fuel. */
async function run(
  name: string,
  request: Omit<RunRequest, "input"> & { readonly input?: string },
): Promise<Said> {
  const program = await engine.prepare(readFileSync(built.get(name)?.file ?? ""));
  const whole = { ...request, input: new TextEncoder().encode(request.input ?? "") };
  const once = await engine.run(program, whole);
  const { timeMs: _, ...again } = await engine.run(program, whole);
  expect(once).toMatchObject(again);
  expect(once.fuel).toBeGreaterThan(0n);
  const { fuel } = await engine.run(program, { ...whole, limits: { fuel: once.fuel } });
  expect(fuel).toBe(once.fuel);
  const short = await engine.run(program, { ...whole, limits: { fuel: once.fuel - 1n } });
  if (once.kind === "completed") expect(short.kind).toBe("out_of_fuel");
  return {
    kind: once.kind,
    ...("code" in once ? { code: once.code } : {}),
    ...("output" in once ? { output: text(once.output) } : {}),
    ...("failure" in once && once.failure !== undefined ? { failure: once.failure } : {}),
    ...(once.stderr.length > 0 ? { stderr: text(once.stderr) } : {}),
  };
}

describe("execute", () => {
  example("crc32.wasm", async () => {
    expect(await run("crc32.wasm", { input: "123456789" })).toEqual({
      kind: "completed",
      output: "cbf43926",
    });
    expect(await run("crc32.wasm", {})).toEqual({ kind: "completed", output: "00000000" });
  });

  example("word_count.wasm", async () => {
    expect(await run("word_count.wasm", { input: "The cat and the hat.\nDas Gör.\n" })).toEqual({
      kind: "completed",
      output: '{"lines":2,"words":7,"characters":30,"most":[["the",2],["and",1],["cat",1]]}',
    });
  });

  example("statistics.wasm", async () => {
    expect(await run("statistics.wasm", { input: "1\n2.5\n-3\n" })).toEqual({
      kind: "completed",
      output: '{"count":3,"min":-3.0,"max":2.5,"mean":0.16666666666666667}',
    });
    expect(await run("statistics.wasm", { input: "1\ntwo\n" })).toMatchObject({
      kind: "guest_error",
      code: -2,
    });
  });
});

describe("command", () => {
  example("csv-column.wasm", async () => {
    const input = 'name,city\nAda,"London, ""W1"""\nAlan,Wilmslow\n';
    expect(await run("csv-column.wasm", { input, args: ["city"] })).toEqual({
      kind: "completed",
      output: 'London, "W1"\nWilmslow\n',
    });
    expect(await run("csv-column.wasm", { input, args: ["age"] })).toEqual({
      kind: "guest_error",
      code: 1,
      output: "",
      stderr: "there is no column age\n",
    });
  });

  example("sort_lines.wasm", async () => {
    const input = "pear\napple\npear\n";
    expect(await run("sort_lines.wasm", { input, args: ["--unique", "--reverse"] })).toEqual({
      kind: "completed",
      output: "pear\napple\n",
    });
    expect(await run("sort_lines.wasm", { args: ["--numeric"] })).toEqual({
      kind: "guest_error",
      code: 2,
      output: "",
      stderr: "unknown option --numeric; there are --unique and --reverse\n",
    });
  });

  example("base64.wasm", async () => {
    for (const input of ["", "h", "he", "hello", "long ".repeat(50_000)]) {
      const output = Buffer.from(input).toString("base64");
      expect(await run("base64.wasm", { input })).toEqual({ kind: "completed", output });
    }
  });
});

describe("cli", () => {
  example("csv-column.component.wasm", async () => {
    expect(await run("csv-column.component.wasm", { input: "a,b\n1,2\n", args: ["b"] })).toEqual({
      kind: "completed",
      output: "2\n",
    });
  });

  example("sort_lines.component.wasm", async () => {
    expect(await run("sort_lines.component.wasm", { input: "b\na\n" })).toEqual({
      kind: "completed",
      output: "a\nb\n",
    });
  });

  example("pretty-json.component.wasm", async () => {
    const input = '{"b":[1,{"z":"ü","y":null}],"a":true}';
    expect(await run("pretty-json.component.wasm", { input })).toEqual({
      kind: "completed",
      output: `${JSON.stringify({ a: true, b: [1, { y: null, z: "ü" }] }, null, 2)}\n`,
    });
    expect(await run("pretty-json.component.wasm", { input: "{" })).toMatchObject({
      kind: "guest_error",
      code: 1,
      stderr: expect.stringMatching(/^not JSON: /) as string,
    });
  });
});

describe("handler", () => {
  example("slug.component.wasm", async () => {
    const logged: string[] = [];
    const request = {
      inputType: "text/plain",
      onLog: (level: string, message: string) => logged.push(`${level} ${message}`),
    };
    expect(await run("slug.component.wasm", { ...request, input: "  Hello, World! 2?" })).toEqual({
      kind: "completed",
      output: "hello-world-2",
    });
    expect(logged[0]).toBe("info made a slug");
    expect(await run("slug.component.wasm", { ...request, input: "?!" })).toMatchObject({
      kind: "guest_error",
      code: 1,
      failure: { code: "empty", isRetryable: false },
    });
  });

  example("readings.component.wasm", async () => {
    const told: unknown[] = [];
    const request = {
      inputType: "text/plain",
      onProgress: (fraction: number | undefined, message: string) => told.push([fraction, message]),
      onLog: (level: string, message: string) => told.push(`${level} ${message}`),
    };
    const lines = Array.from({ length: 2_000 }, (_, at) => `roof ${at % 10}.5`);
    const input = ["cellar -7", ...lines, "no number", 'the"sensor 1', "cellar 1e101", "cellar 9"].join("\n");
    expect(await run("readings.component.wasm", { ...request, input })).toEqual({
      kind: "completed",
      output: JSON.stringify({
        cellar: { count: 2, min: -7, max: 9, mean: 1 },
        roof: { count: 2_000, min: 0.5, max: 9.5, mean: 5 },
      }),
    });
    expect(told.slice(0, 7)).toEqual([
      [0, "line 1"],
      [1_000 / 2_005, "line 1001"],
      [2_000 / 2_005, "line 2001"],
      "warn line 2002 is left out: no number",
      'warn line 2003 is left out: the"sensor 1',
      "warn line 2004 is left out: cellar 1e101",
      "info read 2 sensors",
    ]);
    for (const [inputType, code] of [
      ["text/plain", "no-readings"],
      ["application/json", "not-text"],
    ] as const) {
      expect(await run("readings.component.wasm", { inputType, input: "" })).toMatchObject({
        kind: "guest_error",
        failure: { code, isRetryable: false },
      });
    }
  });

  example("invoice.component.wasm", async () => {
    const fractions: (number | undefined)[] = [];
    const lines = [
      { article: "pen", quantity: 3, unitCents: 199 },
      { article: "ink", quantity: 1, unitCents: 1250 },
    ];
    const inputType = "application/json";
    const said = await run("invoice.component.wasm", {
      inputType,
      input: JSON.stringify({ lines }),
      onProgress: (fraction) => fractions.push(fraction),
    });
    const items = [
      { article: "pen", cents: 597 },
      { article: "ink", cents: 1250 },
    ];
    const output = JSON.stringify({ items, netCents: 1847, vatCents: 351, totalCents: 2198 });
    expect(said).toEqual({ kind: "completed", output });
    expect(fractions.slice(0, 2)).toEqual([0, 0.5]);
    expect(await run("invoice.component.wasm", { inputType, input: "{}" })).toMatchObject({
      kind: "guest_error",
      failure: { code: "bad-order", isRetryable: false },
    });
  });
});

test("an example whose compiler is missing is named, and no other is missing", () => {
  for (const { name, state, missing } of built.values()) {
    expect(state === "skipped", name).toBe(missing !== undefined);
  }
});
