import { once } from "node:events";
import { createServer } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { listenOps, type OpsServer, Registry } from "@subnet-worker/kit";
import { createDeferred } from "@subnet-worker/testkit";
import { afterEach, describe, expect, it } from "vitest";
import { tail, type TailOptions } from "../src/commands/tail.ts";
import { formatEvent, type TailEvent } from "../src/commands/tail-format.ts";
import { startWep } from "./_wep-process.ts";

const ID = `0x${"ab".repeat(32)}`;
const OTHER = `0x${"cd".repeat(32)}`;

const at = (envelope: Record<string, Record<string, unknown>>, direction: "in" | "out" = "in") =>
  formatEvent({ direction, atMs: Date.UTC(2026, 10, 21, 15, 4, 5, 67), peer: "127.0.0.1:5", envelope });

describe("a line for people", () => {
  it.each([
    [
      { hello: { min: "1.0.0", max: "1.1.0", agent: "a/1", nodeId: "0xee" } },
      "1.0.0 to 1.1.0, a/1, node 0xee, 127.0.0.1:5",
    ],
    [
      { capabilities: { maxConcurrency: 4, tags: ["x", "y"], kinds: [{}, {}] } },
      "4 slots, tags x y, 2 kinds",
    ],
    [
      { capabilities: { maxConcurrency: 5, classes: [{ name: "gpu", maxConcurrency: 1 }] } },
      "5 slots, gpu 1, any kind",
    ],
    [{ capacity: {} }, "0 free"],
    [{ progress: { percent: 40, message: "half", checkpointRef: "c/1" } }, "40%, half, checkpoint c/1"],
    [
      { completion: { status: "SUCCESS", resultInline: "<12 bytes>", latencyMs: "7" } },
      "SUCCESS, <12 bytes>, 7 ms",
    ],
    [
      { completion: { status: "ERROR", errorCode: 2001, error: "no", retryable: true } },
      "ERROR, 2001, no, retryable, 0 ms",
    ],
    [
      { uploadRequest: { name: "a.png", mediaType: "image/png", sizeBytes: "9" } },
      "a.png, image/png, 9 bytes",
    ],
    [{ inventory: { runs: [{ runId: "r1", state: "running" }] } }, "1 runs, r1 running"],
    [{ somethingNew: { x: 1 } }, '{"x":1}'],
  ])("of %j says %s", (envelope, detail) => {
    expect(at(envelope).slice(62)).toBe(detail);
  });

  it("has time, direction, message, activity and run, each in its column", () => {
    const assign = {
      activityId: ID,
      runId: "5b1c7e0a-9d6f",
      taskKind: "k",
      taskVersion: "1.0.0",
      attempt: 2,
    };
    expect(at({ assign })).toBe(
      "15:04:05.067  in  <-  assign          0xabababab  5b1c7e0a-9  k 1.0.0, attempt 2, 0 inputs",
    );
    expect(at({ ack: { activityId: ID, runId: "r" } }, "out")).toBe(
      "15:04:05.067  out ->  ack             0xabababab  r",
    );
  });

  it("lets nobody move the cursor, and tells what is missing", () => {
    expect(at({ progress: { message: "a\u001b[2Jb\r\nc\u009bd" } })).toContain("0%, a [2Jb c d");
    expect(formatEvent({ lost: 12 })).toContain("12 messages are not shown");
  });
});

const about = (activityId: string, percent: number): TailEvent => ({
  direction: "out",
  atMs: 0,
  envelope: { progress: { activityId, runId: "r", percent } },
});

/** A health server whose events the test makes. */
class Source implements AsyncDisposable {
  readonly #listeners = new Set<(event: object) => void>();
  readonly #server: OpsServer;
  #isHeard = createDeferred();

  private constructor(server: OpsServer, listeners: Set<(event: object) => void>) {
    this.#server = server;
    this.#listeners = listeners;
  }

  static async start(): Promise<Source> {
    const listeners = new Set<(event: object) => void>();
    const tapped = { now: () => {} };
    const server = await listenOps(
      { port: 0 },
      {
        notReady: () => [],
        metrics: new Registry(),
        tap: (listener) => {
          listeners.add(listener);
          tapped.now();
          return { [Symbol.dispose]: () => void listeners.delete(listener) };
        },
      },
    );
    const source = new Source(server, listeners);
    tapped.now = () => source.#isHeard.resolve();
    return source;
  }

  get url(): string {
    return this.#server.url;
  }

  /** Resolves when somebody follows. */
  get isHeard(): Promise<void> {
    return this.#isHeard.promise;
  }

