import { suggest } from "@subnet-worker/kit/config";
import { parseArgs } from "node:util";
import {
  type CommandEntry,
  type Invocation,
  misuse,
  type OptionEntry,
  type RunCommand,
} from "./commands/command.ts";

/** Commands by name, which is one word or two: `run`, `spec check`. */
export type CommandTable = Readonly<Record<string, CommandEntry>>;

/** What a command line asks for. */
export type Parsed =
  | { readonly kind: "print"; readonly text: string }
  | {
      readonly kind: "command";
      readonly name: string;
      readonly load: () => Promise<RunCommand>;
      readonly input: Pick<Invocation, "args" | "options">;
    };

/** What a program is called, and says of itself. */
export interface Program {
  readonly name: string;
  /** One sentence. */
  readonly about: string;
  readonly version: string;
  /** Ends the overview. */
  readonly more: string;
  readonly commands: CommandTable;
}

/**
 * Reads a command line.
 *
 * @throws {StartupError} exit code 78 with what to write, when it makes no sense
 */
export function parseCommandLine(program: Program, argv: readonly string[]): Parsed {
  const [first] = argv;
  if (first === undefined) throw misuse(`no command given\n\n${overview(program)}`);
  if (first === "help") return { kind: "print", text: helpOf(program, argv.slice(1)) };
  if (first.startsWith("-")) return parseBare(program, first);
  const name = nameOf(program.commands, argv);
  if (name === undefined) {
    if (argv.some(isHelp)) return { kind: "print", text: helpOf(program, argv) };
    throw unknownCommand(program, argv);
  }
  return parseOwn(program, name, argv.slice(name.split(" ").length));
}

/** An option with no command before it. */
function parseBare(program: Program, option: string): Parsed {
  if (isHelp(option)) return { kind: "print", text: overview(program) };
  if (option === "--version" || option === "-v") return { kind: "print", text: `${program.version}\n` };
  throw misuse(`${option} comes after a command, as in ${program.name} run\n\n${overview(program)}`);
}

function parseOwn(program: Program, name: string, argv: readonly string[]): Parsed {
  const entry = program.commands[name];
  if (entry === undefined) throw unknownCommand(program, [name]);
  const { options = {}, args: [least, most] = [0, 0], advice } = entry;
  const wrong = (problem: string) => misuse(`${problem}\n\n${commandHelp(program, name, entry)}`);
  const unknown = unknownOption(options, argv);
  if (unknown !== undefined) throw wrong(`${program.name} ${name} has no option ${unknown}`);
  const { values, positionals: args } = parseStrictly(options, argv, wrong);
  if (values["version"] === true) return { kind: "print", text: `${program.version}\n` };
  if (values["help"] === true) return { kind: "print", text: commandHelp(program, name, entry) };
  if (args.length < least) throw wrong("an argument is missing");
  if (args.length > most) {
    throw wrong(
      `unexpected argument: ${args.slice(most).join(" ")}${advice === undefined ? "" : ` (${advice})`}`,
    );
  }
  return { kind: "command", name, load: entry.load, input: { args, options: values } };
}

function parseStrictly(
  options: Readonly<Record<string, OptionEntry>>,
  argv: readonly string[],
  wrong: (problem: string) => Error,
) {
  try {
    return parseArgs({ args: [...argv], allowPositionals: true, options: toParseOptions(options) });
  } catch (error) {
    throw wrong(error instanceof Error ? error.message : String(error));
  }
}

function toParseOptions(options: Readonly<Record<string, OptionEntry>>) {
  const own = Object.entries(options).map(([name, { value, isMultiple = false }]) => {
    const type = value === undefined ? ("boolean" as const) : ("string" as const);
    return [name, { type, multiple: isMultiple }] as const;
  });
  return {
    ...Object.fromEntries(own),
    help: { type: "boolean" as const, short: "h" },
    version: { type: "boolean" as const, short: "v" },
  };
}

