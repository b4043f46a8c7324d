import { type CommandTable, parseCommandLine, type Parsed } from "./command-line.ts";
import type { OptionEntry } from "./commands/command.ts";
import { SPEC_COMMANDS } from "./commands/spec-table.ts";
import { WASM_COMMANDS } from "./commands/wasm-table.ts";
import { ownVersion } from "./own-version.ts";

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
  init: {
    usage: "[DIR] [--kind KIND] [--force]",
    summary: "start a project: a handler with its spec, types, tests and image",
    args: [0, 1],
    options: {
      kind: { value: "KIND", about: "what the handler is called; default demo.words" },
      force: { about: "overwrite files that are there" },
    },
    advice: "one directory is enough",
    more: `DIR is this directory unless given. Where it has a package.json, scripts and packages are added to it.

Example: wep init words --kind acme.words`,
    load: async () => (await import("./commands/init.ts")).init,
  },
  dev: {
    usage: "[--handlers MODULE] [--devnet] [options]",
    summary: "run handlers, and again after each change of them or of their specs",
    options: {
      handlers: HANDLERS,
      config: CONFIG,
      devnet: { about: "starts a local network beside them (subnet-devnet up), and says how to submit" },
      host: { value: "ADDRESS", about: "where to listen; default 127.0.0.1" },
      port: PORT,
      "health-port": HEALTH_PORT,
    },
    advice: "handler modules go after --handlers",
    more: `Types that wep spec types has written beside a spec are written again when it changes. Runs under way
may finish, for as long as runtime.graceful_shutdown_s says. What is wrong is shown, and the next change
waited for. Ctrl-C ends it all.

Example: wep dev --handlers ./handlers.ts`,
    load: async () => (await import("./commands/dev.ts")).dev,
  },
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
  send: {
    usage: "KIND[@VERSION] [--input FILE.json] [--input NAME=VALUE] [options]",
    summary: "run one task on a WEP, with no chain and no node: inputs from files, outputs to files",
    args: [1, 1],
    options: {
      input: {
        value: "FILE.json|NAME=VALUE",
        isMultiple: true,
        about: "inputs: a JSON object of them, or one of them; a file is NAME=@PATH",
      },
      spec: { value: "FILE", about: "spec that declares KIND; default: what the YAML files here declare" },
      url: { value: "URL", about: "the WEP; default http://127.0.0.1:7070" },
      out: { value: "DIR", about: "where objects that the run writes are saved; default wep-out/<run>" },
      timeout: { value: "DURATION", about: "cancels the run after this long, like 30s; default never" },
      json: { about: "one JSON document at the end, in place of lines for people" },
      ca: { value: "FILE", about: "authorities that the WEP's certificate is verified against (PEM)" },
      cert: { value: "FILE", about: "certificate to show to a WEP that asks for one (PEM)" },
      key: { value: "FILE", about: "the key of that certificate (PEM)" },
      "store-host": {
        value: "ADDRESS",
        about: "of this machine, where a WEP elsewhere reaches the objects; default 127.0.0.1",
      },
      "server-name": { value: "NAME", about: "whom the WEP's certificate is for; default the host of --url" },
    },
    advice: "inputs go after --input",
    more: `Where a spec declares KIND, inputs are brought to its types, and what the run returns is held
against it as a node would. Objects are served to the WEP from a folder, by signed URLs over plain HTTP:
for a WEP on another machine, or in a container, --store-host says at which address of this one.
Ctrl-C cancels the run. Exit code: 0 for a success, 1 for a run that failed.

Examples: wep send demo.words --input text="one two two" --input limit=3
          wep send audio.preprocess --input audio_object_key=@recording.wav --out results
          wep send demo.words@1.0.0 --input inputs.json --json`,
    load: async () => (await import("./commands/send.ts")).send,
  },
  ...SPEC_COMMANDS,
  ...WASM_COMMANDS,
  replay: {
    usage: "RUN.json [--handlers MODULE] [options]",
    summary: "run a recorded run again, in this process, and compare what it comes to",
    args: [1, 1],
    options: {
      handlers: HANDLERS,
      config: CONFIG,
      objects: {
        value: "DIR",
        about: "what the run has read, as files named by their keys; default its URLs",
      },
      out: { value: "DIR", about: "where objects that it writes are saved; default wep-out/replay-<run>" },
      json: { about: "one JSON document, in place of lines for people" },
    },
    advice: "handler modules go after --handlers",
    more: `RUN.json is what wcp record show ID prints, where the node runs. Exit code: 0 when the run came to
what was recorded, else 1.

Example: wep replay run.json --handlers ./handlers.ts`,
    load: async () => (await import("./commands/replay.ts")).replay,
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
      version: ownVersion(),
      more: "Exit codes: 0 done, 1 fault or a run that failed, 75 try again later, 78 wrong use or configuration.\n",
      commands: COMMANDS,
    },
    argv,
  );
}
