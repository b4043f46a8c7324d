import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { EXIT, StartupError } from "@subnet-worker/kit";
import { WasmError } from "@subnet-worker/wasm";
import type { Io } from "./command.ts";

/** @throws {StartupError} exit code 78 when it cannot be read */
export function readBytes(io: Pick<Io, "cwd">, path: string): Uint8Array {
  try {
    return readFileSync(resolve(io.cwd, path));
  } catch (error) {
    throw cannot("READ", path, error);
  }
}

/** @throws {StartupError} exit code 78 when it cannot be written */
export function writeBytes(io: Pick<Io, "cwd">, path: string, content: Uint8Array | string): void {
  try {
    writeFileSync(resolve(io.cwd, path), content);
  } catch (error) {
    throw cannot("WRITE", path, error);
  }
}

/** Does what may be refused by the engine. @throws {StartupError} exit code 1 with the reason, and the file */
export async function withFile<T>(path: string, work: () => Promise<T> | T): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof WasmError)) throw error;
    throw new StartupError(EXIT.fault, `${path}: ${error.message}`, { cause: error });
  }
}

function cannot(what: "READ" | "WRITE", path: string, error: unknown): StartupError {
  const { code, message } = error as NodeJS.ErrnoException;
  const why =
    code === "ENOENT" ? "there is no such file or folder" : code === "EISDIR" ? "it is a folder" : message;
  const verb = what === "READ" ? "read" : "written";
  return new StartupError(
    EXIT.badConfig,
    `[CANNOT_${what}] ${path} cannot be ${verb}: ${why}; give the path of a file`,
    {
      cause: error,
    },
  );
}
