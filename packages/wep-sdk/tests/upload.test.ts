import { once } from "node:events";
import { existsSync } from "node:fs";
import { truncate, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { TASK_ERROR } from "@subnet-worker/protocol";
import { createDeferred } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import type { UploadedObject } from "../src/index.ts";
import { type ObjectServer, type Reply, serveObjects, status } from "./_objects.ts";
import { assignment, TestStream } from "./_stream.ts";
import { type Call, scriptedHandler, startWep, until } from "./_wep.ts";

const TRANSFER = {
  maxFailures: 3,
  patienceMs: 0,
  initialBackoffMs: 1,
  maxBackoffMs: 2,
  idleTimeoutMs: 5_000,
};

interface Rig extends AsyncDisposable {
  readonly call: Call;
  readonly stream: TestStream;
  readonly activityId: string;
  readonly storage: ObjectServer;
  /** Answers the next request with a URL for it. */
  grant(): Promise<void>;
}

/** A run under way, its stream, and a storage server that answers as told. */
async function rig(
  options: {
    readonly replies?: readonly Reply[];
    readonly uploadPrefix?: string;
    readonly patienceMs?: number;
  } = {},
): Promise<Rig> {
  await using stack = new AsyncDisposableStack();
  const storage = stack.use(await serveObjects(...(options.replies ?? [status(200)])));
  const work = scriptedHandler();
  const wep = stack.use(
    await startWep({
      handlers: [work.handler],
      tuning: { transfer: { ...TRANSFER, patienceMs: options.patienceMs ?? 0 }, grantTimeoutMs: 5_000 },
    }),
  );
  const stream = stack.use(await TestStream.open(wep.port));
  const task = assignment({ uploadPrefix: options.uploadPrefix ?? "out/run-1/" });
  stream.send("assign", task);
  const call = await work.nextCall();
  const owned = stack.move();
  return {
    call,
    stream,
    activityId: task.activityId,
    storage,
    async grant() {
      const { requestId, name, mediaType } = await stream.next("uploadRequest");
      stream.send("uploadGrant", {
        requestId,
        objectKey: `out/run-1/${name}`,
        url: `${storage.url}/out/run-1/${name}?grant=${requestId}`,
        headers: { "content-type": mediaType, "x-amz-meta-run": "run-1" },
        expiresUnix: 4_000_000_000n,
      });
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function outcomeOf(upload: Promise<UploadedObject>): Promise<unknown> {
  return upload.catch((error: unknown) => error);
}

describe("an upload", () => {
  it("asks for a grant and puts the bytes with exactly its headers and their length", async () => {
    await using test = await rig();
    const upload = test.call.ctx.upload("waves/a.png", new Uint8Array([1, 2, 3]), { mediaType: "image/png" });
    const [request] = await Promise.all([
      until(() => test.stream.count("uploadRequest") === 1).then(
        () => test.stream.heard.find(({ msg }) => msg.case === "uploadRequest")?.msg.value,
      ),
      test.grant(),
    ]);
    expect(request).toMatchObject({ name: "waves/a.png", mediaType: "image/png", sizeBytes: 3n });
    const sha256 = "039058c6f2c0cb492c533b0a4d14ef77cc0f78abccced5287d84a1a2011cfb81";
    expect(await upload).toEqual({ objectKey: "out/run-1/waves/a.png", sizeBytes: 3, sha256 });
    const [put] = test.storage.requests;
    expect(put).toMatchObject({
      method: "PUT",
      url: "/out/run-1/waves/a.png?grant=1",
      body: Buffer.from([1, 2, 3]),
    });
    const { host, connection, ...headers } = put!.headers;
    expect([host, connection]).toEqual([expect.any(String), expect.any(String)]);
    expect(headers).toEqual({
      "content-type": "image/png",
      "x-amz-meta-run": "run-1",
      "content-length": "3",
    });
  });

  it("takes text, and a file on disk, also an empty one", async () => {
    await using test = await rig();
    const { ctx } = test.call;
    const folder = await ctx.scratchDir();
    await writeFile(join(folder, "big"), Buffer.alloc(700_000, 7));
    await writeFile(join(folder, "none"), "");
    for (const body of ["ä", { path: join(folder, "big") }, { path: join(folder, "none") }]) {
      const upload = ctx.upload("x", body, { mediaType: "text/plain" });
      await test.grant();
      await upload;
    }
    expect(test.storage.requests.map(({ body }) => body.length)).toEqual([2, 700_000, 0]);
    expect(test.storage.requests[1]?.body.every((byte) => byte === 7)).toBe(true);
  });

  it("asks for a fresh grant when the last URL was refused or storage failed", async () => {
    await using test = await rig({ replies: [status(403, "Request has expired"), status(503), status(200)] });
    const upload = test.call.ctx.upload("x", "text", { mediaType: "text/plain" });
    for (let round = 0; round < 2; round += 1) await test.grant();
    await test.grant();
    await upload;
    expect(test.storage.requests.map(({ url }) => url.split("=")[1])).toEqual(["1", "2", "3"]);
  });

  it("waits out an hour in which storage is away: what the handler has computed is not lost", async () => {
    const away = Array.from({ length: 4 * TRANSFER.maxFailures }, () => status(503));
    await using test = await rig({ replies: [...away, status(200)], patienceMs: 3_600_000 });
    const upload = test.call.ctx.upload("x", "text", { mediaType: "text/plain" });
    for (let round = 0; round <= away.length; round += 1) await test.grant();
    expect(await upload).toMatchObject({ sizeBytes: 4 });
  });

  it.each([400, 401, 403, 409, 501])("has no such patience with storage that answers %i", async (code) => {
    await using test = await rig({ replies: [status(code)], patienceMs: 3_600_000 });
    const outcome = outcomeOf(test.call.ctx.upload("x", "text", { mediaType: "text/plain" }));
    for (let round = 0; round < TRANSFER.maxFailures; round += 1) await test.grant();
    expect(await outcome).toMatchObject({ name: "RetryableError" });
  });

  it("fails, as worth another try, when storage goes on failing", async () => {
    await using test = await rig({ replies: [status(500, "<Code>InternalError</Code>")] });
    const outcome = outcomeOf(test.call.ctx.upload("x", "text", { mediaType: "text/plain" }));
    for (let round = 0; round < 3; round += 1) await test.grant();
    expect(await outcome).toMatchObject({
      name: "RetryableError",
      code: TASK_ERROR.NETWORK_ERROR,
      message: expect.stringMatching(/upload "x": gave up: .* answered 500 <Code>InternalError/),
    });
  });

  it("survives a connection that is reset in the middle of the body", async () => {
    const reset: Reply = (response) => void response.destroy();
    await using test = await rig({ replies: [reset, status(200)] });
    const upload = test.call.ctx.upload("x", new Uint8Array(500_000), {
      mediaType: "application/octet-stream",
    });
    await test.grant();
    await test.grant();
    expect(await upload).toMatchObject({ sizeBytes: 500_000 });
  });

  it("stops sending a body that was refused before its end", async () => {
    const hungUp = createDeferred();
    const server = createServer((request, response) => {
      request.socket.on("close", () => hungUp.resolve());
      response.writeHead(413).end();
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    await using test = await rig();
    const outcome = outcomeOf(
      test.call.ctx.upload("x", new Uint8Array(50_000_000), { mediaType: "text/plain" }),
    );
    const { requestId } = await test.stream.next("uploadRequest");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/x`;
    test.stream.send("uploadGrant", { requestId, objectKey: "out/run-1/x", url });
    expect(await outcome).toMatchObject({ name: "TerminalError", code: TASK_ERROR.HTTP_ERROR });
    await hungUp.promise;
    server.close();
  });

  it("fails for good when the worker client refuses, with its words", async () => {
    await using test = await rig();
    const outcome = outcomeOf(test.call.ctx.upload("x", "text", { mediaType: "text/plain" }));
    const { requestId } = await test.stream.next("uploadRequest");
    test.stream.send("uploadGrant", { requestId, error: "quota of this workflow is used up" });
    expect(await outcome).toMatchObject({
      name: "TerminalError",
      code: TASK_ERROR.PERMISSION_DENIED,
      message: expect.stringContaining("quota of this workflow is used up"),
    });
  });

  it("asks for no more at once than worker clients take, and goes on as they answer", async () => {
    await using test = await rig();
    const uploads = Array.from({ length: 100 }, (_, index) =>
      test.call.ctx.upload(`x-${index}`, "text", { mediaType: "text/plain" }),
    );
    await until(() => test.stream.count("uploadRequest") === 32);
    for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => void setImmediate(resolve));
    expect(test.stream.count("uploadRequest")).toBe(32);
    for (const _ of uploads) await test.grant();
    expect(new Set((await Promise.all(uploads)).map(({ objectKey }) => objectKey)).size).toBe(100);
  });

  it("asks again when the worker client says that this may help", async () => {
    await using test = await rig();
    const upload = test.call.ctx.upload("x", "text", { mediaType: "text/plain" });
    const { requestId } = await test.stream.next("uploadRequest");
    test.stream.send("uploadGrant", { requestId, error: "the store is away", retryable: true });
    await test.grant();
    expect(await upload).toMatchObject({ sizeBytes: 4 });
  });

  it("says what the worker client said last when it goes on saying so", async () => {
    await using test = await rig();
    const outcome = outcomeOf(test.call.ctx.upload("x", "text", { mediaType: "text/plain" }));
    for (let round = 0; round < TRANSFER.maxFailures; round += 1) {
      const { requestId } = await test.stream.next("uploadRequest");
      test.stream.send("uploadGrant", { requestId, error: "the store is away", retryable: true });
    }
    expect(await outcome).toMatchObject({
      name: "RetryableError",
      message: expect.stringContaining("the worker client answered: the store is away"),
    });
  });

  it("fails for good when the run was given no place to write", async () => {
    await using test = await rig({ uploadPrefix: "" });
    const outcome = await outcomeOf(test.call.ctx.upload("x", "text", { mediaType: "text/plain" }));
    expect(outcome).toMatchObject({
      name: "TerminalError",
      message: expect.stringContaining("no place to write"),
    });
    expect(test.stream.count("uploadRequest")).toBe(0);
  });

  it.each(["", "/etc/passwd", "../other-run/x", "a//b", "a/./b", "a\\b", "a\nb"])(
    "refuses the name %j",
    async (name) => {
      await using test = await rig();
      const outcome = await outcomeOf(test.call.ctx.upload(name, "text", { mediaType: "text/plain" }));
      expect(outcome).toMatchObject({ code: TASK_ERROR.INVALID_FORMAT });
    },
  );

  it("stops with the run's signal while it waits for its grant", async () => {
    await using test = await rig();
    const outcome = outcomeOf(test.call.ctx.upload("x", "text", { mediaType: "text/plain" }));
    const { activityId } = await test.stream.next("uploadRequest");
    test.stream.send("cancel", { activityId, reason: "requested" });
    expect(await outcome).toMatchObject({ name: "CancelledError", reason: "requested" });
  });

  it("stops with the run while it still reads a huge file", async () => {
    await using test = await rig();
    const path = join(await test.call.ctx.scratchDir(), "huge");
    await writeFile(path, "");
    // A hole: no bytes on the disk, and minutes to read.
    await truncate(path, 2 ** 38);
    const outcome = outcomeOf(test.call.ctx.upload("a", { path }, { mediaType: "text/plain" }));
    test.stream.send("cancel", { activityId: test.activityId, reason: "lease_lost" });
    expect(await outcome).toMatchObject({ name: "CancelledError", reason: "lease_lost" });
    expect(test.stream.count("uploadRequest") + test.stream.count("multipartRequest")).toBe(0);
  });

  it("goes on over the next stream when this one drops before the grant", async () => {
    await using storage = await serveObjects(status(200));
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler], tuning: { transfer: TRANSFER } });
    const task = assignment({ uploadPrefix: "out/" });
    const first = await TestStream.open(wep.port);
    first.send("assign", task);
    const { ctx } = await work.nextCall();
    const upload = ctx.upload("x", "text", { mediaType: "text/plain" });
    await first.next("uploadRequest");
    first.cut();
    await until(() => wep.metric("wep_streams").then((streams) => streams === 0));
    await using second = await TestStream.open(wep.port);
    second.send("assign", task);
    const { requestId } = await second.next("uploadRequest");
    second.send("uploadGrant", { requestId, objectKey: "out/x", url: `${storage.url}/out/x` });
    expect(await upload).toMatchObject({ objectKey: "out/x", sizeBytes: 4 });
  });
});

describe("a scratch directory", () => {
  it("is one per run and gone when the handler has returned", async () => {
    await using test = await rig();
    const { ctx, end } = test.call;
    const path = await ctx.scratchDir();
    expect(await ctx.scratchDir()).toBe(path);
    await writeFile(join(path, "left-over"), "x");
    end.resolve({});
    await until(() => !existsSync(path));
  });
});
