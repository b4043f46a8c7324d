import { createLogger } from "@subnet-worker/kit";
import { describe, expect, it } from "vitest";
import { readableLine, readableLog } from "./readable-log.ts";

const line = (fields: object) =>
  `${JSON.stringify({ level: "info", time: "2026-11-02T10:15:00.123Z", component: "wep", pid: 1, ...fields })}\n`;

describe("a line for people", () => {
  it.each([
    ["the time, the level and the message", { msg: "wep listening" }, "10:15:00.123 INFO  wep listening"],
    [
      "fields, in quotes where they would run into each other",
      { level: "warn", msg: "slow", took_ms: 12, what: "a b", ids: [1], none: null, url: "http://x/y" },
      '10:15:00.123 WARN  slow  took_ms=12  what="a b"  ids=[1]  none=null  url=http://x/y',
    ],
    [
      "the stack of an error below it",
      {
        level: "error",
        msg: "died",
        err: { type: "TypeError", message: "odd", stack: "TypeError: odd\n    at x" },
      },
      "10:15:00.123 ERROR died\n    TypeError: odd\n    at x",
    ],
    [
      "an error that has no stack",
      { msg: "died", err: { type: "E", message: "odd" } },
      "10:15:00.123 INFO  died\n    E: odd",
    ],
  ])("has %s", (_, fields, text) => {
    expect(readableLine(line(fields))).toBe(text);
  });

  it("is left alone when it is no JSON", () => {
    expect(readableLine("Debugger attached.\n")).toBe("Debugger attached.");
  });

  it("is what a logger writes that has it as its destination", () => {
    let text = "";
    const log = createLogger({
      name: "wep",
      destination: readableLog({ write: (part) => void (text += part) }),
    });
    log.info({ port: 7070 }, "wep listening");
    expect(text).toMatch(/^\d\d:\d\d:\d\d\.\d{3} INFO {2}wep listening {2}port=7070\n$/);
  });
});
