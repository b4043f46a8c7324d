/**
 * Programs that some tests need and npm does not have. One that is missing is unpacked from its Debian
 * package into `.cache/debian`, without installing it. Where that cannot be done, the tests that need it
 * are skipped by name.
 */
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { runs, unpackDebian, unpackedAt, withDependencies } from "./_debian.ts";

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
  writeWrappers();
  if (python.isOn(BIN + delimiter + process.env["PATH"])) return true;
  rmSync(BIN, { recursive: true }); // or it would hide a python3 that works
  return false;
}

/** Programs that are not installed do not find what they were unpacked with. */
function writeWrappers(): void {
  mkdirSync(BIN, { recursive: true });
  for (const program of ["python3", "protoc", "grpc_python_plugin"]) {
    const unpacked = join(PYTHON, "usr", "bin", program);
    const script = [
      "#!/bin/sh",
      `for lib in '${PYTHON}'/usr/lib/*-linux-gnu*; do LD_LIBRARY_PATH="$lib\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"; done`,
      "export LD_LIBRARY_PATH",
      `export PYTHONPATH='${PYTHON}'/usr/lib/python3/dist-packages"\${PYTHONPATH:+:$PYTHONPATH}"`,
      `exec '${existsSync(unpacked) ? unpacked : `/usr/bin/${program}`}' "$@"`,
      "",
    ];
    writeFileSync(join(BIN, program), script.join("\n"), { mode: 0o755 });
  }
}

/** A PATH on which every program is that can be had; says on standard output what cannot. */
export function pathWithPrograms(path: string): string {
  let result = path;
  for (const { what, debian, isOn, bin, make } of [promtool, python, generators]) {
    if (isOn(result)) continue;
    const extended = [bin, result].join(delimiter);
    if (isOn(extended) || (make() && isOn(extended))) result = extended;
    else process.stdout.write(`${what} is not to be had here (Debian: ${debian}); its tests are skipped\n`);
  }
  return result;
}
