import { parseArgs } from "node:util";
import { EXIT } from "@subnet-worker/kit";
import { DevnetError } from "./errors.ts";

export const USAGE = `subnet-devnet: a local network for one worker node: chain, contracts, object store, WEP and WCP

  subnet-devnet demo    starts a network, runs one workflow on it, prints what happened, stops
  subnet-devnet up      starts a network and leaves it running until Ctrl-C
  subnet-devnet submit  runs one workflow on the network that is up, and prints what happened

  --input VALUE      the workflow's input, once for each field:
                       FILE         the file for a workflow that takes one
                       FIELD=@FILE  a file, uploaded to the object store
                       FIELD=TEXT   any other value (JSON for lists, tuples and booleans)
  --workflow NAME    which workflow to run, like audio/1.0.0; needed when there are several
  --handlers MODULE  (demo, up) a module with handlers for the WEP; may be given more than once
  --wep URL          (demo, up) a WEP that runs already, like http://127.0.0.1:7070, instead of --handlers
  --spec FILE        (demo, up) an activity spec, registered as a workflow; may be given more than once
  --wasm             (demo, up) the WEP runs WebAssembly as well (wasm.execute): then a --spec needs no --handlers
  --batching         (demo, up) the WCP puts many claims, heartbeats and completions into one transaction
  --storage KIND     (demo, up) where the WCP keeps objects: s3 (an S3 store, the default), subnet-api (a remote
                       broker over gRPC) or folder (it serves a folder of the run itself)
  --keep             (demo) leave the network running afterwards, until Ctrl-C
  --dir DIR          where the run keeps its logs, state and outputs; default .devnet/run-<time>-<pid>.
                     For submit: the run to submit to; default the one started last
  --help             this text

Without --handlers and --spec, in the repository, the audio sample is used.
Exit codes: 0 completed, 1 failed, 78 wrong usage, 130 stopped by Ctrl-C.
`;

/** What to start. Paths as they were typed. */
export interface NetworkArgs {
  readonly dir: string | undefined;
  readonly handlers: readonly string[];
  /** URL of a WEP that runs already. */
  readonly wep: string | undefined;
  readonly specs: readonly string[];
  readonly batching: boolean;
  readonly wasm: boolean;
  readonly storage: StorageKind;
}

const STORAGE_KINDS = ["s3", "subnet-api", "folder"] as const;
export type StorageKind = (typeof STORAGE_KINDS)[number];

/** What to run. Paths as they were typed. */
export interface RunArgs {
  readonly workflow: string | undefined;
  readonly inputs: readonly string[];
}

export type Command =
  | { readonly kind: "help" }
  | { readonly kind: "demo"; readonly network: NetworkArgs; readonly run: RunArgs; readonly keep: boolean }
  | { readonly kind: "up"; readonly network: NetworkArgs }
  | { readonly kind: "submit"; readonly dir: string | undefined; readonly run: RunArgs };

const text = { type: "string" } as const;
const texts = { type: "string", multiple: true } as const;
const flag = { type: "boolean" } as const;
const help = { ...flag, short: "h" } as const;

/**
 * Reads a command line.
 *
 * @param argv without the program's own name
 * @throws {DevnetError} `BAD_USAGE` with exit code 78
 */
export function parseCommand(argv: readonly string[]): Command {
  const [name, ...args] = argv;
  switch (name) {
    case undefined:
      throw usageError("Say what to do: demo, up or submit.");
    case "help":
    case "--help":
    case "-h":
      return { kind: "help" };
    case "demo": {
      const options = {
        dir: text,
        handlers: texts,
        wep: text,
        spec: texts,
        input: texts,
        workflow: text,
        keep: flag,
        batching: flag,
        wasm: flag,
        storage: text,
        help,
      };
      const values = read(() => parseArgs({ args, options }).values);
      if (values.help === true) return { kind: "help" };
      return { kind: "demo", network: networkArgs(values), run: runArgs(values), keep: values.keep ?? false };
    }
    case "up": {
      const options = {
        dir: text,
        handlers: texts,
        wep: text,
        spec: texts,
        batching: flag,
        wasm: flag,
        storage: text,
        help,
      };
      const values = read(() => parseArgs({ args, options }).values);
      return values.help === true ? { kind: "help" } : { kind: "up", network: networkArgs(values) };
    }
    case "submit": {
      const values = read(
        () => parseArgs({ args, options: { dir: text, input: texts, workflow: text, help } }).values,
      );
      return values.help === true
        ? { kind: "help" }
        : { kind: "submit", dir: values.dir, run: runArgs(values) };
    }
    default:
      throw usageError(`There is no command "${name}".`);
  }
}

interface NetworkValues {
  readonly dir?: string | undefined;
  readonly handlers?: readonly string[] | undefined;
  readonly wep?: string | undefined;
  readonly spec?: readonly string[] | undefined;
  readonly batching?: boolean | undefined;
  readonly wasm?: boolean | undefined;
  readonly storage?: string | undefined;
}

function networkArgs(values: NetworkValues): NetworkArgs {
  const { dir, handlers = [], wep, spec: specs = [], batching = false, wasm = false } = values;
  if (wep !== undefined) checkWep(wep, { handlers, wasm });
  const isServed = handlers.length > 0 || wep !== undefined;
  // With --wasm alone the sample is used, which brings handlers and a spec.
  if (isServed ? specs.length === 0 : specs.length > 0 && !wasm) {
    throw usageError(
      "Give --handlers or --wep together with --spec: the spec says what the handlers are called with.",
    );
  }
  return { dir, handlers, wep, specs, batching, wasm, storage: storageKind(values.storage) };
}

function checkWep(
  wep: string,
  others: { readonly handlers: readonly string[]; readonly wasm: boolean },
): void {
  if (others.handlers.length > 0)
    throw usageError("Give --handlers or --wep: one says what to run, the other where it runs already.");
  if (others.wasm)
    throw usageError(
      "Give --wasm or --wep: a WEP that runs already has its own configuration, wasm.enabled.",
    );
  if (!/^https?:$/.test(URL.parse(wep)?.protocol ?? ""))
    throw usageError(`--wep "${wep}" is not a URL; write it like http://127.0.0.1:7070.`);
}

function storageKind(given = "s3"): StorageKind {
  const kind = STORAGE_KINDS.find((each) => each === given);
  if (kind !== undefined) return kind;
  throw usageError(`There is no --storage "${given}"; give one of ${STORAGE_KINDS.join(", ")}.`);
}

interface RunValues {
  readonly workflow?: string | undefined;
  readonly input?: readonly string[] | undefined;
}

function runArgs({ workflow, input = [] }: RunValues): RunArgs {
  return { workflow, inputs: input };
}

function read<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw usageError(error instanceof Error ? `${error.message}.` : String(error), error);
  }
}

function usageError(message: string, cause?: unknown): DevnetError {
  return new DevnetError("BAD_USAGE", `${message}\n\n${USAGE}`, { exitCode: EXIT.badConfig, cause });
}
