import { describe, expect, it } from "vitest";
import { parseCommand } from "../src/cli.ts";
import { configInputOf } from "../src/commands/run.ts";
import { startWep } from "./_wep-process.ts";

describe("the command line", () => {
  it("reads what to run", () => {
    const argv = ["run", "--handlers", "a.ts", "--handlers", "b.js", "--config", "x.yaml", "--port", "0"];
    expect(inputOf(argv)).toEqual({
      configPath: "x.yaml",
      handlerModules: ["a.ts", "b.js"],
      env: { WEP__SERVER__PORT: "0", HOME: "/h" },
      cwd: "/w",
    });
    expect(inputOf(["run"])).toEqual({
      configPath: undefined,
      handlerModules: [],
      env: { HOME: "/h" },
      cwd: "/w",
    });
  });

  it("reads whom to follow", () => {
    expect(parseCommand(["tail", "--url", "http://h:1", "--activity", "0xab", "--json"])).toMatchObject({
      kind: "command",
      name: "tail",
      input: { args: [], options: { url: "http://h:1", activity: "0xab", json: true } },
    });
  });

  it.each([
    [["--help"], /^wep: .*\n\nUsage: wep COMMAND/],
    [["help"], /^ {2}wep run {2,}run handlers for a worker client/m],
    [["run", "-h"], /^Usage: wep run .*--port NUMBER {2,}gRPC port/s],
    [["help", "run"], /^Usage: wep run /],
    [["run", "--handlers", "a.ts", "--help"], /^Usage: wep run /],
    [["help", "spec"], /^ {2}wep spec check FILE\.\.\. +say what is wrong/m],
    [["spec", "--help"], /^ {2}wep spec decode FILE ACTIVITY/m],
    [["help", "wasm"], /^ {2}wep wasm run FILE \[options\] +run a module or component/m],
    [["wasm", "run", "--help"], /--profile FILE\.svg +writes a flame graph/],
    [["help", "tail"], /Example: wep tail --activity 0x12ab34cd\n$/],
    [["--version"], /^\d+\.\d+\.\d+\n$/],
    [["run", "--version"], /^\d+\.\d+\.\d+\n$/],
  ])("prints %j", (argv, text) => {
    expect(parseCommand(argv)).toEqual({ kind: "print", text: expect.stringMatching(text) });
  });

  it.each([
    [[], "no command given"],
    [["serve"], "no such command: serve"],
    [["rum"], "no such command: rum; did you mean wep run?"],
    [["help", "tale"], "no such command: tale; did you mean wep tail?"],
    [["run", "handlers.ts"], "unexpected argument: handlers.ts (handler modules go after --handlers)"],
    [["run", "--handler", "a.ts"], "wep run has no option --handler; did you mean --handlers?"],
    [["run", "--config"], "--config"],
    [["run", "--activity", "0xab"], "wep run has no option --activity"],
    [["tail", "--port", "7"], "wep tail has no option --port"],
    [["tail", "0xab"], "unexpected argument: 0xab (an activity goes after --activity)"],
    [["spec", "chek"], "no such command: spec chek; did you mean wep spec check?"],
    [["send"], "an argument is missing"],
    [["--port", "7", "run"], "--port comes after a command"],
  ])("refuses %j with the usage", (argv, problem) => {
    expect(() => parseCommand(argv)).toThrow(problem);
    expect(() => parseCommand(argv)).toThrow("Usage: wep ");
  });

  it("asks which of several is meant", () => {
    expect(() => parseCommand(["spec"])).toThrow(/wep spec what\?\n\n {2}wep spec check/);
  });

  it("ends with 0 after --help and with 78 after nonsense", async () => {
    await using help = startWep(["--help"]);
    expect(await help.exited).toBe(0);
    expect(help.text.stdout).toContain("Usage: wep COMMAND");
    await using nonsense = startWep(["fly"]);
    expect(await nonsense.exited).toBe(78);
    expect(nonsense.text.stderr).toMatch(/^wep: \[BAD_USAGE\] no such command: fly/);
  });
});

/** What a `run` command line is turned into, somewhere else. */
function inputOf(argv: readonly string[]): unknown {
  const parsed = parseCommand(argv);
  if (parsed.kind !== "command" || parsed.name !== "run") throw new Error("this is not wep run");
  const nothing = (): void => undefined;
  const io = { env: { HOME: "/h" }, cwd: "/w", isTerminal: false, out: nothing, err: nothing };
  return configInputOf({ ...parsed.input, io });
}
