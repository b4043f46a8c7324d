import { expect, test } from "vitest";
import { createLogger } from "./logger.ts";

function logged(write: (logger: ReturnType<typeof createLogger>) => void): Record<string, unknown>[] {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  write(createLogger({ name: "wcp", level: "info", destination }));
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

test("a line is JSON with the time, the level's name, the component and its fields", () => {
  const [line] = logged((logger) =>
    logger.child({ activity_id: "0x1", run_id: "r" }).warn({ attempt: 2 }, "claim lost"),
  );
  expect(line).toMatchObject({
    level: "warn",
    component: "wcp",
    pid: process.pid,
    activity_id: "0x1",
    run_id: "r",
    attempt: 2,
    msg: "claim lost",
  });
  expect(new Date(String(line?.["time"])).toISOString()).toBe(line?.["time"]);
});

test("levels below the configured one are left out", () => {
  expect(logged((logger) => logger.debug("noise"))).toEqual([]);
});

test("an error keeps its message, stack and cause", () => {
  const [line] = logged((logger) =>
    logger.error({ err: new Error("outer", { cause: new Error("inner") }) }, "failed"),
  );
  expect(JSON.stringify(line)).toContain("outer: inner");
  expect(line?.["err"]).toMatchObject({
    type: "Error",
    stack: expect.stringContaining("logger.test.ts") as string,
  });
});

test("fields that hold secrets are not written", () => {
  const secret = "0xsecret";
  const lines = logged((logger) => {
    logger.info({ private_key: secret, password: secret, authorization: secret }, "a");
    logger.info({ storage: { secret_access_key: secret }, headers: { authorization: secret } }, "b");
  });
  expect(JSON.stringify(lines)).not.toContain(secret);
});
