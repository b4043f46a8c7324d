import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { currentRun, defineHandler, defineMiddleware } from "../src/index.ts";
import { assignment, TestStream } from "./_stream.ts";
import { resultOf, startWep } from "./_wep.ts";

const use = [
  defineMiddleware(async ({ input }, next) => ({
    ...((await next({ ...(input as object), by: "server" })) as object),
    kind: currentRun().kind,
  })),
];

it("of a server is around the handlers in its process", async () => {
  const echo = defineHandler<{ by: string }>({ kind: "echo", version: "1.0.0", run: ({ by }) => ({ by }) });
  await using wep = await startWep({ handlers: [echo], use });
  await using stream = await TestStream.open(wep.port);
  stream.send("assign", assignment({ taskKind: "echo" }));
  expect(resultOf(await stream.next("completion"))).toEqual({ by: "server", kind: "echo" });
});

it("of a server is refused where handlers are in threads, which it cannot reach", async () => {
  const modules = [fileURLToPath(new URL("_outcome-handlers.ts", import.meta.url))];
  await expect(startWep({ modules, use })).rejects.toThrow(
    /\[INVALID_OPTION\] use is for handlers in this thread.*export the middleware from each module/,
  );
});
