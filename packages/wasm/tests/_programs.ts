import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import wabt from "wabt";
import { findTool, type ToolName } from "../../../examples/wasm/toolchain/tools.ts";

const PROGRAMS = join(import.meta.dirname, "programs");

/** Makes a module of a source in `programs`. Its compiler must be there: {@link hasTool}. */
export function compile(name: ToolName, source: string, flags: readonly string[]): Uint8Array {
  const tool = findTool(name);
  if (tool === undefined) throw new Error(`${name} is not to be had here`);
  const folder = mkdtempSync(join(tmpdir(), "programs-"));
  try {
    const output = join(folder, "program.wasm");
    execFileSync(tool.program, [...tool.args, ...flags, "-o", output, source], { cwd: PROGRAMS });
    return readFileSync(output);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export function hasTool(name: ToolName): boolean {
  return findTool(name) !== undefined;
}

const binaryToolkit = await wabt();

/** A module of its text, with whatever of WebAssembly the tests need beyond its second version. */
export function fromText(text: string): Uint8Array {
  const module = binaryToolkit.parseWat("program.wat", text, {
    exceptions: true,
    bulk_memory: true,
    reference_types: true,
  });
  try {
    return module.toBinary({}).buffer;
  } finally {
    module.destroy();
  }
}
