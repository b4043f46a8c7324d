import { describe, expect, it } from "vitest";
import { type Activity, defineActivity, defineHandler, defineMiddleware, TerminalError } from "../index.ts";
import { runHandler } from "./index.ts";

const NAMED: Activity<{ readonly name: string }, object> = defineActivity({
  kind: "named",
  version: "1.0.0",
  inputs: [{ name: "name", type: "string" }],
  outputs: [],
});

describe("middleware", () => {
  const events: string[] = [];
  const named = (name: string) =>
    defineMiddleware(async (_, next) => {
      events.push(`${name} in`);
      try {
        return await next();
      } catch (error) {
        events.push(`${name} saw ${(error as Error).message}`);
        throw error;
      } finally {
        events.push(`${name} out`);
      }
    });
  const handler = defineHandler<{ fails: boolean }>({
    kind: "inner",
    version: "1.0.0",
    use: [named("a"), named("b")],
    run({ fails }) {
      events.push("run");
      if (fails) throw new TerminalError("broken", { code: "QUOTA_EXCEEDED" });
      return { done: true };
    },
  });

  it("is around the handler, the outermost first", async () => {
    events.length = 0;
    const run = await runHandler(handler, { inputs: { fails: false }, use: [named("server")] });
    expect(run.outputs).toEqual({ done: true });
    expect(events).toEqual(["server in", "a in", "b in", "run", "b out", "a out", "server out"]);
  });

  it("sees errors go by", async () => {
    events.length = 0;
    const { error } = await runHandler(handler, { inputs: { fails: true } });
    expect(error).toMatchObject({ code: 2004, message: "broken" });
    expect(events).toEqual(["a in", "b in", "run", "b saw broken", "b out", "a saw broken", "a out"]);
  });

  it("may change input and output, answer in its place, call again, and sees what is valid", async () => {
    const inputs: unknown[] = [];
    const use = [
      defineMiddleware(async ({ input, handler: { kind }, ctx }, next) => {
        inputs.push([kind, ctx.runId, input]);
        return { ...((await next({ n: 5 })) as object), twice: await next({ n: 6 }) };
      }),
    ];
    const echo = defineHandler<{ n: number }>({
      kind: "echo",
      version: "1.0.0",
      use,
      run: ({ n }) => ({ n }),
    });
    const run = await runHandler(echo, { inputs: { n: 1 } });
    expect(run.outputs).toEqual({ n: 5, twice: { n: 6 } });
    expect(inputs).toEqual([["echo", "test-run", { n: 1 }]]);
    const refusing = defineHandler(NAMED, { use, run: () => ({}) });
    expect((await runHandler(refusing, { inputs: {} as never })).error?.code).toBe(1002);
    expect(inputs).toHaveLength(1);
    expect(() => defineHandler({ kind: "a", version: "1.0.0", use: [5] as never, run: () => ({}) })).toThrow(
      /use is no list of middleware/,
    );
  });
});
