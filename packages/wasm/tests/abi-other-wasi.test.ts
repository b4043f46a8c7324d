import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WASI } from "node:wasi";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createEngine } from "../src/create-engine.ts";
import { Wasm, type WasmImports } from "../src/web-assembly.ts";
import { compile, hasTool } from "./_programs.ts";

const engine = createEngine({ threads: 1 });
afterAll(() => engine[Symbol.asyncDispose]());

interface Case {
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
}

interface Seen {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command with Node's own WASI, with files for its streams. */
async function runByNode(bytes: Uint8Array, { args, env = {}, input = "" }: Case): Promise<Seen> {
  const folder = mkdtempSync(join(tmpdir(), "node-wasi-"));
  const file = (name: string) => join(folder, name);
  writeFileSync(file("in"), input);
  const [stdin, stdout, stderr] = [
    openSync(file("in"), "r"),
    openSync(file("out"), "w"),
    openSync(file("err"), "w"),
  ];
  try {
    const wasi = new WASI({
      version: "preview1",
      args: ["program", ...args],
      env: { ...env },
      stdin,
      stdout,
      stderr,
      returnOnExit: true,
    });
    const module = await Wasm.compile(bytes);
    const code = wasi.start(new Wasm.Instance(module, wasi.getImportObject() as WasmImports));
    const read = (name: string) => readFileSync(file(name), "utf8");
    return { code, stdout: read("out"), stderr: read("err") };
  } finally {
    for (const fd of [stdin, stdout, stderr]) closeSync(fd);
    rmSync(folder, { recursive: true });
  }
}

async function runByEngine(bytes: Uint8Array, { args, env = {}, input = "" }: Case): Promise<Seen> {
  const program = await engine.prepare(bytes);
  const request = { abi: "command", args, env, input: new TextEncoder().encode(input) } as const;
  const outcome = await engine.run(program, request);
  if (outcome.kind !== "completed" && outcome.kind !== "guest_error") throw new Error(outcome.kind);
  const text = (part: Uint8Array) => new TextDecoder().decode(part);
  const code = outcome.kind === "completed" ? 0 : outcome.code;
  return { code, stdout: text(outcome.output), stderr: text(outcome.stderr) };
}

const LONG = "line after line\n".repeat(20_000);

const COMMON: readonly Case[] = [
  { args: [] },
  { args: ["unknown"] },
  { args: ["args", "", "a b", "ä", "-"] },
  { args: ["env"], env: {} },
  { args: ["env"], env: { A: "1", LONG: "x".repeat(10_000), Z: "" } },
  { args: ["exit", "0"] },
  { args: ["exit", "1"] },
  { args: ["exit", "200"] },
  { args: ["floats", "-1.25e-7"] },
  { args: ["write", "123456"] },
];

const PROGRAMS = [
  {
    tool: "clang-wasi",
    source: "command.c",
    flags: ["-O2"],
    cases: [
      ...COMMON,
      { args: ["echo"], input: LONG },
      { args: ["echo"], input: "" },
      { args: ["return", "42"] },
      { args: ["open", "no-such-file"] },
    ],
  },
  {
    tool: "rustc-wasi",
    source: "command.rs",
    flags: ["--edition=2021", "-O", "-Cstrip=debuginfo"],
    cases: [
      ...COMMON,
      { args: ["lines"], input: LONG },
      { args: ["count"], input: LONG },
      { args: ["open", "no-such-file"] },
      { args: ["connect", "127.0.0.1:1"] },
    ],
  },
] as const;

describe.for(PROGRAMS)(
  "$source by Node's WASI and by ours (needs $tool)",
  ({ tool, source, flags, cases }) => {
    let bytes: Uint8Array;
    beforeAll(() => {
      if (hasTool(tool)) bytes = compile(tool, source, flags);
    });

    it.skipIf(!hasTool(tool)).for(cases)("is the same for $args", async (one) => {
      expect(await runByEngine(bytes, one)).toEqual(await runByNode(bytes, one));
    });
  },
);
