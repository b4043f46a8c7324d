import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { withEntry } from "./module-editor.ts";
import { bestMs, openMetered, warmUp } from "./pair.ts";
import type { WasmProgram } from "./programs.ts";

const INTERPRETER = "wasm-interp";
const RUNS = 3;
/** Calls are short here, so many are cheap. */
const METERED_ROUNDS = 200;

/** One program, interpreted and metered. */
export interface OverInterpreter {
  /** One call, milliseconds, without the interpreter's start. */
  readonly interpretedMs: number;
  readonly meteredMs: number;
  readonly ratio: number;
}

/** What the interpreter says that it is; `undefined` where there is none. */
export function interpreterVersion(): string | undefined {
  try {
    return `${INTERPRETER} of wabt ${execFileSync(INTERPRETER, ["--version"]).toString().trim()}`;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** The same call by wabt's interpreter and by metered code that V8 has optimised. */
export function measureOverInterpreter(program: WasmProgram): OverInterpreter {
  const n = program.interpreterN;
  const metered = openMetered(program.bytes);
  const wanted = metered.call(n) >>> 0;
  const folder = mkdtempSync(join(tmpdir(), "bench-wasm-"));
  try {
    const whole = interpret(folder, withEntry(program.bytes, n));
    const start = interpret(folder, withEntry(program.bytes, undefined));
    if (whole.result !== wanted) {
      throw new Error(`${program.name} interpreted gives ${whole.result}, not ${wanted}`);
    }
    warmUp([metered], n);
    const [meteredMs] = bestMs([metered], n, METERED_ROUNDS) as [number];
    const interpretedMs = whole.bestMs - start.bestMs;
    return { interpretedMs, meteredMs, ratio: interpretedMs / meteredMs };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function interpret(folder: string, bytes: Uint8Array): { readonly bestMs: number; readonly result: number } {
  const file = join(folder, "program.wasm");
  writeFileSync(file, bytes);
  let best = Number.POSITIVE_INFINITY;
  let printed = "";
  for (let run = 0; run < RUNS; run += 1) {
    const fromMs = performance.now();
    printed = execFileSync(INTERPRETER, ["--run-all-exports", file]).toString();
    best = Math.min(best, performance.now() - fromMs);
  }
  const result = /i32:(\d+)/.exec(printed)?.[1];
  if (result === undefined) throw new Error(`the interpreter says: ${printed}`);
  return { bestMs: best, result: Number(result) };
}
