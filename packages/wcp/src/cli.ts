import { EXIT, StartupError } from "@subnet-worker/kit";
import { suggest } from "@subnet-worker/kit/config";
import { parseArgs, type ParseArgsConfig } from "node:util";
import type { Invocation, RunCommand } from "./commands/command.ts";

/** One line of the table below. */
interface CommandEntry {
  /** What follows the name, for the usage. */
  readonly usage: string;
  readonly summary: string;
  /** Options besides `--config` and `--help`. */
  readonly options?: readonly OptionName[];
  /** How many arguments it takes: at least, at most. Default none. */
  readonly args?: readonly [number, number];
  readonly needsNoConfig?: boolean;
  /** Loaded when it is run: `wcp db ls` need not wait for what `wcp run` imports. */
  readonly load: () => Promise<RunCommand>;
}

const OPTIONS = {
  config: { type: "string" },
  help: { type: "boolean", short: "h" },
  version: { type: "boolean" },
  json: { type: "boolean" },
  all: { type: "boolean" },
  wait: { type: "string" },
  out: { type: "string" },
  "password-file": { type: "string" },
  "from-env": { type: "string" },
  keystore: { type: "string" },
  capacity: { type: "string" },
  dir: { type: "string" },
  "wep-name": { type: "string" },
  "wcp-name": { type: "string" },
  days: { type: "string" },
  undo: { type: "boolean" },
  garbage: { type: "boolean" },
  unknown: { type: "boolean" },
  yes: { type: "boolean" },
  "dry-run": { type: "boolean" },
  "older-than": { type: "string" },
  "no-urls": { type: "boolean" },
} as const satisfies ParseArgsConfig["options"];

type OptionName = keyof typeof OPTIONS;

const keys = () => import("./commands/keys.ts");
const db = () => import("./commands/db.ts");
const tx = () => import("./commands/tx.ts");
const tls = () => import("./commands/tls.ts");
const worker = () => import("./commands/worker.ts");
const delegation = () => import("./commands/delegation.ts");
const wep = () => import("./commands/wep.ts");
const queue = () => import("./commands/queue.ts");
const storage = () => import("./commands/storage.ts");

