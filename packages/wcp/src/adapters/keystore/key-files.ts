import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { KeystoreError } from "./keystore-error.ts";

/**
 * The password in a file: its first line.
 *
 * @throws {KeystoreError} CANNOT_READ, NO_PASSWORD
 */
export function readPassword(path: string): string {
  const [line = ""] = readText(path, "password file").split(/\r?\n/, 1);
  if (line === "") {
    throw new KeystoreError(
      "NO_PASSWORD",
      `the first line of ${path} is empty; write the keystore's password there`,
    );
  }
  return line;
}

/** @throws {KeystoreError} CANNOT_READ */
export function readKeystore(path: string): string {
  return readText(path, "keystore");
}

function readText(path: string, what: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new KeystoreError(
      "CANNOT_READ",
      `the ${what} cannot be read: ${reasonOf(error)}; correct its path or its owner`,
    );
  }
}

/**
 * Writes a keystore or a password that only its owner may read, to the disk itself. Never overwrites: what was there may be
 * the only copy of a key.
 *
 * @throws {KeystoreError} CANNOT_WRITE
 */
export function writeSecret(path: string, text: string): void {
  let file: number | undefined;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    file = openSync(path, "wx", 0o600);
    writeSync(file, `${text}\n`);
    fsyncSync(file);
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    const isThere = code === "EEXIST" && syscall === "open";
    // Half a keystore opens nothing.
    if (file !== undefined) rmSync(path, { force: true });
    throw new KeystoreError(
      "CANNOT_WRITE",
      isThere
        ? `${path} is there already and is not overwritten, since it may be the only copy of a key; give another name`
        : `it cannot be written: ${reasonOf(error)}; give another place`,
    );
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/**
 * What is wrong with who may read a secret file; `undefined` when nothing is. A group may: orchestrators
 * hand secrets to a process by its group.
 */
export function exposureOf(path: string): string | undefined {
  if (process.platform === "win32") return undefined; // its modes say nothing about access
  const mode = statSync(path).mode & 0o777;
  if ((mode & 0o007) === 0) return undefined;
  return `${path} is open to every user of this machine (mode ${mode.toString(8).padStart(4, "0")}); run: chmod 600 ${path}`;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
