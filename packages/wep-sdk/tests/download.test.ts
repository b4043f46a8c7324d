import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { systemClock } from "@subnet-worker/kit";
import { InputDescriptorSchema, TASK_ERROR } from "@subnet-worker/protocol";
import { describe, expect, it } from "vitest";
import { openInputFile } from "../src/download.ts";
import { NotBrokeredError } from "../src/grant.ts";
import { type InputFile, isRetryableError, isTerminalError } from "../src/index.ts";
import {
  object,
  type ObjectServer,
  type Reply,
  resetAfter,
  serveObjects,
  stallAfter,
  status,
} from "./_objects.ts";
import { DEFAULT_TRANSFER } from "../src/transfer-retry.ts";

const CONTENT = new Uint8Array(randomBytes(300_000));

function open(url: string, { signal = new AbortController().signal, idleTimeoutMs = 5_000 } = {}): InputFile {
  const descriptor = create(InputDescriptorSchema, {
    name: "recording",
    mediaType: "audio/wav",
    ref: url,
    objectKey: "in/recording.wav",
  });
  const settings = {
    ...DEFAULT_TRANSFER,
    maxFailures: 3,
    patienceMs: 0,
    initialBackoffMs: 1,
    maxBackoffMs: 2,
    idleTimeoutMs,
  };
  const requestGrant = () => Promise.reject(new NotBrokeredError("nobody to ask"));
  const deps = { clock: systemClock, signal, settings, requestGrant, partialFiles: new Set<string>() };
  return openInputFile(descriptor, deps);
}

async function read(file: InputFile): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of file.stream()) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function failureOf(...replies: readonly Reply[]): Promise<Error & { code?: number }> {
  await using server = await serveObjects(...replies);
  return await open(`${server.url}/in/recording.wav?X-Amz-Signature=secret`)
    .bytes()
    .then(
      () => expect.unreachable("the download succeeded"),
      (error: unknown) => error as Error & { code?: number },
    );
}

function ranges(server: ObjectServer): (string | undefined)[] {
  return server.requests.map(({ headers }) => headers.range);
}

describe("an input file", () => {
  it("streams, reads and saves the same bytes", async () => {
    await using server = await serveObjects(object(CONTENT));
    await using folder = await scratch();
    const file = open(`${server.url}/a`);
    expect(await read(file)).toEqual(Buffer.from(CONTENT));
    expect(Buffer.from(await file.bytes())).toEqual(Buffer.from(CONTENT));
    const path = join(folder.path, "a.wav");
    expect(await file.saveTo(path)).toEqual({ sizeBytes: CONTENT.length });
    expect(await readFile(path)).toEqual(Buffer.from(CONTENT));
    expect(await readdir(folder.path)).toEqual(["a.wav"]);
  });

  it("may be empty", async () => {
    await using server = await serveObjects(object(new Uint8Array()));
    expect((await open(`${server.url}/a`).bytes()).byteLength).toBe(0);
  });

  it("goes on where a reset connection stopped", async () => {
    await using server = await serveObjects(
      resetAfter(CONTENT, 100_000),
      resetAfter(CONTENT, 50_000),
      object(CONTENT),
    );
    expect(await read(open(`${server.url}/a`))).toEqual(Buffer.from(CONTENT));
    expect(ranges(server)).toEqual([undefined, "bytes=100000-", "bytes=150000-"]);
  });

  it("survives more resets than it may have failures in a row, as long as bytes arrive", async () => {
    await using server = await serveObjects(resetAfter(CONTENT, 30_000));
    expect(await read(open(`${server.url}/a`))).toEqual(Buffer.from(CONTENT));
    expect(server.requests).toHaveLength(10);
  });

  it("skips what it has when the server ignores ranges", async () => {
    const whole: Reply = (response) => {
      response.writeHead(200, { etag: '"v1"', "content-length": CONTENT.length });
      response.end(CONTENT);
    };
    await using server = await serveObjects(resetAfter(CONTENT, 123_457), whole);
    expect(await read(open(`${server.url}/a`))).toEqual(Buffer.from(CONTENT));
  });

  it("gives up a server that stalls, and asks again", async () => {
    await using server = await serveObjects(stallAfter(CONTENT, 1_000), object(CONTENT));
    // Long enough for a busy machine, which must not stall where the server does not.
    expect(await read(open(`${server.url}/a`, { idleTimeoutMs: 2_000 }))).toEqual(Buffer.from(CONTENT));
    expect(ranges(server)).toEqual([undefined, "bytes=1000-"]);
  });

  it("asks again after 503 and 429", async () => {
    await using server = await serveObjects(
      status(503),
      status(429, "", { "retry-after": "1" }),
      object(CONTENT),
    );
    expect((await open(`${server.url}/a`).bytes()).byteLength).toBe(CONTENT.length);
  });

  it("follows a redirect", async () => {
    await using target = await serveObjects(object(CONTENT));
    await using server = await serveObjects(status(307, "", { location: `${target.url}/b` }));
    expect((await open(`${server.url}/a`).bytes()).byteLength).toBe(CONTENT.length);
  });

  it("stops with the run's signal, with its reason", async () => {
    await using server = await serveObjects(stallAfter(CONTENT, 1_000));
    const stop = new AbortController();
    const reading = read(open(`${server.url}/a`, { signal: stop.signal }));
    const reason = new Error("stopped by the test");
    const outcome = expect(reading).rejects.toBe(reason);
    await expect.poll(() => server.requests.length).toBe(1);
    stop.abort(reason);
    await outcome;
  });

  it("leaves no partial file behind", async () => {
    await using server = await serveObjects(resetAfter(CONTENT, 1_000), status(404));
    await using folder = await scratch();
    await expect(open(`${server.url}/a`).saveTo(join(folder.path, "a.wav"))).rejects.toThrow(
      /no such object/,
    );
    expect(await readdir(folder.path)).toEqual([]);
  });
});