const COMMANDS: Readonly<Record<string, CommandEntry>> = {
  run: {
    usage: "",
    summary: "run the node",
    load: async () => (await import("./commands/run.ts")).run,
  },
  "config check": {
    usage: "[--json]",
    summary: "print the effective configuration, secrets masked",
    options: ["json"],
    load: async () => (await import("./commands/config-check.ts")).checkConfig,
  },
  doctor: {
    usage: "[--json]",
    summary: "look at all that the node depends on, and say what to do",
    options: ["json"],
    load: async () => (await import("./commands/doctor/doctor.ts")).doctor,
  },
  "keys new": {
    usage: "--out FILE --password-file FILE",
    summary: "make a new key, as an encrypted keystore",
    options: ["out", "password-file"],
    needsNoConfig: true,
    load: async () => (await keys()).newKey,
  },
  "keys import": {
    usage: "--out FILE --password-file FILE [--from-env NAME]",
    summary: "make a keystore of a raw key on standard input",
    options: ["out", "password-file", "from-env"],
    needsNoConfig: true,
    load: async () => (await keys()).importKey,
  },
  "keys address": {
    usage: "[--keystore FILE]",
    summary: "print the address of the key",
    options: ["keystore"],
    load: async () => (await keys()).keyAddress,
  },
  "tls init": {
    usage: "--dir DIR --wep-name NAME[,NAME] [--wcp-name NAME] [--days N]",
    summary: "make a private CA, and certificates for WEP and WCP",
    options: ["dir", "wep-name", "wcp-name", "days"],
    needsNoConfig: true,
    load: async () => (await tls()).initTls,
  },
  "tls show": {
    usage: "FILE",
    summary: "what a certificate is for, who signed it, and until when",
    args: [1, 1],
    needsNoConfig: true,
    load: async () => (await tls()).showTls,
  },
  "tls renew": {
    usage: "FILE [--dir CA-DIR] [--days N]",
    summary: "the same certificate anew, from the same CA",
    options: ["dir", "days"],
    args: [1, 1],
    needsNoConfig: true,
    load: async () => (await tls()).renewTls,
  },
  register: {
    usage: "[--capacity N] [--wait 5m]",
    summary: "register the wallet as a worker, or change its capacity",
    options: ["capacity", "wait"],
    load: async () => (await worker()).register,
  },
  deactivate: {
    usage: "[--wait 5m]",
    summary: "stop further claims by the wallet, on chain",
    options: ["wait"],
    load: async () => (await worker()).deactivate,
  },
  "delegation show": {
    usage: "",
    summary: "whom the wallet's address delegates to (EIP-7702)",
    load: async () => (await delegation()).showDelegation,
  },
  "delegation revoke": {
    usage: "[--wait 5m]",
    summary: "take the delegation back",
    options: ["wait"],
    load: async () => (await delegation()).revokeDelegation,
  },
  "tx ls": {
    usage: "[--all] [--json]",
    summary: "the wallet's transactions that are under way, or all",
    options: ["all", "json"],
    load: async () => (await tx()).listTransactions,
  },
  "tx show": {
    usage: "KEY|NONCE|HASH [--json]",
    summary: "all about one transaction",
    options: ["json"],
    args: [1, 1],
    load: async () => (await tx()).showTransaction,
  },
  "tx bump": {
    usage: "NONCE [--wait 30s]",
    summary: "have the node replace it with higher fees",
    options: ["wait"],
    args: [1, 1],
    load: async () => (await tx()).orderCommand("bump"),
  },
  "tx cancel": {
    usage: "NONCE [--wait 30s]",
    summary: "have the node replace it with one that does nothing",
    options: ["wait"],
    args: [1, 1],
    load: async () => (await tx()).orderCommand("cancel"),
  },
  "tx rebroadcast": {
    usage: "NONCE [--wait 30s]",
    summary: "have the node send it again as it is",
    options: ["wait"],
    args: [1, 1],
    load: async () => (await tx()).orderCommand("rebroadcast"),
  },
  "wep ls": {
    usage: "[--json]",
    summary: "the WEPs of the running node",
    options: ["json"],
    load: async () => (await wep()).listWeps,
  },
  "wep show": {
    usage: "URL [--json]",
    summary: "all about one WEP, and what runs there",
    options: ["json"],
    args: [1, 1],
    load: async () => (await wep()).showWep,
  },
  "wep drain": {
    usage: "URL [--undo] [--json]",
    summary: "assign nothing new there, or again",
    options: ["undo", "json"],
    args: [1, 1],
    load: async () => (await wep()).drainWep,
  },
  "wep ping": {
    usage: "URL [--json]",
    summary: "how long a WEP takes to answer",
    options: ["json"],
    args: [1, 1],
    load: async () => (await wep()).pingWep,
  },
  "queue ls": {
    usage: "[--json]",
    summary: "the queues of the running node",
    options: ["json"],
    load: async () => (await queue()).listQueues,
  },
  "queue pause": {
    usage: "NAME [--json]",
    summary: "claim nothing more of a queue",
    options: ["json"],
    args: [1, 1],
    load: async () => (await queue()).pauseCommand("pause"),
  },
  "queue resume": {
    usage: "NAME [--json]",
    summary: "claim from it again",
    options: ["json"],
    args: [1, 1],
    load: async () => (await queue()).pauseCommand("resume"),
  },
  "storage ls": {
    usage: "[--garbage] [--unknown --older-than 7d] [--json]",
    summary: "what runs have written, and what it is good for",
    options: ["garbage", "unknown", "older-than", "json"],
    load: async () => (await storage()).listStorage,
  },
  "storage gc": {
    usage: "[--yes | --dry-run] [--older-than 1h] [--unknown] [--json]",
    summary: "remove what failed runs left, or say what that is",
    options: ["yes", "dry-run", "unknown", "older-than", "json"],
    load: async () => (await storage()).collectGarbage,
  },
  "record show": {
    usage: "ID [--no-urls]",
    summary: "an activity's run, as a document for wep replay",
    options: ["no-urls"],
    args: [1, 1],
    load: async () => (await import("./commands/record.ts")).showRecordedRun,
  },
  "db ls": {
    usage: "[PREFIX] [--json]",
    summary: "records: claim_job: inflight: tx: done: nonce:last",
    options: ["json"],
    args: [0, 1],
    load: async () => (await db()).listRecords,
  },
  "db show": {
    usage: "KEY",
    summary: "one record, as JSON",
    args: [1, 1],
    load: async () => (await db()).showRecord,
  },
  "db backup": {
    usage: "FILE",
    summary: "copy the database, while the node runs or not",
    args: [1, 1],
    load: async () => (await db()).backUp,
  },
};

const NAMES = Object.keys(COMMANDS);
/** A longer call has its summary on the next line. */
const WIDEST = 42;