/** The first option that is none of the command's, with the one that was meant. */
function unknownOption(
  options: Readonly<Record<string, OptionEntry>>,
  argv: readonly string[],
): string | undefined {
  const parsed = { ...toParseOptions(options) };
  const { tokens } = parseArgs({
    args: [...argv],
    options: parsed,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const found = tokens.find((token) => token.kind === "option" && !Object.hasOwn(parsed, token.name));
  if (found?.kind !== "option") return undefined;
  const near = suggest(found.name, Object.keys(parsed), ".");
  return near === undefined ? found.rawName : `${found.rawName}; did you mean --${near}?`;
}

function nameOf(commands: CommandTable, [first = "", second = ""]: readonly string[]): string | undefined {
  const both = `${first} ${second}`;
  if (Object.hasOwn(commands, both)) return both;
  return Object.hasOwn(commands, first) ? first : undefined;
}

function unknownCommand(program: Program, words: readonly string[]): Error {
  const [first = "", second = ""] = words;
  const names = Object.keys(program.commands);
  const group = names.filter((name) => name.startsWith(`${first} `));
  const given = group.length > 0 && second !== "" ? `${first} ${second}` : first;
  if (group.length > 0 && (second === "" || second.startsWith("-"))) {
    return misuse(`${program.name} ${first} what?\n\n${usageLines(program, group)}\n`);
  }
  const near = suggest(given, names, " ");
  const hint = near === undefined ? "" : `; did you mean ${program.name} ${near}?`;
  return misuse(`no such command: ${given}${hint}\n\n${overview(program)}`);
}

function helpOf(program: Program, words: readonly string[]): string {
  const asked = words.filter((word) => !word.startsWith("-"));
  const [first] = asked;
  if (first === undefined) return overview(program);
  const name = nameOf(program.commands, asked);
  const entry = name === undefined ? undefined : program.commands[name];
  if (name !== undefined && entry !== undefined) return commandHelp(program, name, entry);
  const group = Object.keys(program.commands).filter((each) => each.startsWith(`${first} `));
  if (group.length > 0 && asked.length === 1) return `${usageLines(program, group)}\n`;
  throw unknownCommand(program, asked);
}

function overview(program: Program): string {
  const { name, about, commands, more } = program;
  const lines = Object.entries(commands).map(([each, { summary }]) => [`${name} ${each}`, summary] as const);
  return `${name}: ${about}\n\nUsage: ${name} COMMAND [options]\n\n${columns(lines)}

${name} help COMMAND tells more of one; ${name} --version tells the version.\n${more}`;
}

function commandHelp(
  program: Program,
  name: string,
  { usage, summary, options = {}, more }: CommandEntry,
): string {
  const lines = Object.entries(options).map(
    ([option, { value, isMultiple, about }]) =>
      [
        `--${option}${value === undefined ? "" : ` ${value}`}`,
        `${about}${isMultiple === true ? "; may be repeated" : ""}`,
      ] as const,
  );
  const call = [program.name, name, usage].filter((part) => part !== "").join(" ");
  const parts = [`Usage: ${call}`, sentence(summary), columns(lines), more?.trimEnd() ?? ""];
  return `${parts.filter((part) => part !== "").join("\n\n")}\n`;
}

function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;
}

/** A longer call has its summary on the next line. */
const WIDEST = 34;

function usageLines({ name: program, commands }: Program, names: readonly string[]): string {
  return columns(
    names.map((name) => {
      const { usage = "", summary = "" } = commands[name] ?? {};
      return [[program, name, usage].filter((part) => part !== "").join(" "), summary] as const;
    }),
  );
}

function columns(rows: readonly (readonly [left: string, right: string])[]): string {
  const width = Math.max(0, ...rows.map(([left]) => (left.length > WIDEST ? 0 : left.length)));
  return rows
    .map(([left, right]) => {
      const gap = left.length > width ? `\n${" ".repeat(width + 4)}` : "  ";
      return `  ${left.padEnd(width)}${gap}${right}`;
    })
    .join("\n");
}

function isHelp(word: string): boolean {
  return word === "--help" || word === "-h";
}
