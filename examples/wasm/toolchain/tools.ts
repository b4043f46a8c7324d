import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";

/** A compiler for one target. */
export type ToolName = "clang" | "clang-wasi" | "rustc" | "rustc-wasi";

/** A compiler that can make WebAssembly here. */
export interface Tool {
  readonly program: string;
  /** What it wants to be told about its target. */
  readonly args: readonly string[];
  /** For deciding whether what it made is still what it would make. */
  readonly version: string;
}

/** What each is for people, and the Debian packages that have it. */
export const TOOLS: Readonly<Record<ToolName, { readonly what: string; readonly debian: string }>> = {
  clang: { what: "clang and wasm-ld", debian: "clang lld" },
  "clang-wasi": {
    what: "clang, wasm-ld and the C library of WASI",
    debian: "clang lld wasi-libc libclang-rt-14-dev-wasm32",
  },
  rustc: { what: "rustc for wasm32-unknown-unknown", debian: "rustc libstd-rust-dev-wasm32" },
  "rustc-wasi": { what: "rustc for wasm32-wasi", debian: "rustc libstd-rust-dev-wasm32" },
};

/** Those that were found; what is missing may come. */
const found = new Map<string, Tool>();

/**
 * Finds a compiler on the PATH; `undefined` where there is none that can make WebAssembly. Of several of a name, the
 * first that has the target is taken: a rustc of rustup often hides Debian's, and may lack it.
 *
 * @param path where to look. Default: the PATH.
 */
export function findTool(name: ToolName, path: string = process.env["PATH"] ?? ""): Tool | undefined {
  const key = `${name}\n${path}`;
  const tool = found.get(key) ?? (name.startsWith("clang") ? findClang(name, path) : findRustc(name, path));
  if (tool !== undefined) found.set(key, tool);
  return tool;
}

function findClang(name: ToolName, path: string): Tool | undefined {
  const target = name === "clang" ? "wasm32-unknown-unknown" : "wasm32-wasi";
  return candidates("clang", path).flatMap((program) => {
    const version = says(program, ["--version"], path);
    const ask = (what: string) => says(program, [`--target=${target}`, `-print-${what}`], path);
    const linker = ask("prog-name=wasm-ld");
    if (version === undefined || linker === undefined) return [];
    // A name without a folder is what clang says of a program or a file that it has not found.
    const needed = [linker];
    if (name === "clang-wasi") needed.push(ask("file-name=libc.a") ?? "", ask("libgcc-file-name") ?? "");
    const hasAll = needed.every((file) => isAbsolute(file) && existsSync(file));
    return hasAll ? [{ program, args: [`--target=${target}`], version }] : [];
  })[0];
}

function findRustc(name: ToolName, path: string): Tool | undefined {
  // What was wasm32-wasi is wasm32-wasip1 since Rust 1.84.
  const targets = name === "rustc" ? ["wasm32-unknown-unknown"] : ["wasm32-wasi", "wasm32-wasip1"];
  return candidates("rustc", path).flatMap((program) =>
    targets.flatMap((target) => {
      const folder = says(program, ["--print", "target-libdir", "--target", target], path);
      const version = says(program, ["--version"], path);
      if (folder === undefined || version === undefined || !existsSync(folder)) return [];
      return [{ program, args: ["--target", target], version }];
    }),
  )[0];
}

function candidates(program: string, path: string): readonly string[] {
  const folders = path.split(delimiter).filter((folder) => folder !== "");
  return [...new Set(folders.map((folder) => join(folder, program)))].filter((file) => existsSync(file));
}

function says(program: string, args: readonly string[], path: string): string | undefined {
  const env = { ...process.env, PATH: path };
  const { status, stdout } = spawnSync(program, args, { encoding: "utf8", env });
  return status === 0 ? stdout.trim() : undefined;
}
