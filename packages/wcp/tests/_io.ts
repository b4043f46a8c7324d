import { systemClock } from "@subnet-worker/kit";
import { parseCommand } from "../src/cli.ts";
import { asStartupError, type Io } from "../src/commands/command.ts";

export interface IoOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** `undefined` for a terminal. */
  readonly stdin?: string | undefined;
  readonly io?: Partial<Io>;
  /** Default: one that never aborts. */
  readonly signal?: AbortSignal;
}

export interface CommandResult {
  readonly out: string;
  readonly err: string;
  readonly code: number;
}

/** Runs a command line as the process does, with an outside of its own. */
export async function runCommand(argv: readonly string[], options: IoOptions = {}): Promise<CommandResult> {
  const said = { out: "", err: "" };
  const io: Io = {
    env: options.env ?? {},
    cwd: options.cwd ?? "/",
    clock: systemClock,
    isTerminal: false,
    out: (text) => (said.out += text),
    err: (text) => (said.err += text),
    stdin: async () => options.stdin,
    ...options.io,
  };
  const parsed = parseCommand(argv);
  if (parsed.kind === "print") return { ...said, out: parsed.text, code: 0 };
  const { signal = new AbortController().signal } = options;
  try {
    const run = await parsed.load();
    const code = await run({ ...parsed.input, io, signal, setDrain: () => undefined });
    return { ...said, code };
  } catch (error) {
    const known = asStartupError(error) as { readonly message: string; readonly exitCode?: number };
    if (known.exitCode === undefined) throw error;
    return { ...said, err: said.err + known.message, code: known.exitCode };
  }
}
