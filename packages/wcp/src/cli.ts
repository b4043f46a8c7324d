import { EXIT, StartupError } from "@subnet-worker/kit";
import { ConfigError } from "@subnet-worker/kit/config";
import { parseArgs } from "node:util";
import { compose } from "./compose.ts";
import { type Config, readConfig } from "./config.ts";

const USAGE = `wcp: the worker client process. Claims activities and settles results; holds the wallet's key.

  wcp run [--config FILE]     run the node
  wcp --help | --version

The configuration is FILE, or configs/{ENVIRONMENT}.toml (ENVIRONMENT defaults to "local").
WCP__SECTION__KEY in the environment overrides section.key. The key of the wallet belongs there:
WCP__ETHEREUM__WALLET_PRIVATE_KEY. Exit codes: 0 stopped as asked, 1 fault, 75 try again later,
78 bad configuration.
`;

export type Command =
  | { readonly kind: "run"; readonly config: Config }
  | { readonly kind: "print"; readonly text: string };

/** Reads the command line. @throws {StartupError} exit code 78 with the usage when it makes no sense */
export function parseCommand(argv: readonly string[], env: NodeJS.ProcessEnv): Command {
  const { values, positionals } = parse(argv);
  if (values.help === true) return { kind: "print", text: USAGE };
  if (values.version === true) return { kind: "print", text: "wcp 0.1.0\n" };
  if (positionals.length !== 1 || positionals[0] !== "run") {
    const problem =
      positionals.length === 0
        ? "say what to do: wcp run"
        : `wcp does not know the command "${positionals.join(" ")}"`;
    throw new StartupError(EXIT.badConfig, `${problem}\n\n${USAGE}`);
  }
  try {
    return { kind: "run", config: readConfig({ file: values.config, env, cwd: process.cwd() }) };
  } catch (error) {
    if (error instanceof ConfigError) throw new StartupError(EXIT.badConfig, error.message, { cause: error });
    throw error;
  }
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        config: { type: "string" },
        help: { type: "boolean", short: "h" },
        version: { type: "boolean" },
      },
    });
  } catch (error) {
    throw new StartupError(
      EXIT.badConfig,
      `${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`,
    );
  }
}

/** Composes and runs the node until `signal` aborts. */
export async function runNode(config: Config, signal: AbortSignal): Promise<void> {
  await using app = await compose(config);
  await app.run(signal);
}
