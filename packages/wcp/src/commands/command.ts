import type { Clock } from "@subnet-worker/kit";
import { EXIT, StartupError, systemClock } from "@subnet-worker/kit";
import { ConfigError, parseDuration } from "@subnet-worker/kit/config";
import { KeystoreError } from "../adapters/keystore/keystore-error.ts";
import { StoreError } from "../adapters/sqlite/store-error.ts";
import { type Config, type ConfigLocation, readConfig } from "../config.ts";
import { toStartupError } from "../open.ts";

/** A command's way to the outside. */
export interface Io {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly clock: Clock;
  /** Whether a person reads standard output, so that colour helps. */
  readonly isTerminal: boolean;
  out(text: string): void;
  err(text: string): void;
  /** All of standard input; `undefined` when that is a terminal. */
  stdin(): Promise<string | undefined>;
}

/** A command line, taken apart. */
export interface Invocation {
  /** What stands after the command's own words. */
  readonly args: readonly string[];
  /** By name, without the dashes. */
  readonly options: Readonly<Record<string, string | boolean | undefined>>;
  readonly io: Io;
  readonly signal: AbortSignal;
  /** Says how long the command may take to end after the signal. */
  readonly setDrain: (ms: number) => void;
}

/** Does what a command says and returns the exit code. @throws {StartupError} with one for people */
export type RunCommand = (invocation: Invocation) => Promise<number>;

/** A text option; `undefined` when it is not given. */
export function textOption({ options }: Invocation, name: string): string | undefined {
  const value = options[name];
  return typeof value === "string" ? value : undefined;
}

/** A text option that a command cannot do without. @throws {StartupError} exit code 78 */
export function requiredOption(invocation: Invocation, name: string): string {
  const value = textOption(invocation, name);
  if (value === undefined || value === "")
    throw new StartupError(EXIT.badConfig, `--${name} is missing; give it a value`);
  return value;
}

/** A duration option in milliseconds. @throws {StartupError} exit code 78 */
export function durationOption(invocation: Invocation, name: string, fallback: string): number {
  try {
    return parseDuration(textOption(invocation, name) ?? fallback);
  } catch (error) {
    throw new StartupError(
      EXIT.badConfig,
      `--${name}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

/** A nonce given as an argument. @throws {StartupError} exit code 78 */
export function nonceArgument(text: string): number {
  const nonce = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(nonce)) return nonce;
  throw new StartupError(EXIT.badConfig, `"${text}" is not a nonce; \`wcp tx ls\` lists them`);
}

export function configLocation(invocation: Invocation): ConfigLocation {
  const { env, cwd } = invocation.io;
  return { file: textOption(invocation, "config"), env, cwd };
}

/** @throws {StartupError} exit code 78 with everything that is wrong */
export function loadCommandConfig(invocation: Invocation): Config {
  try {
    return readConfig(configLocation(invocation));
  } catch (error) {
    throw asStartupError(error);
  }
}

/** What an operator can act on, with its exit code; anything else is a defect and stays as it is. */
export function asStartupError(error: unknown): unknown {
  if (error instanceof ConfigError || error instanceof KeystoreError) {
    return new StartupError(EXIT.badConfig, error.message, { cause: error });
  }
  return error instanceof StoreError ? toStartupError(error) : error;
}

/** This process's own. */
export function processIo(): Io {
  // `wcp db ls | head` closes the pipe: nobody is there to be told.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
  return {
    env: process.env,
    cwd: process.cwd(),
    clock: systemClock,
    isTerminal: process.stdout.isTTY,
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    async stdin() {
      if (process.stdin.isTTY) return undefined;
      let text = "";
      for await (const chunk of process.stdin.setEncoding("utf8")) text += String(chunk);
      return text;
    },
  };
}
