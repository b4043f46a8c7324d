/**
 * Programs that some tests need and npm does not have. One that is missing is unpacked from its Debian
 * package into `.cache/debian`, without installing it. Where that cannot be done, the tests that need it
 * are skipped by name.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { findTool, type ToolName, TOOLS } from "../examples/wasm/toolchain/tools.ts";
import { runs, unpackDebian, unpackedAt, withDependencies, writeWrappers } from "./_debian.ts";

interface Need {
  /** For messages. */
  readonly what: string;
  readonly debian: string;
  /** Whether it runs with this PATH. */
  readonly isOn: (path: string) => boolean;
  /** Folder for the PATH, once {@link make} has made it. */
  readonly bin: string;
  readonly make: () => boolean;
}

const promtool: Need = {
  what: "promtool",
  debian: "prometheus",
  isOn: (path) => runs("promtool", ["--version"], { env: { ...process.env, PATH: path } }),
  bin: join(unpackedAt("prometheus"), "usr", "bin"),
  make: () => unpackDebian("prometheus", ["prometheus"]),
};

const PYTHON_PACKAGES = [
  "python3",
  "python3-grpcio",
  "python3-protobuf",
  "protobuf-compiler",
  "protobuf-compiler-grpc",
];
const PYTHON = unpackedAt("python3-grpcio");

const BIN = join(PYTHON, "bin");

const python: Need = {
  what: "python3 with grpcio",
  debian: "python3-grpcio, python3-protobuf",
  isOn: (path) =>
    runs("python3", ["-c", "import grpc, google.protobuf"], { env: { ...process.env, PATH: path } }),
  bin: BIN,
  make: unpackPython,
};

const generators: Need = {
  what: "protoc with grpc_python_plugin",
  debian: "protobuf-compiler, protobuf-compiler-grpc",
  isOn(path) {
    const env = { ...process.env, PATH: path };
    return (
      runs("protoc", ["--version"], { env }) &&
      // The program has no --version, and fails without input; 127 is when it cannot even begin.
      runs("sh", ["-c", "grpc_python_plugin </dev/null; [ $? -lt 126 ]"], { env })
    );
  },
  bin: BIN,
  make: unpackPython,
};

function unpackPython(): boolean {
  const packages = withDependencies(PYTHON_PACKAGES);
  // None: all are installed, for a python3 that another one on the PATH hides.
  if (packages.length > 0 && !unpackDebian("python3-grpcio", packages)) return false;
  writeWrappers(PYTHON, { python3: [], protoc: [], grpc_python_plugin: [] }, [
    `export PYTHONPATH='${PYTHON}'/usr/lib/python3/dist-packages"\${PYTHONPATH:+:$PYTHONPATH}"`,
  ]);
  if (python.isOn(BIN + delimiter + process.env["PATH"])) return true;
  rmSync(BIN, { recursive: true }); // or it would hide a python3 that works
  return false;
}

const WASM_PACKAGES = [
  "clang",
  "lld",
  "wasi-libc",
  "libclang-rt-14-dev-wasm32",
  "rustc",
  "libstd-rust-dev-wasm32",
  "wabt",
];

/** What these depend on for programs of this machine: a third of the bytes, and of no use for WebAssembly. */
const NATIVE =
  /^(gcc|cpp|binutils|lib(c6|gcc-\d+|stdc\+\+-\d+|objc-\d+)-dev|linux-libc-dev|libobjc\d|libclang1-|llvm-\d+-linker-tools|libstd-rust-dev$)/;

const WASM = unpackedAt("wasm-toolchain");
const WASM_BIN = join(WASM, "bin");

const clang: Need = {
  what: "clang for WebAssembly",
  debian: TOOLS["clang-wasi"].debian,
  isOn: (path) => compiles("clang-wasi", ["-xc", "-nostdlib", "-Wl,--no-entry"], path),
  bin: WASM_BIN,
  make: unpackWasm,
};

const rustc: Need = {
  what: "rustc for WebAssembly",
  debian: TOOLS["rustc-wasi"].debian,
  isOn: (path) =>
    (["rustc", "rustc-wasi"] as const).every((name) => compiles(name, ["--crate-type=cdylib"], path)),
  bin: WASM_BIN,
  make: unpackWasm,
};

const wabt: Need = {
  what: "wasm-interp",
  debian: "wabt",
  isOn: (path) => runs("wasm-interp", ["--version"], { env: { ...process.env, PATH: path } }),
  bin: WASM_BIN,
  make: unpackWasm,
};

/** Whether a compiler makes a module of nothing: one that is there may lack its linker. */
function compiles(name: ToolName, args: readonly string[], path: string): boolean {
  const tool = findTool(name, path);
  if (tool === undefined) return false;
  // A compiler of root's that fails may remove what it writes to: never /dev/null.
  const folder = mkdtempSync(join(tmpdir(), "compiles-"));
  try {
    const env = { ...process.env, PATH: path };
    return runs(tool.program, [...tool.args, ...args, "-o", "empty.wasm", "-"], { env, cwd: folder });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function unpackWasm(): boolean {
  const packages = withDependencies(WASM_PACKAGES).filter((name) => !NATIVE.test(name));
  if (packages.length > 0 && !unpackDebian("wasm-toolchain", packages)) return false;
  const usr = join(WASM, "usr");
  // Not where they were built for, both look for their libraries below the system's root.
  const clangArgs = existsSync(join(usr, "lib", "wasm32-wasi")) ? [`--sysroot=${usr}`] : [];
  const rustcArgs = existsSync(join(usr, "lib", "rustlib")) ? ["--sysroot", usr] : [];
  writeWrappers(WASM, {
    clang: clangArgs,
    rustc: rustcArgs,
    // What each of the two compilers calls its linker.
    "wasm-ld": [],
    "rust-lld": [],
    "wasm-interp": [],
    wat2wasm: [],
  });
  return true;
}

/** A PATH on which every program is that can be had; says on standard output what cannot. */
export function pathWithPrograms(path: string): string {
  return pathWith([promtool, python, generators, clang, rustc, wabt], path, (missing) =>
    process.stdout.write(`${missing}; its tests are skipped\n`),
  );
}

/** A PATH with what makes and interprets WebAssembly, as far as it can be had. */
export function pathWithWasmPrograms(path: string): string {
  return pathWith([clang, rustc, wabt], path, (missing) => process.stderr.write(`${missing}\n`));
}

function pathWith(needs: readonly Need[], path: string, say: (missing: string) => void): string {
  let result = path;
  for (const { what, debian, isOn, bin, make } of needs) {
    if (isOn(result)) continue;
    const extended = [bin, result].join(delimiter);
    if (isOn(extended) || (make() && isOn(extended))) result = extended;
    else say(`${what} is not to be had here (Debian: ${debian})`);
  }
  return result;
}
