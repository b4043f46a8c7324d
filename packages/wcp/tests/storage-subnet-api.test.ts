import { writeFile } from "node:fs/promises";
import { createSecureServer, createServer } from "node:http2";
import { once } from "node:events";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { join } from "node:path";
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { Storage } from "@subnet-worker/protocol/storage";
import { FakeClock, ScriptedHttp } from "@subnet-worker/testkit";
import { TestAuthority } from "@subnet-worker/testkit/certificates";
import { describe, expect, it } from "vitest";
import { SubnetApiStorage, type SubnetApiOptions } from "../src/adapters/subnet-api/storage.ts";
import { StorageError } from "../src/storage-ports.ts";
import { apiOptions, TOKEN } from "./_storage-places.ts";
import { settle } from "./_until.ts";

/** A broker whose every answer is the test's. */
interface ScriptedBroker extends AsyncDisposable {
  readonly url: string;
  /** Authorization of each call, in order. */
  readonly tokens: string[];
}

interface ServerTls {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

async function serve(
  service: Partial<ServiceImpl<typeof Storage>>,
  tls?: ServerTls,
): Promise<ScriptedBroker> {
  const tokens: string[] = [];
  const handler = connectNodeAdapter({
    routes: (router) => void router.service(Storage, service),
    interceptors: [
      (next) => (request) => {
        tokens.push(request.header.get("authorization") ?? "");
        return next(request);
      },
    ],
  });
  const server =
    tls === undefined
      ? createServer(handler)
      : createSecureServer({ ...tls, requestCert: true, rejectUnauthorized: true }, handler);
  const sockets = new Set<{ destroy(): void }>();
  server.on("connection", (socket: { destroy(): void }) => sockets.add(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `${tls === undefined ? "http" : "https"}://127.0.0.1:${port}`,
    tokens,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function connect(
  url: string,
  options: Partial<SubnetApiOptions> = {},
  clock = new FakeClock(),
): SubnetApiStorage {
  return new SubnetApiStorage({ ...apiOptions(url), ...options }, { clock });
}

const refuse = (code: Code, message = "because") => {
  throw new ConnectError(message, code);
};
const GRANT = { url: "http://store/get?signature=s", expiresUnix: 1_800_000_000n };

describe("the token of a remote broker", () => {
  it("goes with every call", async () => {
    await using broker = await serve({ presignDownload: () => GRANT });
    using storage = connect(broker.url);
    expect(await storage.downloadTicket("a")).toEqual({ url: GRANT.url, expiresAtMs: 1_800_000_000_000 });
    expect(broker.tokens).toEqual([`Bearer ${TOKEN}`]);
  });

  it("is not sent where there is none", async () => {
    await using broker = await serve({ presignDownload: () => GRANT });
    using storage = connect(broker.url, { token: "" });
    await storage.downloadTicket("a");
    expect(broker.tokens).toEqual([""]);
  });

  it("is read again from its file when that has changed", async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), "token-"));
    const tokenFile = join(folder.path, "token");
    await using broker = await serve({ presignDownload: () => GRANT });
    using storage = connect(broker.url, { token: "", tokenFile });
    await writeFile(tokenFile, "first\nnot this\n");
    await storage.downloadTicket("a");
    await storage.downloadTicket("a");
    await writeFile(tokenFile, "the second\n");
    await storage.downloadTicket("a");
    expect(broker.tokens).toEqual(["Bearer first", "Bearer first", "Bearer the second"]);
  });

  it("that is in no file is an error that names the setting", async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), "token-"));
    const tokenFile = join(folder.path, "token");
    await using broker = await serve({ presignDownload: () => GRANT });
    using storage = connect(broker.url, { token: "", tokenFile });
    await expect(storage.downloadTicket("a")).rejects.toMatchObject({
      code: "UNAUTHENTICATED",
      message: expect.stringMatching(
        /subnet_api\.token_file .* cannot be read \(ENOENT\); put the token there/,
      ),
    });
    await writeFile(tokenFile, "\n");
    await expect(storage.downloadTicket("a")).rejects.toMatchObject({
      message: expect.stringMatching(/is empty; put the token in its first line/),
    });
    expect(broker.tokens).toEqual([]);
  });
});

