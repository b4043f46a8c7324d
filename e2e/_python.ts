import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter } from "node:path";
import { fileURLToPath } from "node:url";
import { startProcess, type TestProcess } from "./_process.ts";

const inRepository = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));

/** What `npm test` has unpacked where the system has it not; a single test that is run by hand finds it too. */
const UNPACKED = inRepository(".cache/debian/python3-grpcio/bin");

/** A search path on which python3 has grpcio, where that is to be had at all. */
export const PYTHON_PATH: string = [...(existsSync(UNPACKED) ? [UNPACKED] : []), process.env["PATH"]].join(
  delimiter,
);

const env = { ...process.env, PATH: PYTHON_PATH };
const { status } = spawnSync("python3", ["-c", "import grpc, google.protobuf"], { env, stdio: "ignore" });

/** Whether python3 with grpcio is to be had; tests that need it are skipped by name where it is not. */
export const hasPython: boolean = status === 0;

/** Runs a Python program whose standard output is JSON lines. */
export function startPython(
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<TestProcess> {
  return startProcess({
    command: "python3",
    args: ["-B", ...args],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { PATH: PYTHON_PATH, ...options.env },
  });
}
