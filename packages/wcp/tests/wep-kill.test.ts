import { Code } from "@connectrpc/connect";
import { ScriptedWep, type WepStream } from "@subnet-worker/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { idOf } from "./_builders.ts";
import { completion, PoolBench } from "./_wep-bench.ts";
import { settle, until } from "./_until.ts";

interface Scene {
  readonly wep: ScriptedWep;
  readonly stream: WepStream;
}

/** Ways for a WEP to go, gently and otherwise. */
const WAYS: Readonly<Record<string, (scene: Scene) => unknown>> = {
  "its connection is reset": ({ wep }) => wep.cut(),
  "its HTTP/2 session breaks": ({ wep }) => wep.breakSessions(),
  "it says goaway and ends its stream": ({ wep, stream }) => {
    wep.goAway();
    stream.end();
  },
  "it says goaway and is cut": ({ wep }) => {
    wep.goAway();
    wep.cut();
  },
  "it ends its stream in order": ({ stream }) => stream.end(),
  "it fails its stream": ({ stream }) => stream.fail(Code.Internal, "a defect"),
  "it cancels its stream": ({ stream }) => stream.fail(Code.Canceled, "bye"),
  "it stops listening altogether": ({ wep }) => wep[Symbol.asyncDispose](),
};

/** Moments in the life of a stream, each after the one before. */
const MOMENTS: Readonly<Record<string, (stream: WepStream) => Promise<void> | void>> = {
  "as the stream opens": () => undefined,
  "after hello": async (stream) => void (await stream.next("hello")),
  "between hello_ack and capabilities": (stream) => stream.send("helloAck", { min: "1.0.0", max: "1.1.0" }),
  "with the capabilities on their way": (stream) => stream.send("capabilities", { maxConcurrency: 1 }),
  "with the assignment on its way": async (stream) => void (await stream.next("assign")),
  "in the middle of progress": (stream) => {
    for (let percent = 0; percent < 50; percent += 1) {
      stream.send("progress", { activityId: idOf(1), runId: "run-1", percent });
    }
  },
  "with an upload request on its way": (stream) =>
    stream.send("uploadRequest", { activityId: idOf(1), runId: "run-1", requestId: 1n, name: "a.png" }),
  "with pings on their way": (stream) => stream.send("ping", { nonce: 1n }),
};

/** The moment at which there has to be a run. */
const ASSIGNED_AT = 4;

describe("a WEP that is killed", () => {
  const unhandled: unknown[] = [];
  const collect = (error: unknown) => void unhandled.push(error);
  beforeAll(() => {
    process.on("unhandledRejection", collect).on("uncaughtException", collect);
  });
  afterAll(() => {
    process.off("unhandledRejection", collect).off("uncaughtException", collect);
  });

  it.each(Object.entries(WAYS))(
    "at any moment because %s harms nothing, and the run is done when it is back",
    async (_way, kill) => {
      const moments = Object.values(MOMENTS);
      for (let last = 0; last < moments.length; last += 1) {
        const first = await ScriptedWep.listen();
        await using bench = new PoolBench([first.url]).run();
        bench.onUpload = async ({ name }) => ({
          objectKey: name,
          url: "https://s",
          headers: {},
          expiresAtMs: 1,
        });
        const stream = await first.next();
        for (const [index, moment] of moments.slice(0, last + 1).entries()) {
          if (index === ASSIGNED_AT) {
            await bench.ready();
            bench.start();
          }
          await moment(stream);
        }
        await kill({ wep: first, stream });
        await first[Symbol.asyncDispose]();
        await until(() => bench.pool.stats().connected === 0);
        await using second = await ScriptedWep.listen(first.port);
        const again = await bench.reconnected(second);
        await again.welcome({ maxConcurrency: 1 });
        await bench.ready();
        if (last < ASSIGNED_AT) bench.start();
        await again.next("assign", ({ runId }) => runId === "run-1");
        again.send("completion", completion());
        await settle();
      }
      expect(unhandled).toEqual([]);
    },
  );

  it("over and over, at moments of its own choosing, is dialled again each time", async () => {
    const wep = await ScriptedWep.listen();
    await using bench = new PoolBench([wep.url]).run();
    const kills = Object.values(WAYS).slice(0, -1);
    for (let round = 0; round < 40; round += 1) {
      const stream = await bench.reconnected(wep);
      for (const moment of Object.values(MOMENTS).slice(0, round % (ASSIGNED_AT + 1))) await moment(stream);
      kills[round % kills.length]?.({ wep, stream });
      await stream.closed;
    }
    await (await bench.reconnected(wep)).welcome();
    await bench.ready();
    expect(unhandled).toEqual([]);
    await wep[Symbol.asyncDispose]();
  });

  it("as we stop leaves nothing behind", async () => {
    for (const kill of Object.values(WAYS)) {
      const wep = await ScriptedWep.listen();
      const bench = new PoolBench([wep.url]).run();
      const stream = await wep.next();
      await stream.welcome();
      await bench.ready();
      bench.start();
      await stream.next("assign");
      const stopped = bench.stop();
      await kill({ wep, stream });
      await stopped;
      await wep[Symbol.asyncDispose]();
    }
    expect(unhandled).toEqual([]);
  });
});
