// Uploads in parts, and of streams whose length nobody knows.
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { TASK_ERROR } from "@subnet-worker/protocol";
import { createDeferred } from "@subnet-worker/testkit";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { UploadBody, UploadedObject } from "../src/index.ts";
import { partSizeOf } from "../src/upload-parts.ts";
import { type Fault, hexOf, refuseExpired, TestBroker } from "./_broker.ts";
import { assignment, TestStream } from "./_stream.ts";
import { type Call, scriptedHandler, startWep, type TestWep, until } from "./_wep.ts";

const PREFIX = "runs/w/a/r/";
const TRANSFER = {
  maxFailures: 3,
  patienceMs: 0,
  initialBackoffMs: 1,
  maxBackoffMs: 2,
  idleTimeoutMs: 5_000,
  multipartAboveBytes: 1_000,
  partBytes: 400,
  partsAtOnce: 3,
};
const CONTENT = randomBytes(2_100);
const OPTIONS = { mediaType: "application/octet-stream" };

interface Rig extends AsyncDisposable {
  readonly wep: TestWep;
  readonly stream: TestStream;
  readonly broker: TestBroker;
  readonly call: Call;
  readonly activityId: string;
  readonly task: ReturnType<typeof assignment>;
}

async function rig(options: { readonly brokersStorage?: boolean } = {}): Promise<Rig> {
  await using stack = new AsyncDisposableStack();
  const broker = stack.use(await TestBroker.start());
  const work = scriptedHandler();
  const tuning = { transfer: TRANSFER, grantTimeoutMs: 5_000 };
  const wep = stack.use(await startWep({ handlers: [work.handler], tuning }));
  const stream = stack.use(
    await TestStream.open(wep.port, { brokersStorage: options.brokersStorage ?? true }),
  );
  broker.attend(stream, PREFIX);
  const task = assignment({ uploadPrefix: PREFIX });
  stream.send("assign", task);
  const call = await work.nextCall();
  const owned = stack.move();
  const { activityId } = task;
  return { wep, stream, broker, call, activityId, task, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

function outcomeOf(upload: Promise<UploadedObject>): Promise<unknown> {
  return upload.catch((error: unknown) => error);
}

/** Each chunk as it is asked for. */
async function* chunksOf(content: Uint8Array, chunkBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < content.length; at += chunkBytes) yield content.subarray(at, at + chunkBytes);
}

/** Concerns the n-th part only, once. */
function atPart(number: number, answer: (response: Parameters<Fault>[1]) => void): Fault {
  return ({ query }, response) => {
    if (query.get("part") !== String(number)) return false;
    answer(response);
    return true;
  };
}

function partsSent({ broker }: Rig): number[] {
  return broker.requests.map(({ query }) => Number(query.get("part"))).sort((a, b) => a - b);
}

describe("a large upload", () => {
  it("goes in parts, with the digest of the whole and of each part", async () => {
    await using test = await rig();
    const seen: unknown[] = [];
    const object = await test.call.ctx.upload("big.bin", CONTENT, {
      mediaType: "video/mp4",
      onProgress: (progress) => seen.push(progress),
    });
    const sha256 = hexOf("sha256", CONTENT);
    expect(object).toEqual({ objectKey: `${PREFIX}big.bin`, sizeBytes: 2_100, sha256 });
    const stored = test.broker.objects.get(object.objectKey)!;
    expect(stored.bytes).toEqual(CONTENT);
    expect(stored.headers).toMatchObject({ "content-type": "video/mp4", "x-amz-meta-sha256": sha256 });
    expect(partsSent(test)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(test.broker.requests.every(({ headers }) => headers["content-md5"] !== undefined)).toBe(true);
    expect(seen).toHaveLength(6);
    expect(seen.at(-1)).toEqual({ doneBytes: 2_100, totalBytes: 2_100 });
    expect(test.broker.aborted).toEqual([]);
  });

  it("sends a part alone again when its connection is cut, its URL expired, it arrived damaged, or it was kept wrong", async () => {
    await using test = await rig();
    test.broker.faults.push(
      atPart(1, (response) => void response.destroy()),
      atPart(2, refuseExpired),
      atPart(3, (response) => void response.writeHead(400).end("<Code>BadDigest</Code>")),
      atPart(4, (response) => void response.writeHead(200, { etag: `"${"0".repeat(32)}"` }).end()),
    );
    const { objectKey } = await test.call.ctx.upload("big.bin", CONTENT, OPTIONS);
    expect(test.broker.objects.get(objectKey)?.bytes).toEqual(CONTENT);
    expect(partsSent(test)).toEqual([1, 1, 2, 2, 3, 3, 4, 4, 5, 6]);
  });

  it("is given up when a part cannot be sent", async () => {
    await using test = await rig();
    const broken = () => atPart(2, (response) => void response.writeHead(500).end("<Code>Oops</Code>"));
    test.broker.faults.push(broken(), broken(), broken());
    expect(await outcomeOf(test.call.ctx.upload("big.bin", CONTENT, OPTIONS))).toMatchObject({
      name: "RetryableError",
      code: TASK_ERROR.NETWORK_ERROR,
      message: expect.stringMatching(/upload "big.bin", part 2: gave up: .* answered 500/),
    });
    await until(() => test.broker.aborted.length === 1);
    expect(test.broker.uploads.size).toBe(0);
  });

  it("is given up when its run is cancelled, before the completion goes out", async () => {
    await using test = await rig();
    const held = createDeferred();
    test.broker.faults.push(atPart(1, () => held.resolve()));
    const outcome = outcomeOf(test.call.ctx.upload("big.bin", CONTENT, OPTIONS));
    await held.promise;
    test.stream.send("cancel", { activityId: test.activityId, reason: "requested" });
    expect(await outcome).toMatchObject({ name: "CancelledError" });
    await test.stream.next("completion");
    const kinds = test.stream.heard.flatMap(({ msg }) => {
      if (msg.case === "multipartRequest") return msg.value.step.case === "abort" ? ["abort"] : [];
      return msg.case === "completion" ? ["completion"] : [];
    });
    expect(kinds).toEqual(["abort", "completion"]);
    await until(() => test.broker.uploads.size === 0);
  });

  it("is ended with a warning when its handler returns without it", async () => {
    await using test = await rig();
    const held = createDeferred();
    test.broker.faults.push(atPart(1, () => held.resolve()));
    const outcome = outcomeOf(test.call.ctx.upload("big.bin", CONTENT, OPTIONS));
    await held.promise;
    test.call.end.resolve({});
    expect(await test.stream.next("completion")).toMatchObject({ status: "SUCCESS" });
    expect(String(await outcome)).toContain("the handler returned before this was done; await it");
    await until(() => test.broker.aborted.length === 1);
    expect(test.wep.logs).toContainEqual(
      expect.objectContaining({ msg: expect.stringMatching(/^upload ended/), object: "big.bin" }),
    );
  });

  it("goes in one request where the worker client brokers no parts", async () => {
    await using test = await rig({ brokersStorage: false });
    const path = join(await test.call.ctx.scratchDir(), "big");
    await writeFile(path, CONTENT);
    for (const body of [CONTENT, { path }]) {
      const { objectKey, sha256 } = await test.call.ctx.upload("big.bin", body, OPTIONS);
      expect(test.broker.objects.get(objectKey)?.bytes).toEqual(CONTENT);
      expect(sha256).toBe(hexOf("sha256", CONTENT));
    }
    expect(test.stream.count("multipartRequest")).toBe(0);
    expect(test.broker.requests.length).toBe(2);
  });

  it.each([
    ["grows", Buffer.alloc(3_000)],
    ["shrinks", Buffer.alloc(1_000)],
    ["is written anew", randomBytes(2_100)],
  ])("fails for good when its file %s meanwhile", async (_, changed) => {
    await using test = await rig();
    const path = join(await test.call.ctx.scratchDir(), "big");
    await writeFile(path, CONTENT);
    test.broker.faults.push(
      atPart(1, (response) => {
        void writeFile(path, changed).then(() => response.writeHead(503).end());
      }),
    );
    expect(await outcomeOf(test.call.ctx.upload("big.bin", { path }, OPTIONS))).toMatchObject({
      name: "TerminalError",
      code: TASK_ERROR.INVALID_INPUT,
      message: expect.stringMatching(/file .*big was changed while it was uploaded; close it first/),
    });
    await until(() => test.broker.aborted.length === 1);
    expect(test.broker.objects.size).toBe(0);
  });

  it("says which file is not there, or is none", async () => {
    await using test = await rig();
    const folder = await test.call.ctx.scratchDir();
    for (const path of [join(folder, "missing"), folder]) {
      const outcome = await outcomeOf(test.call.ctx.upload("x", { path }, OPTIONS));
      expect(outcome).toMatchObject({ code: TASK_ERROR.INVALID_INPUT });
      expect(String(outcome)).toContain(`file ${path} cannot be uploaded`);
    }
  });
});

describe("a stream", () => {
  it("of any chunks becomes the object it is", async () => {
    await using test = await rig();
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 3_000 }),
        fc.integer({ min: 1, max: 1_500 }),
        async (content, chunkBytes) => {
          const body = chunksOf(content, chunkBytes);
          const object = await test.call.ctx.upload("s", body, OPTIONS);
          expect(object.sizeBytes).toBe(content.length);
          expect(object.sha256).toBe(hexOf("sha256", content));
          expect(test.broker.objects.get(object.objectKey)?.bytes).toEqual(Buffer.from(content));
        },
      ),
      { numRuns: 60 },
    );
    expect(test.broker.uploads.size).toBe(0);
  });

  it("that fits into one part goes in one request", async () => {
    await using test = await rig();
    const object = await test.call.ctx.upload("s", ReadableStream.from([Buffer.from("few")]), OPTIONS);
    expect(test.broker.requests.map(({ query }) => query.get("part"))).toEqual([null]);
    expect(test.broker.objects.get(object.objectKey)?.headers).toMatchObject({
      "x-amz-meta-sha256": hexOf("sha256", Buffer.from("few")),
    });
  });

  it("is read no further than the parts that may be under way", async () => {
    await using test = await rig();
    let givenBytes = 0;
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (; givenBytes < 100_000; givenBytes += 100) yield new Uint8Array(100);
    }
    const held: (() => void)[] = [];
    for (const number of [1, 2])
      test.broker.faults.push(atPart(number, (response) => held.push(() => response.writeHead(503).end())));
    const outcome = outcomeOf(test.call.ctx.upload("s", endless(), OPTIONS));
    await until(() => held.length === 2);
    expect(givenBytes).toBeLessThanOrEqual(2 * TRANSFER.partBytes + 100);
    for (const answer of held) answer();
    expect(await outcome).toMatchObject({ sizeBytes: 100_000 });
  });

  it("is kept on disk first where the worker client brokers no parts, and removed from there", async () => {
    await using test = await rig({ brokersStorage: false });
    const object = await test.call.ctx.upload("s", chunksOf(CONTENT, 300), OPTIONS);
    expect(test.broker.objects.get(object.objectKey)?.bytes).toEqual(CONTENT);
    expect(object).toMatchObject({ sizeBytes: 2_100, sha256: hexOf("sha256", CONTENT) });
    expect(await readdir(await test.call.ctx.scratchDir())).toEqual([]);
  });

  it("that fails ends its upload with its own error", async () => {
    await using test = await rig();
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield CONTENT;
      throw new RangeError("frame 7 is broken");
    }
    expect(String(await outcomeOf(test.call.ctx.upload("s", failing(), OPTIONS)))).toContain(
      "frame 7 is broken",
    );
    await until(() => test.broker.aborted.length === 1);
  });

  it("that gives nothing is ended at once by a part that cannot be sent, and is told", async () => {
    await using test = await rig();
    const told = createDeferred();
    const body = new ReadableStream<Uint8Array>({
      // More than the first part, and then no more for ever.
      start: (controller) => controller.enqueue(CONTENT.subarray(0, TRANSFER.partBytes + 10)),
      cancel: () => told.resolve(),
    });
    test.broker.faults.push(
      atPart(1, (response) => void response.writeHead(413).end("<Code>TooLarge</Code>")),
    );
    expect(await outcomeOf(test.call.ctx.upload("s", body, OPTIONS))).toMatchObject({
      name: "TerminalError",
      code: TASK_ERROR.HTTP_ERROR,
      message: expect.stringMatching(/upload "s", part 1: .* answered 413/),
    });
    await told.promise;
    await until(() => test.broker.aborted.length === 1);
    expect(partsSent(test)).toEqual([1]);
  });

  it("of Node's that gives nothing is destroyed when a part cannot be sent", async () => {
    await using test = await rig();
    const body = new PassThrough();
    body.write(CONTENT.subarray(0, TRANSFER.partBytes + 10));
    test.broker.faults.push(atPart(1, (response) => void response.writeHead(413).end()));
    expect(String(await outcomeOf(test.call.ctx.upload("s", body, OPTIONS)))).toContain("answered 413");
    expect(body.destroyed).toBe(true);
    await until(() => test.broker.aborted.length === 1);
  });

  it("is not stored without its beginning when the next worker client brokers no parts", async () => {
    await using test = await rig();
    const held = createDeferred<() => void>();
    test.broker.faults.push(atPart(1, (response) => held.resolve(() => response.writeHead(503).end())));
    const outcome = outcomeOf(test.call.ctx.upload("s", chunksOf(CONTENT, 300), OPTIONS));
    const answer = await held.promise;
    test.stream.cut();
    await until(() => test.wep.metric("wep_streams").then((streams) => streams === 0));
    await using next = await TestStream.open(test.wep.port, { brokersStorage: false });
    test.broker.attend(next, PREFIX);
    next.send("assign", test.task);
    await next.next("ack");
    answer();
    expect(await outcome).toMatchObject({ name: "NotBrokeredError" });
    expect([...test.broker.objects.keys()]).toEqual([]);
  });

  it("that gives no bytes is refused, saying what it gave", async () => {
    await using test = await rig();
    const body = ReadableStream.from(["text"]) as unknown as UploadBody;
    const outcome = await outcomeOf(test.call.ctx.upload("s", body, OPTIONS));
    expect(outcome).toMatchObject({ code: TASK_ERROR.INVALID_FORMAT });
    expect(String(outcome)).toContain("its stream gave a string; give Uint8Array");
  });

  it("whose generator waits for ever does not hold up a cancelled run either", async () => {
    await using test = await rig();
    const waits = createDeferred();
    async function* silent(): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(10);
      waits.resolve();
      await new Promise(() => undefined);
    }
    const outcome = outcomeOf(test.call.ctx.upload("s", silent(), OPTIONS));
    await waits.promise;
    test.stream.send("cancel", { activityId: test.activityId, reason: "requested" });
    expect(await outcome).toMatchObject({ name: "CancelledError" });
  });

  it("that never gives anything does not hold up a cancelled run, and is told", async () => {
    await using test = await rig();
    const told = createDeferred();
    const body = new ReadableStream<Uint8Array>({ cancel: () => told.resolve() });
    const outcome = outcomeOf(test.call.ctx.upload("s", body, OPTIONS));
    await new Promise((resolve) => void setImmediate(resolve));
    test.stream.send("cancel", { activityId: test.activityId, reason: "requested" });
    expect(await outcome).toMatchObject({ name: "CancelledError" });
    await told.promise;
  });
});

