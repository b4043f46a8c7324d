import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StartupError } from "@subnet-worker/kit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parseCommand } from "../src/cli.ts";
import { decodeCommand, encodeCommand } from "../src/commands/spec-codec.ts";
import { startWep } from "./_wep-process.ts";

const SPEC = `\
version: a/1.0.0
activities:
  - id: step_one
    kind: demo.one
    worker: w
    input_params:
      - {name: text, type: string}
      - {name: limits, type: "(uint64,int8)"}
    output_params: &out
      - {name: digest, type: bytes2}
  - id: step_two
    worker: w
    input_params: *out
`;
const INPUTS = { text: "hi", limits: ["18446744073709551615", -5] };

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "wep-spec-"));
  put("a.yaml", SPEC);
});
afterEach(() => rmSync(directory, { recursive: true }));

function put(name: string, text: string): void {
  writeFileSync(join(directory, name), text);
}

function textOf(name: string): string {
  return readFileSync(join(directory, name), "utf8");
}

interface Result {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command line as the process would, in the test's folder. */
async function wep(argv: readonly string[], stdin = ""): Promise<Result> {
  const written = { out: "", err: "" };
  const io = {
    env: {},
    cwd: directory,
    isTerminal: false,
    out: (text: string) => void (written.out += text),
    err: (text: string) => void (written.err += text),
  };
  try {
    const parsed = parseCommand(argv);
    if (parsed.kind !== "command") throw new Error(`${argv.join(" ")} is no command`);
    const signal = new AbortController().signal;
    const invocation = { ...parsed.input, io, signal, setDrain: () => undefined };
    // Standard input is the process's own: the commands that read it take it as an argument.
    const read = () => Promise.resolve(stdin);
    const reading = { "spec encode": encodeCommand, "spec decode": decodeCommand }[parsed.name];
    const code = await (reading?.(invocation, read) ?? (await parsed.load())(invocation));
    return { code, ...written };
  } catch (error) {
    if (!(error instanceof StartupError)) throw error;
    return { code: error.exitCode, out: written.out, err: `${written.err}${error.message}` };
  }
}

describe("wep spec check", () => {
  test("says that files are good", async () => {
    put("b.yaml", "task_kind: b\ntask_version: 1.0.0");
    expect(await wep(["spec", "check", "a.yaml", "b.yaml"])).toEqual({
      code: 0,
      out: "a.yaml: ok, a/1.0.0, 2 activities\nb.yaml: ok, b/1.0.0, 1 activity\n",
      err: "",
    });
  });

  test("says everything that is wrong, with its line, and still looks at the other files", async () => {
    put("bad.yaml", SPEC.replace("worker: w", "wrker: w").replace("bytes2", "bytes33"));
    const { code, out, err } = await wep(["spec", "check", "bad.yaml", "a.yaml"]);
    expect(code).toBe(1);
    expect(out).toBe("a.yaml: ok, a/1.0.0, 2 activities\n");
    expect(err).toContain("[BAD_SPEC] 4 problems in bad.yaml:\n");
    expect(err).toContain(
      "  - bad.yaml:5: activities[0].wrker: there is no such key; did you mean worker?\n",
    );
    expect(err).toContain("  - bad.yaml:10: activities[0].output_params[0].type: ");
  });

  test("warns of a step that cannot decode what the one before gives", async () => {
    put("a.yaml", SPEC.replace("*out", "[{name: x, type: bool}]"));
    const { code, err } = await wep(["spec", "check", "a.yaml"]);
    expect(code).toBe(0);
    expect(err).toBe(
      "a.yaml: warning: step_two takes (bool), but step_one before it gives (bytes2), which cannot be decoded; list the same parameters in both\n",
    );
  });
});

describe("wep spec types", () => {
  test("writes a module beside the spec, and nothing when it is up to date", async () => {
    expect(await wep(["spec", "types", "a.yaml"])).toMatchObject({
      code: 0,
      out: "a.activity.ts: written, step_one, step_two\n",
    });
    expect(textOf("a.activity.ts")).toContain("//   wep spec types a.yaml\n");
    expect(textOf("a.activity.ts")).toContain("export const stepOne: Activity<StepOneInput, StepOneOutput>");
    expect(await wep(["spec", "types", "a.yaml"])).toMatchObject({
      code: 0,
      out: "a.activity.ts: up to date\n",
    });
  });

  test("writes where it is told, with the way back to the spec", async () => {
    expect(await wep(["spec", "types", "a.yaml", "--out", "src/gen/a.ts"])).toMatchObject({ code: 0 });
    expect(textOf("src/gen/a.ts")).toContain("//   wep spec types ../../a.yaml --out a.ts\n");
  });

  test("writes the same wherever it is run, also under an absolute path", async () => {
    await wep(["spec", "types", "a.yaml"]);
    const text = textOf("a.activity.ts");
    const absolute = join(directory, "a.yaml");
    expect(await wep(["spec", "types", absolute, "--check"])).toMatchObject({ code: 0 });
    expect(textOf("a.activity.ts")).toBe(text);
  });

  test("with --check says what is out of date, and writes nothing", async () => {
    expect(await wep(["spec", "types", "a.yaml", "--check"])).toMatchObject({
      code: 1,
      err: expect.stringContaining("[OUT_OF_DATE] a.activity.ts is not there") as unknown,
    });
    await wep(["spec", "types", "a.yaml"]);
    const text = textOf("a.activity.ts");
    put("a.yaml", SPEC.replace("digest", "hash"));
    expect(await wep(["spec", "types", "a.yaml", "--check"])).toMatchObject({
      code: 1,
      err: expect.stringContaining("a.activity.ts is out of date; run the same command") as unknown,
    });
    expect(textOf("a.activity.ts")).toBe(text);
    expect(await wep(["spec", "types", "a.yaml"])).toMatchObject({ code: 0 });
    expect(textOf("a.activity.ts")).toContain("readonly hash:");
  });

  test("does not write over what somebody else wrote, or what is no TypeScript", async () => {
    put("mine.ts", "export {};\n");
    expect(await wep(["spec", "types", "a.yaml", "--out", "mine.ts"])).toMatchObject({
      code: 78,
      err: expect.stringContaining("mine.ts was not written by this command") as unknown,
    });
    expect(textOf("mine.ts")).toBe("export {};\n");
    expect(await wep(["spec", "types", "a.yaml", "--out", "a.yaml"])).toMatchObject({ code: 78 });
    expect(textOf("a.yaml")).toBe(SPEC);
  });

  test("refuses a bad spec with 1 and a missing one with 78", async () => {
    put("bad.yaml", "version: 5");
    expect(await wep(["spec", "types", "bad.yaml"])).toMatchObject({
      code: 1,
      err: expect.stringContaining("bad.yaml:1: version: ") as unknown,
    });
    expect(await wep(["spec", "types", "none.yaml"])).toMatchObject({
      code: 78,
      err: "[CANNOT_READ] none.yaml cannot be read: there is no such file; give the path of a file",
    });
  });
});

describe("wep spec encode and decode", () => {
  test("turn values into hex and back, from arguments, files and standard input", async () => {
    const { code, out } = await wep([
      "spec",
      "encode",
      "a.yaml",
      "step_one",
      "inputs",
      JSON.stringify(INPUTS),
    ]);
    expect(code).toBe(0);
    expect(out).toMatch(/^0x[0-9a-f]+\n$/);
    put("inputs.json", JSON.stringify(INPUTS));
    put("inputs.hex", out);
    const encode = ["spec", "encode", "a.yaml", "demo.one", "inputs"];
    expect((await wep([...encode, "@inputs.json"])).out).toBe(out);
    expect((await wep([...encode, "-"], JSON.stringify(INPUTS))).out).toBe(out);
    const decode = ["spec", "decode", "a.yaml", "step_one", "inputs"];
    for (const result of [
      await wep([...decode, out.trim()]),
      await wep([...decode, "@inputs.hex"]),
      await wep(decode, out),
    ]) {
      expect(JSON.parse(result.out)).toEqual(INPUTS);
    }
  });

  test.each([
    [
      ["encode", "step_one", "inputs", '{"text": 1}'],
      1,
      `[BAD_VALUE] argument '{"text": 1}': text: expected string, text, got 1\n  limits: missing`,
    ],
    [["encode", "step_one", "inputs", "{"], 1, "[BAD_VALUE] argument '{': the values are not JSON"],
    [["encode", "step_one", "inputs", "[1]"], 1, "[BAD_VALUE] argument '[1]': the values are not an object"],
    [
      ["decode", "step_one", "outputs", "0x00"],
      1,
      "[BAD_DATA] argument '0x00': the data has 1 bytes, too few for 1 values",
    ],
    [["decode", "step_one", "outputs", "hello"], 1, "[BAD_DATA] argument 'hello': the data is not hex"],
    [["decode", "step_one", "outputs", "@none.hex"], 78, "none.hex cannot be read"],
    [["decode", "step_on", "outputs", "0x"], 78, "a.yaml has no activity step_on; did you mean step_one?"],
    [["decode", "other", "outputs", "0x"], 78, "there is step_one, step_two"],
    [["decode", "step_one", "input", "0x"], 78, "input is neither inputs nor outputs"],
    [["decode", "step_one"], 78, "an argument is missing"],
  ])("%j ends with %d: %s", async ([command = "", ...rest], exitCode, problem) => {
    const { code, out, err } = await wep(["spec", command, "a.yaml", ...rest]);
    expect({ code, out }).toEqual({ code: exitCode, out: "" });
    expect(err).toContain(problem);
  });

  test("say which file, argument or input was no data", async () => {
    put("short.hex", "0x00\n");
    put("text.json", '{"text": 1}');
    const decode = ["spec", "decode", "a.yaml", "step_one", "outputs"];
    const encode = ["spec", "encode", "a.yaml", "step_one", "inputs"];
    const errors = [
      await wep([...decode, "@short.hex"]),
      await wep([...decode, "-"], "hello"),
      await wep(decode, "0x00"),
      await wep([...decode, "+0x00".repeat(100)]),
      await wep([...encode, "@text.json"]),
      await wep([...encode, "@short.hex"]),
    ].map(({ err }) => err);
    for (const [index, start] of [
      "[BAD_DATA] short.hex: the data has 1 bytes, too few for 1 values",
      "[BAD_DATA] standard input: the data is not hex",
      "[BAD_DATA] standard input: the data has 1 bytes, too few for 1 values",
      "[BAD_DATA] argument '+0x00+0x00+0x00+0x00+0x00+0x00+0x00+0x00…': the data is not hex",
      "[BAD_VALUE] text.json: text: expected string, text, got 1",
      "[BAD_VALUE] short.hex: the values are not JSON",
    ].entries()) {
      expect(errors[index]).toContain(start);
    }
  });

  test("work as a process", async () => {
    await using process = startWep([
      "spec",
      "encode",
      join(directory, "a.yaml"),
      "step_two",
      "inputs",
      '{"digest":"0x0102"}',
    ]);
    expect(await process.exited).toBe(0);
    expect(process.text.stdout).toBe(`0x0102${"0".repeat(60)}\n`);
  });
});
