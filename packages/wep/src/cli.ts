import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { EXIT, StartupError } from "@subnet-worker/kit";

/** What the command line asks for. */
export type Command =
  | { readonly kind: "print"; readonly text: string }
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

Runs handlers for a worker client (wcp), which connects over gRPC.

Options:
  --handlers <module>   module that exports handlers (.js, .mjs or .ts); may be repeated
  --config <file>       configuration; default wep.yaml in this directory, if there is one
  --host <address>      where to listen; default 127.0.0.1
  --port <number>       gRPC port; default 7070, 0 picks a free one
  --health-port <n>     port of /healthz, /readyz and /metrics; default 7071, 0 picks a free one
  --help                this text
  --version             the version

Each setting of the configuration can also be an environment variable:
server.port is WEP__SERVER__PORT, runtime.max_concurrency is WEP__RUNTIME__MAX_CONCURRENCY.

Example: wep run --handlers ./handlers.ts
`;

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
  if (command !== "run") throw misuse(`no such command: ${command}`);
  if (rest.length > 0)
    throw misuse(`unexpected argument: ${rest.join(" ")} (handler modules go after --handlers)`);
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
