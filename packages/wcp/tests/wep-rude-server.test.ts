// What connect-node and Node's HTTP/2 do when the other side misbehaves, on a raw server that does.
// Each has ended the process of somebody: see connectrpc/connect-es#683 and nodejs/node#35133.
import { createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from "node:net";
import { toBinary } from "@bufbuild/protobuf";
import { type Envelope, envelope, EnvelopeSchema } from "@subnet-worker/protocol";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { PoolBench, WISH } from "./_wep-bench.ts";
import { nextTurn, settle, until } from "./_until.ts";

/** A message with gRPC's prefix. */
function frame(message: Envelope): Buffer {
  const bytes = toBinary(EnvelopeSchema, message);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

const HEADERS = { ":status": 200, "content-type": "application/grpc+proto" };

/** An HTTP/2 server that does what it is told, gRPC or not. */
class RudeServer implements AsyncDisposable {
  readonly #server: Http2Server = createServer();
  readonly #sockets = new Set<Socket>();
  readonly sessions: ServerHttp2Session[] = [];
  readonly streams: ServerHttp2Stream[] = [];
  /** What happens to a stream. Default: a handshake as of a WEP that speaks 1.1.0. */
  onStream: (stream: ServerHttp2Stream) => void = welcome;

  static async listen(port = 0): Promise<RudeServer> {
    const rude = new RudeServer();
    const server = rude.#server;
    server.on("connection", (socket: Socket) => {
      rude.#sockets.add(socket);
      socket.on("error", () => undefined);
    });
    server.on("session", (session) => {
      rude.sessions.push(session);
      session.on("error", () => undefined);
    });
    server.on("stream", (stream) => {
      stream.on("error", () => undefined);
      stream.on("data", () => undefined);
      rude.streams.push(stream);
      rude.onStream(stream);
    });
    await new Promise<void>((resolve) => {
      server.listen(port, "127.0.0.1", resolve);
    });
    return rude;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
  }
}

function welcome(stream: ServerHttp2Stream): void {
  stream.respond(HEADERS);
  stream.write(frame(envelope("helloAck", { min: "1.0.0", max: "1.1.0", instanceId: "rude" })));
  stream.write(frame(envelope("capabilities", { maxConcurrency: 1 })));
}

interface Scene {
  readonly rude: RudeServer;
  readonly bench: PoolBench;
  readonly stream: ServerHttp2Stream;
  readonly session: ServerHttp2Session;
}

const NO_ERROR = 0;
const ENHANCE_YOUR_CALM = 11;

/** What a server may do to a stream that is up. Each ends the session; none may end the process. */
const RUDENESS: Readonly<Record<string, (scene: Scene) => unknown>> = {
  "says goaway on an idle connection and closes it": ({ stream, session }) => {
    stream.end();
    session.goaway(NO_ERROR);
    session.close();
  },
  "says goaway with an error": ({ session }) => session.goaway(2),
  "says goaway for too many pings": ({ session }) => {
    session.goaway(ENHANCE_YOUR_CALM, 0, Buffer.from("too_many_pings"));
    session.destroy();
  },
  "says goaway and keeps the stream open until it is cut": ({ session }) => {
    session.goaway(NO_ERROR);
    session.socket.destroy();
  },
  "resets the stream": ({ stream }) => stream.close(8),
  "resets the stream with an internal error": ({ stream }) => stream.close(2),
  "refuses the stream": ({ stream }) => stream.close(7),
  "ends the stream without a status": ({ stream }) => stream.end(),
  "ends the stream in the middle of a message": ({ stream }) =>
    stream.end(frame(envelope("completion", { runId: "x" })).subarray(0, 6)),
  "sends what is no message": ({ stream }) => stream.write(Buffer.from([0, 0, 0, 0, 3, 255, 255, 255])),
  "sends a length of 4 GiB": ({ stream }) => stream.write(Buffer.from([0, 255, 255, 255, 255, 1])),
  "sends a compressed message that nobody asked for": ({ stream }) =>
    stream.write(Buffer.from([1, 0, 0, 0, 1, 0])),
  "destroys the session with an error": ({ session }) => session.destroy(new Error("rude"), 2),
};

describe("a server that misbehaves", () => {
  const unhandled: unknown[] = [];
  const collect = (error: unknown) => void unhandled.push(error);
  beforeAll(() => {
    process.on("unhandledRejection", collect).on("uncaughtException", collect);
  });
  beforeEach(() => {
    unhandled.length = 0;
  });
  afterAll(() => {
    process.off("unhandledRejection", collect).off("uncaughtException", collect);
  });

  async function open(): Promise<Scene & AsyncDisposable> {
    const rude = await RudeServer.listen();
    const bench = new PoolBench([rude.url]).run();
    await bench.ready();
    const [stream, session] = [rude.streams[0], rude.sessions[0]];
    if (stream === undefined || session === undefined) throw new Error("nobody has connected");
    return {
      rude,
      bench,
      stream,
      session,
      async [Symbol.asyncDispose]() {
        await bench.stop();
        await rude[Symbol.asyncDispose]();
      },
    };
  }

  async function dialledAgain({ bench, rude }: Scene): Promise<void> {
    const known = rude.streams.length;
    for (let turn = 0; turn < 1_000 && rude.streams.length === known; turn += 1) {
      await bench.clock.advance(100);
      await settle(3);
    }
    await bench.ready();
  }

  it.each(Object.entries(RUDENESS))("as it %s is survived, and dialled again", async (_what, act) => {
    await using scene = await open();
    act(scene);
    await until(() => scene.bench.pool.stats().connected === 0);
    await dialledAgain(scene);
    expect(scene.bench.pool.reserve(WISH)).toBeDefined();
    await settle();
    expect(unhandled).toEqual([]);
  });

  it("as it breaks with a ping under way is survived: the ping rejects", async () => {
    await using scene = await open();
    const pinged = scene.bench.pool.ping(scene.rude.url);
    scene.session.destroy();
    await expect(pinged).rejects.toThrow("gives no answer");
    await expect(scene.bench.pool.ping(scene.rude.url)).rejects.toThrow("gives no answer");
    await settle();
    expect(unhandled).toEqual([]);
  });

  it("of 1.0.0, as it breaks with a sign of life asked for, is survived", async () => {
    await using rude = await RudeServer.listen();
    rude.onStream = (stream) => {
      stream.respond(HEADERS);
      stream.write(frame(envelope("helloAck", { min: "1.0.0", max: "1.0.0" })));
    };
    await using bench = new PoolBench([rude.url]).run();
    for (let round = 1; round <= 5; round += 1) {
      await until(() => bench.pool.stats().connected === 1);
      const beat = bench.clock.advance(5_000);
      rude.sessions.at(-1)?.destroy();
      await beat;
      await until(() => bench.pool.stats().connected === 0);
      for (let turn = 0; rude.streams.length === round && turn < 1_000; turn += 1) {
        await bench.clock.advance(100);
        await settle(3);
      }
    }
    await settle();
    expect(unhandled).toEqual([]);
  });

  it("as it breaks while we stop is survived, and stopping does not wait for its streams", async () => {
    for (const act of Object.values(RUDENESS)) {
      const scene = await open();
      const stopped = scene.bench.stop();
      act(scene);
      await stopped;
      await scene.rude[Symbol.asyncDispose]();
    }
    await settle();
    expect(unhandled).toEqual([]);
  });

  it("that is only slow is not given up: a large message on its way is a sign of life", async () => {
    await using scene = await open();
    const { bench, stream } = scene;
    const bytes = frame(envelope("completion", { runId: "x", resultInline: new Uint8Array(30_000) }));
    for (let second = 0; second < 60; second += 1) {
      stream.write(bytes.subarray(second * 500, (second + 1) * 500));
      const sentAtMs = performance.now();
      // Time for the system, and turns for a process that had none of it.
      await settle();
      while (performance.now() - sentAtMs < 5) await nextTurn();
      await bench.clock.advance(1_000);
    }
    expect(bench.pool.stats().connected).toBe(1);
    expect(bench.events).toEqual(["connected"]);
  });

  it("that takes what we say and never reads it does not fill the memory", async () => {
    const rude = await RudeServer.listen();
    rude.onStream = (stream) => {
      welcome(stream);
      stream.pause();
      for (let more = 0; more < 40_000; more += 1) stream.write(frame(envelope("ping", { nonce: 1n })));
    };
    const bench = new PoolBench([rude.url]).run();
    await until(() => bench.pool.notReady()[0]?.includes("the WEP stopped reading") === true);
    await bench.stop();
    await rude[Symbol.asyncDispose]();
    expect(unhandled).toEqual([]);
  });

  it("that answers with something that is not HTTP/2 at all is survived", async () => {
    const sockets = new Set<Socket>();
    const server: Server = createTcpServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.write("SSH-2.0-OpenSSH_9.6\r\n");
    });
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve);
    });
    await using bench = new PoolBench([`http://127.0.0.1:${(server.address() as AddressInfo).port}`]).run();
    await until(() => bench.pool.notReady()[0]?.includes("not as a WEP does") === true);
    await settle();
    expect(unhandled).toEqual([]);
    for (const socket of sockets) socket.destroy();
    server.close();
  });

  it("that is not there is found out by connecting", async () => {
    // No program is ever given this port.
    await using bench = new PoolBench(["http://127.0.0.1:1"]).run();
    await until(() => bench.pool.notReady()[0]?.includes("[UNREACHABLE]") === true);
    expect(unhandled).toEqual([]);
  });
});
