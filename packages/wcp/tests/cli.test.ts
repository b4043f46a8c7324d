import { describe, expect, it } from "vitest";
import { parseCommand } from "../src/cli.ts";

const COMMANDS = [
  ["run"],
  ["config", "check"],
  ["doctor"],
  ["keys", "new"],
  ["keys", "import"],
  ["keys", "address"],
  ["register"],
  ["deactivate"],
  ["delegation", "show"],
  ["delegation", "revoke"],
  ["tx", "ls"],
  ["tx", "show", "7"],
  ["tx", "bump", "7"],
  ["tx", "cancel", "7"],
  ["tx", "rebroadcast", "7"],
  ["wep", "ls"],
  ["wep", "show", "http://127.0.0.1:7070"],
  ["wep", "drain", "http://127.0.0.1:7070"],
  ["wep", "ping", "http://127.0.0.1:7070"],
  ["queue", "ls"],
  ["queue", "pause", "audio/1.0.0/processing"],
  ["queue", "resume", "audio/1.0.0/processing"],
  ["storage", "ls"],
  ["storage", "gc"],
  ["record", "show", "0x01"],
  ["db", "ls", "tx:"],
  ["db", "show", "nonce:last"],
  ["db", "backup", "copy.db"],
];

describe("the command line", () => {
  it.each(COMMANDS.map((words) => [words.join(" "), words] as const))("knows wcp %s", (_, words) => {
    const parsed = parseCommand(words);
    expect(parsed).toMatchObject({ kind: "command", name: words.slice(0, parsedLength(words)).join(" ") });
  });

  it.each(COMMANDS.filter(([first]) => first !== "run").map((words) => [words.join(" "), words] as const))(
    "finds the code of wcp %s",
    async (_, words) => {
      const parsed = parseCommand(words);
      if (parsed.kind !== "command") throw new Error("it is a command");
      expect(await parsed.load()).toBeInstanceOf(Function);
    },
  );

  it("lists every command in its usage", () => {
    const parsed = parseCommand(["--help"]);
    if (parsed.kind !== "print") throw new Error("help is printed");
    for (const words of COMMANDS) {
      const name = words.slice(0, parsedLength(words)).join(" ");
      expect(parsed.text).toMatch(new RegExp(`^  wcp ${name}\\b`, "m"));
    }
    expect(parsed.text.split("\n").every((line) => line.length <= 100)).toBe(true);
  });

  it("shows one command's or one group's own lines when asked about it", () => {
    expect(parseCommand(["tx", "show", "--help"])).toEqual({
      kind: "print",
      text: "  wcp tx show KEY|NONCE|HASH [--json]  all about one transaction\n",
    });
    const group = parseCommand(["db", "-h"]);
    expect(group.kind === "print" && group.text.trim().split("\n")).toHaveLength(3);
  });

  it.each([
    [["dctor"], "did you mean wcp doctor?"],
    [["tx", "lss"], "did you mean wcp tx ls?"],
    [["key", "new"], "did you mean wcp keys new?"],
    [["registr"], "did you mean wcp register?"],
    [["frobnicate"], 'wcp does not know the command "frobnicate"\n'],
    [[], "say what to do: wcp run"],
    [["tx"], "wcp tx what?"],
    [["tx", "show"], "an argument is missing"],
    [["tx", "show", "1", "2"], 'there is one argument too many: "2"'],
    [["run", "now"], 'there is one argument too many: "now"'],
    [["run", "--json"], "this command has no option --json"],
    [["keys", "new", "--config", "x"], "this command has no option --config"],
    [["run", "--configuration", "x"], "wcp run [--config FILE]"],
    [["constructor"], 'wcp does not know the command "constructor"'],
  ])("refuses %j with exit code 78", (argv, message) => {
    expect(() => parseCommand(argv)).toThrow(message);
    expect(() => parseCommand(argv)).toThrow(expect.objectContaining({ exitCode: 78 }));
  });

  it("hands arguments and options on", () => {
    expect(parseCommand(["tx", "bump", "7", "--wait", "5s", "--config", "x.toml"])).toMatchObject({
      input: { args: ["7"], options: { wait: "5s", config: "x.toml" } },
    });
  });
});

function parsedLength([first = ""]: readonly string[]): number {
  return ["run", "doctor", "register", "deactivate"].includes(first) ? 1 : 2;
}
