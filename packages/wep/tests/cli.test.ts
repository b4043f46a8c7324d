import { describe, expect, it } from "vitest";
import { parseCommand } from "../src/cli.ts";
import { startWep } from "./_wep-process.ts";

describe("the command line", () => {
  it("reads what to run", () => {
    expect(
      parseCommand(["run", "--handlers", "a.ts", "--handlers", "b.js", "--config", "x.yaml", "--port", "0"]),
    ).toEqual({
      kind: "run",
      configPath: "x.yaml",
      handlerModules: ["a.ts", "b.js"],
      env: { WEP__SERVER__PORT: "0" },
    });
    expect(parseCommand(["run"])).toEqual({
      kind: "run",
      configPath: undefined,
      handlerModules: [],
      env: {},
    });
  });

  it("reads whom to follow", () => {
    expect(parseCommand(["tail"])).toEqual({
      kind: "tail",
      url: "http://127.0.0.1:7071",
      activity: undefined,
      isJson: false,
    });
    expect(parseCommand(["tail", "--url", "http://h:1", "--activity", "0xab", "--json"])).toEqual({
      kind: "tail",
      url: "http://h:1",
      activity: "0xab",
      isJson: true,
    });
  });

  it.each([
    [["--help"], /^Usage: wep run/],
    [["run", "-h"], /^Usage: wep run/],
    [["help"], /^Usage: wep run/],
    [["--version"], /^\d+\.\d+\.\d+\n$/],
  ])("prints %j", (argv, text) => {
    expect(parseCommand(argv)).toEqual({ kind: "print", text: expect.stringMatching(text) });
  });

  it.each([
    [[], "no command given"],
    [["serve"], "no such command: serve"],
    [["run", "handlers.ts"], "unexpected argument: handlers.ts (handler modules go after --handlers)"],
    [["run", "--handler", "a.ts"], "Unknown option '--handler'"],
    [["run", "--config"], "--config"],
    [["run", "--activity", "0xab"], "wep run has no option --activity"],
    [["tail", "--port", "7"], "wep tail has no option --port"],
    [["tail", "0xab"], "unexpected argument: 0xab (an activity goes after --activity)"],
  ])("refuses %j with the usage", (argv, problem) => {
    expect(() => parseCommand(argv)).toThrow(problem);
    expect(() => parseCommand(argv)).toThrow("Usage: wep run");
  });

  it("ends with 0 after --help and with 78 after nonsense", async () => {
    await using help = startWep(["--help"]);
    expect(await help.exited).toBe(0);
    expect(help.text.stdout).toContain("Usage: wep run");
    await using nonsense = startWep(["fly"]);
    expect(await nonsense.exited).toBe(78);
    expect(nonsense.text.stderr).toContain("no such command: fly");
  });
});