describe("what is no remote broker", () => {
  it.each([
    { what: "an HTTP/1 server", reply: "HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n" },
    {
      what: "something else",
      reply: "220 mail.example ESMTP ready, and some more so that it is a frame\r\n",
    },
  ])("like $what fails the call, and not the process that turns away at once", async ({ reply }) => {
    const errors: unknown[] = [];
    const note = (error: unknown) => errors.push(error);
    const server = createTcpServer((socket) => void socket.on("error", () => undefined).end(reply));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const before = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException").on("uncaughtException", note);
    try {
      const storage = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
      await expect(storage.createMultipart("a", { mediaType: "" })).rejects.toMatchObject({
        code: "UNAVAILABLE",
      });
      storage[Symbol.dispose]();
      await settle();
    } finally {
      process.removeAllListeners("uncaughtException");
      for (const listener of before) process.on("uncaughtException", listener);
      server.close();
    }
    expect(errors).toEqual([]);
  });
});

describe("a remote broker that refuses", () => {
  it.each<[Code, string, RegExp]>([
    [Code.NotFound, "NOT_FOUND", /there is no such object or upload/],
    [Code.Unauthenticated, "UNAUTHENTICATED", /does not know the token; renew/],
    [Code.PermissionDenied, "REFUSED", /ask the broker's operator/],
    [Code.InvalidArgument, "REFUSED", /does not take it \(it says: because\)/],
    [Code.FailedPrecondition, "REFUSED", /the store behind the broker/],
    [Code.Unimplemented, "REFUSED", /check that subnet_api\.grpc_endpoint/],
    [Code.Internal, "UNAVAILABLE", /look at subnet_api\.grpc_endpoint/],
    [Code.Unknown, "UNAVAILABLE", /try again/],
  ])("with code %i is asked once and told as what it is", async (code, expected, message) => {
    let calls = 0;
    await using broker = await serve({
      headObject: () => {
        calls += 1;
        return refuse(code);
      },
      presignDownload: () => {
        calls += 1;
        return refuse(code);
      },
    });
    using storage = connect(broker.url);
    const error = await storage.downloadTicket("the/key").catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(StorageError);
    expect(error).toMatchObject({ code: expected, message: expect.stringMatching(message) });
    expect((error as Error).message).toContain("the/key");
    expect(calls).toBe(1);
  });

  it("shows no URL that it put into its message", async () => {
    await using broker = await serve({
      presignDownload: () => refuse(Code.Internal, "failed for https://store/x?X-Amz-Signature=abc"),
    });
    using storage = connect(broker.url);
    const error = await storage.downloadTicket("a").catch((caught: unknown) => caught);
    expect(String(error)).toContain("failed for [URL]");
    expect(String(error)).not.toContain("Signature");
  });

  it("is not there at all", async () => {
    const broker = await serve({});
    await broker[Symbol.asyncDispose]();
    const clock = new FakeClock();
    using storage = connect(broker.url, {}, clock);
    const outcome: unknown[] = [];
    const asked = storage.downloadTicket("a").catch((error: unknown) => outcome.push(error));
    while (outcome.length === 0) {
      await Promise.race([asked, clock.whenPending()]);
      await clock.advance(2_000);
    }
    expect(outcome[0]).toMatchObject({ code: "UNAVAILABLE", isRetryable: true });
  });
});

describe("a remote broker that is busy", () => {
  it.each([Code.Unavailable, Code.ResourceExhausted, Code.Aborted])(
    "with code %i is asked again, a little later each time",
    async (code) => {
      let calls = 0;
      await using broker = await serve({
        presignDownload: () => ((calls += 1) < 3 ? refuse(code) : GRANT),
      });
      const clock = new FakeClock();
      using storage = connect(broker.url, {}, clock);
      const asked = storage.downloadTicket("a");
      await clock.whenPending();
      await clock.advance(200);
      await clock.whenPending();
      await clock.advance(400);
      expect((await asked).url).toBe(GRANT.url);
      expect(calls).toBe(3);
    },
  );

  it("is not asked twice to begin an upload: there would be two", async () => {
    let calls = 0;
    await using broker = await serve({
      createMultipart: () => {
        calls += 1;
        return refuse(Code.Unavailable);
      },
    });
    using storage = connect(broker.url);
    await expect(storage.createMultipart("a", { mediaType: "" })).rejects.toMatchObject({
      code: "UNAVAILABLE",
    });
    expect(calls).toBe(1);
  });

  it("is given up on when an answer takes too long", async () => {
    const { promise: never } = Promise.withResolvers<typeof GRANT>();
    await using broker = await serve({ presignDownload: () => never });
    // Long enough for a busy machine to come to the broker.
    using storage = connect(broker.url, { timeoutMs: 2_000 });
    await expect(storage.downloadTicket("a")).rejects.toMatchObject({
      code: "UNAVAILABLE",
      message: expect.stringMatching(/a URL to read a: the broker does not answer as it should/),
    });
    expect(broker.tokens.length).toBe(1);
  });
});

describe("a remote broker over TLS", () => {
  it("is met with a certificate on both sides", async () => {
    const authority = await TestAuthority.create();
    const identity = await authority.issue();
    await using broker = await serve(
      { presignDownload: () => GRANT },
      { ...(await authority.issue()), ca: authority.cert },
    );
    using storage = connect(broker.url, { tls: { ca: authority.cert, identity } });
    expect((await storage.downloadTicket("a")).url).toBe(GRANT.url);
  });

  it("is not spoken to when an unknown authority signed for it", async () => {
    const [authority, other] = [await TestAuthority.create(), await TestAuthority.create("other")];
    await using broker = await serve(
      { createMultipart: () => ({ uploadId: "id" }) },
      { ...(await authority.issue()), ca: authority.cert },
    );
    using storage = connect(broker.url, { tls: { ca: other.cert, identity: await authority.issue() } });
    await expect(storage.createMultipart("a", { mediaType: "" })).rejects.toBeInstanceOf(StorageError);
    expect(broker.tokens).toEqual([]);
  });
});

describe("reading through a remote broker", () => {
  it.each<[string, Parameters<typeof ScriptedHttp.listen>[0], string]>([
    ["an object that is gone", () => ({ kind: "text", text: "", status: 404 }), "NOT_FOUND"],
    ["a URL that is no good", () => ({ kind: "text", text: "", status: 403 }), "REFUSED"],
    ["a store that is overloaded", () => ({ kind: "text", text: "", status: 503 }), "UNAVAILABLE"],
    [
      "a redirect",
      ({ path }) =>
        path === "/elsewhere"
          ? { kind: "text", text: "not asked for" }
          : { kind: "text", text: "", status: 302, headers: { location: "/elsewhere" } },
      "UNAVAILABLE",
    ],
    ["a reset", () => ({ kind: "reset" }), "UNAVAILABLE"],
    ["an end in the middle", () => ({ kind: "cut", text: "half" }), "UNAVAILABLE"],
    ["too much", () => ({ kind: "stall", text: "x".repeat(101) }), "TOO_LARGE"],
  ])("meets %s", async (_what, answer, code) => {
    await using store = await ScriptedHttp.listen(answer);
    await using broker = await serve({
      presignDownload: () => ({ url: `${store.url}/a?signature=s`, expiresUnix: 1n }),
    });
    using storage = connect(broker.url);
    const error = await storage.read("a", 100).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code });
    expect(String(error)).not.toContain("signature");
  });

  it("ends when the store stalls", async () => {
    await using store = await ScriptedHttp.listen(() => ({ kind: "stall", text: "x" }));
    await using broker = await serve({ presignDownload: () => ({ url: store.url, expiresUnix: 1n }) });
    const clock = new FakeClock();
    using storage = connect(broker.url, {}, clock);
    const read = storage.read("a", 100).catch((caught: unknown) => caught);
    await clock.whenPending();
    await clock.advance(10_000);
    expect(await read).toMatchObject({
      code: "UNAVAILABLE",
      message: expect.stringMatching(/it was not there within 10 s/),
    });
  });
});