  emit(event: object): void {
    for (const listener of this.#listeners) listener(event);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve(this.#server[Symbol.asyncDispose]());
  }
}

describe("wep tail", () => {
  const stops: AbortController[] = [];

  afterEach(() => {
    for (const stop of stops.splice(0)) stop.abort();
  });

  function follow(options: Partial<TailOptions> & { readonly url: string }, most: number) {
    const stop = new AbortController();
    stops.push(stop);
    const lines: string[] = [];
    const full = createDeferred<readonly string[]>();
    const write = async (line: string) => {
      if (lines.push(line) === most) full.resolve(lines);
    };
    const ended = tail({ activity: undefined, isJson: false, ...options }, write, stop.signal);
    ended.catch(() => undefined); // looked at by the test, later
    return { lines: full.promise, ended, stop: () => stop.abort() };
  }

  it("shows each event on a line, and ends when it is told to", async () => {
    await using source = await Source.start();
    const { lines, ended, stop } = follow({ url: source.url }, 2);
    await source.isHeard;
    source.emit(about(ID, 1));
    source.emit({ lost: 3 });
    expect(await lines).toEqual([
      "00:00:00.000  out ->  progress        0xabababab  r           1%",
      expect.stringMatching(/^-- 3 messages are not shown/),
    ]);
    stop();
    await ended;
  });

  it("with --activity shows what is about that one, and what was lost; with --json as it came", async () => {
    await using source = await Source.start();
    const { lines } = follow({ url: source.url, activity: ID.slice(0, 6), isJson: true }, 3);
    await source.isHeard;
    const events = [
      about(OTHER, 1),
      about(ID, 2),
      { direction: "in", atMs: 0, envelope: { hello: { nodeId: ID } } },
      { ...about(OTHER, 3), peer: ID },
      { lost: 1, activity: ID },
      about(ID, 4),
    ];
    for (const event of events) source.emit(event);
    const seen = (await lines).map((line) => JSON.parse(line) as unknown);
    expect(seen).toEqual([events[1], events[4], events[5]]);
  });

  it("says so when the WEP ends", async () => {
    const source = await Source.start();
    const { ended } = follow({ url: source.url }, 1);
    await source.isHeard;
    await source[Symbol.asyncDispose]();
    await expect(ended).rejects.toMatchObject({
      exitCode: 75,
      message: expect.stringContaining("it has stopped, or was restarted"),
    });
  });

  it("as a program tells people in plain words, and ends with the code", async () => {
    await using program = startWep(["tail", "--url", "7071"]);
    expect(await program.exited).toBe(78);
    expect(program.text).toEqual({
      stdout: "",
      stderr: expect.stringMatching(/^wep: --url: "7071" is not a URL/),
    });
  });

  it("as a program ends without a word when nobody reads it any more", async () => {
    await using source = await Source.start();
    await using program = startWep(["tail", "--url", source.url]);
    await source.isHeard;
    program.child.stdout?.destroy();
    while (program.child.exitCode === null) {
      source.emit(about(ID, 1));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect([await program.exited, program.text.stderr]).toEqual([0, ""]);
  });

  it("says what is wrong with the URL, or with what answers there", async () => {
    const other = createServer((_, response) => response.writeHead(404).end("no"));
    const refusing = createServer((_, response) => response.writeHead(403).end('{"error":"not you"}'));
    const stream = createHttp2Server();
    for (const server of [other, refusing, stream]) await once(server.listen(0, "127.0.0.1"), "listening");
    const urlOf = (server: { address(): unknown }) =>
      `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const urls = { other: urlOf(other), refusing: urlOf(refusing), stream: urlOf(stream) };
    const told = async (url: string) => {
      const { ended } = follow({ url }, 1);
      return ended.then(
        () => undefined,
        (error: { exitCode: number; message: string }) => [error.exitCode, error.message],
      );
    };
    expect(await told("7071")).toEqual([78, expect.stringContaining("write it like http://127.0.0.1:7071")]);
    expect(await told(urls.other)).toEqual([1, expect.stringContaining("serves no events")]);
    expect(await told(urls.refusing)).toEqual([1, `${urls.refusing} refuses: not you`]);
    expect(await told(urls.stream)).toEqual([1, expect.stringContaining("not with HTTP/1.1")]);
    for (const server of [other, refusing, stream]) server.close();
    expect(await told(urls.other)).toEqual([75, expect.stringContaining(`no WEP answers at ${urls.other}`)]);
  });
});