describe("the size of parts", () => {
  it("is the smallest of which 10,000 suffice, up to 5 TiB", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 * 1_024 ** 4 }), (sizeBytes) => {
        const partBytes = partSizeOf(sizeBytes, 8 * 1_024 ** 2);
        expect(Math.ceil(sizeBytes / partBytes)).toBeLessThanOrEqual(10_000);
        expect(partBytes).toBeGreaterThanOrEqual(8 * 1_024 ** 2);
        expect(partBytes).toBeLessThanOrEqual(525 * 1_024 ** 2);
      }),
    );
  });
});

it("an interrupted save leaves nothing behind when the run is over", async () => {
  await using test = await rig();
  const folder = await test.call.ctx.scratchDir();
  // Beside the scratch directory, which is removed with all that is in it.
  const path = `${folder}-kept`;
  test.broker.put("k", CONTENT);
  const cut: Fault = (_, response) => {
    response.writeHead(200, { "content-length": CONTENT.length });
    response.write(CONTENT.subarray(0, 1_000), () => response.destroy());
    return true;
  };
  const down: Fault = (_, response) => Boolean(response.writeHead(503).end());
  test.broker.faults.push(cut, down, down, down);
  const file = test.call.ctx.download("k");
  await expect(file.saveTo(path)).rejects.toThrow(/gave up after 1000 bytes/);
  expect(existsSync(`${path}.part`)).toBe(true);
  test.call.end.resolve({});
  await test.stream.next("completion");
  await until(() => !existsSync(`${path}.part`));
});
