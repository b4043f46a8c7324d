import { EXIT, StartupError } from "@subnet-worker/kit";

/** A command's way to the outside. */
export interface Io {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Whether a person reads standard output, so that colour helps. */
  readonly isTerminal: boolean;
  out(content: string | Uint8Array): void;
  err(text: string): void;
}

/** A command line, taken apart. */
export interface Invocation {
  /** What stands after the command's own words. */
  readonly args: readonly string[];
  /** By name, without the dashes. */
  readonly options: Readonly<Record<string, OptionValue | undefined>>;
  readonly io: Io;
  readonly signal: AbortSignal;
  /** Says how long the command may take to end after the signal. */
  readonly setDrain: (ms: number) => void;
}

export type OptionValue = string | boolean | readonly (string | boolean)[];

/** Does what a command says and returns the exit code. @throws {StartupError} with one for people */
export type RunCommand = (invocation: Invocation) => Promise<number>;

/** An option that a command takes. */
export interface OptionEntry {
  /** What the help calls its value: `FILE`. `undefined`: it takes none. */
  readonly value?: string;
  /** It may be given more than once. */
  readonly isMultiple?: boolean;
  /** For the help, with the default. */
  readonly about: string;
}

/** A command of `wep`: one line of the table in `cli.ts`. */
export interface CommandEntry {
  /** What follows the name, for the usage: `[DIR] [--force]`. */
  readonly usage: string;
  /** One line, without a full stop. */
  readonly summary: string;
  /** Besides `--help`. */
  readonly options?: Readonly<Record<string, OptionEntry>>;
  /** How many arguments it takes: at least, at most. Default none. */
  readonly args?: readonly [number, number];
  /** Where an argument that it does not take belongs: `handler modules go after --handlers`. */
  readonly advice?: string;
  /** Ends the help of the command: examples, and what else there is to know. */
  readonly more?: string;
  /** Loaded when it is run: `wep tail` need not wait for what `wep run` imports. */
  readonly load: () => Promise<RunCommand>;
}

/** A text option; `undefined` when it is not given. */
export function textOption({ options }: Pick<Invocation, "options">, name: string): string | undefined {
  const value = options[name];
  return typeof value === "string" ? value : undefined;
}

/** A text option that may be given more than once; empty when it is not given. */
export function textsOption({ options }: Pick<Invocation, "options">, name: string): readonly string[] {
  const value = options[name];
  return Array.isArray(value) ? value.filter((each): each is string => typeof each === "string") : [];
}

/** Whether an option without a value is given. */
export function flagOption({ options }: Pick<Invocation, "options">, name: string): boolean {
  return options[name] === true;
}

/** A wrong use of a command: exit code 78. */
export function misuse(problem: string): StartupError {
  return new StartupError(EXIT.badConfig, `[BAD_USAGE] ${problem}`);
}

/** This process's own. */
export function processIo(): Io {
  // `wep help | head` closes the pipe: nobody is there to be told.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
  return {
    env: process.env,
    cwd: process.cwd(),
    isTerminal: process.stdout.isTTY,
    out: (content) => void process.stdout.write(content),
    err: (text) => void process.stderr.write(text),
  };
}
