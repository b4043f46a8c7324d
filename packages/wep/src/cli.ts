import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { EXIT, StartupError } from "@subnet-worker/kit";
import type { TailOptions } from "./commands/tail.ts";

/** What the command line asks for. */
export type Command =
  | { readonly kind: "print"; readonly text: string }
  | ({ readonly kind: "tail" } & TailOptions)
  | {
      readonly kind: "run";
      /** `undefined`: `wep.yaml` in the working directory, if there is one. */
      readonly configPath: string | undefined;
      /** Besides the configured ones; relative to the working directory. */
      readonly handlerModules: readonly string[];
      /** Settings given as options, as the environment variables they stand for. */
      readonly env: Readonly<Record<string, string>>;
    };

const USAGE = `Usage: wep run [options]
       wep tail [options]

run: runs handlers for a worker client (wcp), which connects over gRPC.

  --handlers <module>   module that exports handlers (.js, .mjs or .ts); may be repeated
  --config <file>       configuration; default wep.yaml in this directory, if there is one
  --host <address>      where to listen; default 127.0.0.1
  --port <number>       gRPC port; default 7070, 0 picks a free one
  --health-port <n>     port of /healthz, /readyz, /metrics and /tail; default 7071, 0 picks a free one

tail: shows what goes over the streams of a WEP that runs on this machine, as it happens.

  --url <url>           its health server; default http://127.0.0.1:7071
  --activity <id>       only what is about this activity; the start of its id will do
  --json                one JSON object a line, with everything but signatures and bytes

Both: --help for this text, --version for the version.

Each setting of the configuration can also be an environment variable:
server.port is WEP__SERVER__PORT, runtime.max_concurrency is WEP__RUNTIME__MAX_CONCURRENCY.

Examples: wep run --handlers ./handlers.ts
          wep tail --activity 0x12ab34cd
`;

/** Which options a command takes. */
const COMMANDS: Readonly<Record<string, readonly string[]>> = {
  run: ["config", "handlers", "host", "port", "health-port"],
  tail: ["url", "activity", "json"],
};

/**
 * Reads the command line.
 *
 * @throws {StartupError} with exit code 78 and the usage
 */
export function parseCommand(argv: readonly string[]): Command {
  const { values, positionals } = parse(argv);
  if (values.help === true || positionals[0] === "help") return { kind: "print", text: USAGE };
  if (values.version === true) return { kind: "print", text: `${version()}\n` };
  const [command, ...rest] = positionals;
  if (command === undefined) throw misuse("no command given");
  const options = COMMANDS[command];
  if (options === undefined) throw misuse(`no such command: ${command}`);
  const foreign = Object.keys(values).find((name) => !options.includes(name));
  if (foreign !== undefined) throw misuse(`wep ${command} has no option --${foreign}`);
  if (rest.length > 0) throw misuse(`unexpected argument: ${rest.join(" ")}${adviceFor(command)}`);
  return command === "tail" ? toTail(values) : toRun(values);
}

function adviceFor(command: string): string {
  return command === "run"
    ? " (handler modules go after --handlers)"
    : " (an activity goes after --activity)";
}

type Values = ReturnType<typeof parse>["values"];

function toTail({ url = "http://127.0.0.1:7071", activity, json = false }: Values): Command {
  return { kind: "tail", url, activity, isJson: json };
}

function toRun(values: Values): Command {
  const env = {
    WEP__SERVER__HOST: values.host,
    WEP__SERVER__PORT: values.port,
    WEP__HEALTH__PORT: values["health-port"],
  };
  return {
    kind: "run",
    configPath: values.config,
    handlerModules: values.handlers ?? [],
    env: Object.fromEntries(
      Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined),
    ),
  };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        config: { type: "string" },
        handlers: { type: "string", multiple: true },
        host: { type: "string" },
        port: { type: "string" },
        "health-port": { type: "string" },
        url: { type: "string" },
        activity: { type: "string" },
        json: { type: "boolean" },
        help: { type: "boolean", short: "h" },
        version: { type: "boolean", short: "v" },
      },
    });
  } catch (error) {
    throw misuse(error instanceof Error ? error.message : String(error));
  }
}

function misuse(problem: string): StartupError {
  return new StartupError(EXIT.badConfig, `[BAD_USAGE] ${problem}\n\n${USAGE}`);
}

function version(): string {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