const USAGE = `wcp: the worker client process. Claims activities and settles results; holds the wallet's key.

${usageLines(NAMES)}
  wcp --help | --version

Every command but keys new, keys import and tls takes --config FILE. The configuration is FILE,
or configs/{ENVIRONMENT}.toml (ENVIRONMENT defaults to "local"). WCP__SECTION__KEY in the
environment overrides section.key; secrets belong there. Exit codes: 0 done, 1 fault, or a node
that would not run (doctor), 75 try again later, 78 bad configuration.
`;

function usageLines(names: readonly string[]): string {
  const calls = names.map((name) => {
    const entry = COMMANDS[name];
    const config = entry?.needsNoConfig === true ? "" : name === "run" ? "[--config FILE]" : "";
    return ["wcp", name, entry?.usage ?? "", config].filter((part) => part !== "").join(" ");
  });
  const width = Math.max(...calls.map((call) => (call.length > WIDEST ? 0 : call.length)));
  return calls
    .map((call, index) => {
      const summary = COMMANDS[names[index] ?? ""]?.summary ?? "";
      const gap = call.length > width ? `\n${" ".repeat(width + 4)}` : "  ";
      return `  ${call.padEnd(width)}${gap}${summary}`;
    })
    .join("\n");
}

export type Parsed =
  | { readonly kind: "print"; readonly text: string }
  | {
      readonly kind: "command";
      /** `tx ls` */
      readonly name: string;
      readonly load: () => Promise<RunCommand>;
      readonly input: Pick<Invocation, "args" | "options">;
    };

/** Reads the command line. @throws {StartupError} exit code 78 with the usage when it makes no sense */
export function parseCommand(argv: readonly string[]): Parsed {
  const { values, positionals } = parse(argv);
  if (values.version === true) return { kind: "print", text: "wcp 0.1.0\n" };
  const name = nameOf(positionals);
  if (values.help === true) return { kind: "print", text: helpOf(name, positionals) };
  const entry = name === undefined ? undefined : COMMANDS[name];
  if (name === undefined || entry === undefined) throw unknownCommand(positionals);
  const args = positionals.slice(name.split(" ").length);
  const problem = problemOf(entry, { args, given: Object.keys(values) });
  if (problem !== undefined) {
    throw new StartupError(EXIT.badConfig, `${problem}\n\n${usageLines([name])}\n`);
  }
  return { kind: "command", name, load: entry.load, input: { args, options: values } };
}

function problemOf(
  { options = [], args: [least, most] = [0, 0], needsNoConfig }: CommandEntry,
  { args, given }: { readonly args: readonly string[]; readonly given: readonly string[] },
): string | undefined {
  const known: readonly string[] = needsNoConfig === true ? options : [...options, "config"];
  const foreign = given.find((option) => !known.includes(option));
  if (foreign !== undefined) return `this command has no option --${foreign}`;
  if (args.length < least) return "an argument is missing";
  if (args.length > most) return `there is one argument too many: "${args[most] ?? ""}"`;
  return undefined;
}

function nameOf([first = "", second]: readonly string[]): string | undefined {
  const both = `${first} ${second ?? ""}`;
  if (Object.hasOwn(COMMANDS, both)) return both;
  return Object.hasOwn(COMMANDS, first) ? first : undefined;
}

function unknownCommand(positionals: readonly string[]): StartupError {
  const [first = "", second] = positionals;
  if (first === "") return new StartupError(EXIT.badConfig, `say what to do: wcp run\n\n${USAGE}`);
  const group = NAMES.filter((name) => name.startsWith(`${first} `));
  if (second === undefined && group.length > 0) {
    return new StartupError(EXIT.badConfig, `wcp ${first} what?\n\n${usageLines(group)}\n`);
  }
  const given = second === undefined ? first : `${first} ${second}`;
  const near = suggest(given, NAMES, " ") ?? suggest(first, NAMES, " ");
  const hint = near === undefined ? "" : `; did you mean wcp ${near}?`;
  return new StartupError(EXIT.badConfig, `wcp does not know the command "${given}"${hint}\n\n${USAGE}`);
}

function helpOf(name: string | undefined, [first = ""]: readonly string[]): string {
  if (name !== undefined) return `${usageLines([name])}\n`;
  const group = NAMES.filter((other) => other.startsWith(`${first} `));
  return first !== "" && group.length > 0 ? `${usageLines(group)}\n` : USAGE;
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], allowPositionals: true, options: OPTIONS });
  } catch (error) {
    throw new StartupError(
      EXIT.badConfig,
      `${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`,
    );
  }
}