describe("an input file that cannot be read", () => {
  it("is a terminal failure that names input and key when there is no such object", async () => {
    const error = await failureOf(status(404, "<Error><Code>NoSuchKey</Code></Error>"));
    expect(isTerminalError(error)).toBe(true);
    expect(error.code).toBe(TASK_ERROR.INVALID_INPUT);
    expect(error.message).toContain('input "recording", object "in/recording.wav": no such object');
    expect(error.message).toContain("404 (NoSuchKey)");
  });

  it("never shows the signature of its URL", async () => {
    for (const reply of [status(404), status(403), status(500), status(418)]) {
      expect((await failureOf(reply)).message).not.toContain("secret");
    }
  });

  it("says that the URL has expired, which another try can cure", async () => {
    const body = "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>";
    const error = await failureOf(status(403, body));
    expect(isRetryableError(error)).toBe(true);
    expect(error.message).toContain("its presigned URL has expired");
  });

  it("says so when the URL expires between two ranges", async () => {
    const body = "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>";
    expect((await failureOf(resetAfter(CONTENT, 10), status(403, body))).message).toContain("has expired");
  });

  it("is a terminal failure when access is refused", async () => {
    const error = await failureOf(status(403, "<Error><Code>SignatureDoesNotMatch</Code></Error>"));
    expect(isTerminalError(error)).toBe(true);
    expect(error.code).toBe(TASK_ERROR.PERMISSION_DENIED);
    expect(error.message).toContain("access refused");
  });

  it("is a retryable failure when storage stays down", async () => {
    const error = await failureOf(status(500));
    expect(isRetryableError(error)).toBe(true);
    expect(error.code).toBe(TASK_ERROR.NETWORK_ERROR);
    expect(error.message).toContain("gave up after 0 bytes");
  });

  it("is a retryable failure when nobody listens", async () => {
    const server = await serveObjects(status(200));
    await server[Symbol.asyncDispose]();
    await expect(open(`${server.url}/a`).bytes()).rejects.toThrow(/\[NETWORK_ERROR\].*ECONNREFUSED/);
  });

  it("is a retryable failure when the object was replaced between two ranges", async () => {
    const error = await failureOf(resetAfter(CONTENT, 10), object(CONTENT, '"v2"'));
    expect(isRetryableError(error)).toBe(true);
    expect(error.message).toContain("was replaced while it was read");
  });

  it("is a retryable failure when the object was replaced by a shorter one", async () => {
    await using server = await serveObjects(resetAfter(CONTENT, 100_000), status(416));
    await expect(open(`${server.url}/a`).bytes()).rejects.toMatchObject({
      name: "RetryableError",
      message: expect.stringContaining("shorter"),
    });
  });

  it("is a terminal failure above maxBytes, whether or not the size was announced", async () => {
    const unannounced: Reply = (response) => void response.writeHead(200).end(CONTENT);
    for (const reply of [object(CONTENT), unannounced]) {
      await using server = await serveObjects(reply);
      const reading = open(`${server.url}/a`).bytes({ maxBytes: 200_000 });
      await expect(reading).rejects.toMatchObject({ code: TASK_ERROR.QUOTA_EXCEEDED });
      await expect(reading).rejects.toThrow(
        /at most 200000 are read into memory; use stream\(\) or saveTo\(\)/,
      );
    }
  });

  it("is a terminal failure when the worker client sent a key and no URL", async () => {
    await expect(open("in/recording.wav").bytes()).rejects.toThrow(
      /arrived without a URL: its worker client brokers no storage/,
    );
  });
});

async function scratch(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "wep-sdk-test-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}
