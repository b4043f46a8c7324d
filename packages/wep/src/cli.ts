import { readFileSync } from "node:fs";
import { type CommandTable, parseCommandLine, type Parsed } from "./command-line.ts";
import type { OptionEntry } from "./commands/command.ts";

const HANDLERS: OptionEntry = {
  value: "MODULE",
  isMultiple: true,
  about: "module that exports handlers (.js, .mjs or .ts)",
};
const CONFIG: OptionEntry = {
  value: "FILE",
  about: "configuration; default wep.yaml in this directory, if there is one",
};
const PORT: OptionEntry = { value: "NUMBER", about: "gRPC port; default 7070, 0 picks a free one" };
const HEALTH_PORT: OptionEntry = {
  value: "NUMBER",
  about: "port of /healthz, /readyz, /metrics and /tail; default 7071, 0 picks a free one",
};

/** Every command. One entry is all that a further one needs here. */
const COMMANDS: CommandTable = {
  run: {
    usage: "[--handlers MODULE] [options]",
    summary: "run handlers for a worker client (wcp), which connects over gRPC",
    options: {
      handlers: HANDLERS,
      config: CONFIG,
      host: { value: "ADDRESS", about: "where to listen; default 127.0.0.1" },
      port: PORT,
      "health-port": HEALTH_PORT,
    },
    advice: "handler modules go after --handlers",
    more: `Each setting of the configuration can also be an environment variable:
server.port is WEP__SERVER__PORT, runtime.max_concurrency is WEP__RUNTIME__MAX_CONCURRENCY.

Example: wep run --handlers ./handlers.ts`,
    load: async () => (await import("./commands/run.ts")).run,
  },
  tail: {
    usage: "[--activity ID] [options]",
    summary: "show what goes over the streams of a WEP on this machine, as it happens",
    options: {
      url: { value: "URL", about: "its health server; default http://127.0.0.1:7071" },
      activity: { value: "ID", about: "only what is about this activity; the start of its id will do" },
      json: { about: "one JSON object a line, with everything but signatures and bytes" },
    },
    advice: "an activity goes after --activity",
    more: "Example: wep tail --activity 0x12ab34cd",
    load: async () => (await import("./commands/tail.ts")).tailCommand,
  },
};

/** Reads the command line. @throws {StartupError} exit code 78 with what to write, when it makes no sense */
export function parseCommand(argv: readonly string[]): Parsed {
  return parseCommandLine(
    {
      name: "wep",
      about: "the worker execution process. Runs handlers; holds no key and no credential.",
      version: version(),
      more: "Exit codes: 0 done, 1 fault or a run that failed, 75 try again later, 78 wrong use or configuration.\n",
      commands: COMMANDS,
    },
    argv,
  );
}

function version(): string {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
