// Downloads of which the URL does not live as long as the read, or the bytes do not arrive as they were.
import { createHash, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { InputDescriptorSchema, TASK_ERROR } from "@subnet-worker/protocol";
import { systemClock } from "@subnet-worker/kit";
import { FakeClock } from "@subnet-worker/testkit";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { md5OfEtag } from "../src/digest.ts";
import { openInputFile, openObject } from "../src/download.ts";
import { TerminalError } from "../src/errors.ts";
import { type Ask, type Grant, NotBrokeredError } from "../src/grant.ts";
import { isStale } from "../src/grant-request.ts";
import type { InputFile } from "../src/index.ts";
import { DEFAULT_TRANSFER, TransientFailure } from "../src/transfer-retry.ts";
import { hexOf, refuseExpired } from "./_broker.ts";
import { object, type ObjectServer, type Reply, resetAfter, serveObjects, status } from "./_objects.ts";

const CONTENT = randomBytes(30_000);
const SETTINGS = { ...DEFAULT_TRANSFER, maxFailures: 3, patienceMs: 0, initialBackoffMs: 1, maxBackoffMs: 2 };
const EXPIRED: Reply = (response) => refuseExpired(response);

interface InputFields {
  readonly objectKey?: string;
  readonly expiresUnix?: bigint;
  readonly maxBytes?: bigint;
}

interface Rig extends AsyncDisposable {
  readonly server: ObjectServer;
  readonly asks: Ask[];
  readonly partialFiles: Set<string>;
  readonly folder: string;
  readonly clock: FakeClock;
  input(fields?: InputFields): InputFile;
  object(): InputFile;
}

async function rig(
  replies: readonly Reply[],
  grant: (url: string, ask: Ask) => Partial<Grant> = (url) => ({ url }),
  patienceMs = 0,
): Promise<Rig> {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(await serveObjects(...replies));
  const folder = await mkdtemp(join(tmpdir(), "wep-sdk-test-"));
  stack.defer(() => rm(folder, { recursive: true }));
  const asks: Ask[] = [];
  const partialFiles = new Set<string>();
  const clock = new FakeClock();
  const deps = {
    // Waits are real and short; the time of day is the test's.
    clock: { ...systemClock, nowMs: () => clock.nowMs() },
    signal: new AbortController().signal,
    settings: { ...SETTINGS, patienceMs },
    partialFiles,
    requestGrant(ask: Ask): Promise<Grant> {
      asks.push(ask);
      const empty = { objectKey: "in/a", url: "", headers: {}, expiresAtMs: 0, uploadId: "" };
      return Promise.resolve().then(() => ({ ...empty, ...grant(`${server.url}/new/${asks.length}`, ask) }));
    },
  };
  const owned = stack.move();
  return {
    server,
    asks,
    partialFiles,
    folder,
    clock,
    input: (fields = {}) => {
      const descriptor = { name: "a", ref: `${server.url}/old`, objectKey: "in/a", ...fields };
      return openInputFile(create(InputDescriptorSchema, descriptor), deps);
    },
    object: () => openObject("runs/a/checkpoint", deps),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function urls({ server }: Rig): string[] {
  return server.requests.map(({ url }) => url);
}

function ranges({ server }: Rig): (string | undefined)[] {
  return server.requests.map(({ headers }) => headers.range);
}

/** The object, as a store that says more of it. */
function told(content: Uint8Array, headers: Record<string, string>): Reply {
  return (response) => {
    response.writeHead(200, { "content-length": content.length, ...headers });
    response.end(content);
  };
}

const DAMAGED = Buffer.from(CONTENT);
DAMAGED[17_000]! ^= 1;
const SHA256 = { "x-amz-meta-sha256": hexOf("sha256", CONTENT) };

describe("a URL that expires", () => {
  it("is renewed, and the read goes on where it stopped", async () => {
    await using test = await rig([resetAfter(CONTENT, 10_000), EXPIRED, object(CONTENT)]);
    expect(Buffer.from(await test.input().bytes())).toEqual(CONTENT);
    expect(urls(test)).toEqual(["/old", "/old", "/new/1"]);
    expect(ranges(test)[2]).toBe("bytes=10000-");
    expect(test.asks).toEqual([{ kind: "download", objectKey: "in/a" }]);
  });

  it("is renewed before its time is over, by the clock of the store's signer", async () => {
    await using test = await rig([object(CONTENT)]);
    const expiresUnix = BigInt(Math.floor(test.clock.nowMs() / 1_000) + 600);
    const file = test.input({ expiresUnix });
    await file.bytes();
    await test.clock.advance(565_000);
    await file.bytes();
    await test.clock.advance(10_000);
    await file.bytes();
    expect(urls(test)).toEqual(["/old", "/old", "/new/1"]);
  });

  it("is used all the same while it works and nobody answers", async () => {
    await using test = await rig([object(CONTENT)], () => {
      throw new TransientFailure("the stream ended");
    });
    const file = test.input({ expiresUnix: BigInt(Math.floor(test.clock.nowMs() / 1_000) + 600) });
    await test.clock.advance(580_000);
    expect((await file.bytes()).byteLength).toBe(CONTENT.length);
    expect(test.asks).toHaveLength(1);
  });

  it("is renewed once when it is refused for another reason", async () => {
    await using test = await rig([status(403, "<Code>SignatureDoesNotMatch</Code>")]);
    await expect(test.input().bytes()).rejects.toThrow(/access refused/);
    expect(urls(test)).toEqual(["/old", "/new/1"]);
  });

  it("is renewed after an outage that took more attempts than there are, too", async () => {
    const away = Array.from({ length: 2 * SETTINGS.maxFailures }, () => status(503));
    await using test = await rig([...away, EXPIRED, object(CONTENT)], undefined, 3_600_000);
    expect((await test.input().bytes()).byteLength).toBe(CONTENT.length);
    expect(urls(test).at(-1)).toBe("/new/1");
  });

  it.each([EXPIRED, status(403)])(
    "is waited for while nobody answers who could renew it",
    async (refused) => {
      let isAwayFor = 2 * SETTINGS.maxFailures;
      const grant = (url: string) => {
        if ((isAwayFor -= 1) >= 0) throw new TransientFailure("the stream ended");
        return { url };
      };
      const store: Reply = (response, request) => {
        const reply = (request.url ?? "").includes("/new/") ? object(CONTENT) : refused;
        reply(response, request);
      };
      await using test = await rig([store], grant, 3_600_000);
      expect((await test.input().bytes()).byteLength).toBe(CONTENT.length);
      // And not by asking the store again for what it has refused.
      expect(test.server.requests).toHaveLength(2);
    },
  );

  it("ends the read when nobody could renew it for too long, as worth another try", async () => {
    await using test = await rig([status(403)], () => {
      throw new TransientFailure("the stream ended");
    });
    await expect(test.input().bytes()).rejects.toMatchObject({
      name: "RetryableError",
      message: expect.stringMatching(/the stream ended/),
    });
  });

  it("ends the read when it is not renewed, as worth another try", async () => {
    await using test = await rig([EXPIRED], () => {
      throw new NotBrokeredError("no storage");
    });
    await expect(test.input().bytes()).rejects.toMatchObject({ name: "RetryableError" });
    expect(test.asks).toHaveLength(1);
  });

  it("ends the read with the words of the worker client when that refuses", async () => {
    const refusal = new TerminalError("[PERMISSION_DENIED] not yours", { code: "PERMISSION_DENIED" });
    await using test = await rig([EXPIRED], () => {
      throw refusal;
    });
    await expect(test.input().bytes()).rejects.toBe(refusal);
  });

  it("is not asked for when the input has no key", async () => {
    await using test = await rig([EXPIRED]);
    await expect(test.input({ objectKey: "" }).bytes()).rejects.toThrow(/has expired/);
    expect(test.asks).toEqual([]);
  });

  it("is renewed when a share or half a minute of its life is left, and not when a clock is wrong", () => {
    const life = fc.integer({ min: 1, max: 10_000_000 });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2_000_000_000_000 }),
        life,
        life,
        (obtainedAtMs, lifeMs, ageMs) => {
          const url = { obtainedAtMs, expiresAtMs: obtainedAtMs + lifeMs };
          const restMs = lifeMs - ageMs;
          const isNearlyOver = restMs <= Math.min(30_000, lifeMs * 0.05);
          expect(isStale(url, obtainedAtMs + ageMs)).toBe(isNearlyOver);
          expect(isStale({ obtainedAtMs, expiresAtMs: obtainedAtMs - ageMs }, obtainedAtMs + ageMs)).toBe(
            false,
          );
          expect(isStale({ obtainedAtMs, expiresAtMs: 0 }, obtainedAtMs + ageMs)).toBe(false);
        },
      ),
    );
  });
});

describe("an object that is no input", () => {
  it("is asked for when it is read, and not before", async () => {
    await using test = await rig([object(CONTENT)]);
    const file = test.object();
    expect([file.url, file.objectKey, test.asks.length]).toEqual(["", "runs/a/checkpoint", 0]);
    expect((await file.bytes()).byteLength).toBe(CONTENT.length);
    await file.bytes();
    expect(test.asks).toEqual([{ kind: "download", objectKey: "runs/a/checkpoint" }]);
    expect(file.url).toContain("/new/1");
  });

  it("cannot be read where the worker client brokers no storage", async () => {
    await using test = await rig([object(CONTENT)], () => {
      throw new NotBrokeredError("no storage");
    });
    await expect(test.object().bytes()).rejects.toMatchObject({ code: TASK_ERROR.INVALID_INPUT });
  });
});

const base64 = createHash("sha256").update(CONTENT).digest("base64");
const md5 = hexOf("md5", CONTENT);

describe("what arrives", () => {
  it.each([
    ["x-amz-meta-sha256", SHA256],
    ["x-amz-checksum-sha256", { "x-amz-checksum-sha256": base64 }],
    ["ETag", { etag: `"${md5}"` }],
  ])("is held against %s, and read again when it is damaged", async (_, headers) => {
    await using test = await rig([told(DAMAGED, headers), told(CONTENT, headers)]);
    expect(Buffer.from(await test.input().bytes())).toEqual(CONTENT);
    expect(test.server.requests).toHaveLength(2);
  });

  it("is saved only when it is whole", async () => {
    await using test = await rig([told(DAMAGED, SHA256), told(CONTENT, SHA256)]);
    const path = join(test.folder, "a");
    expect(await test.input().saveTo(path)).toEqual({ sizeBytes: CONTENT.length });
    expect(await readFile(path)).toEqual(CONTENT);
  });

  it("is an error after three reads that were damaged, worth another try, and no file is left", async () => {
    await using test = await rig([told(DAMAGED, SHA256)]);
    const path = join(test.folder, "a");
    for (const read of [() => test.input().bytes(), () => test.input().saveTo(path)]) {
      test.server.requests.length = 0;
      await expect(read()).rejects.toMatchObject({
        name: "RetryableError",
        code: TASK_ERROR.NETWORK_ERROR,
        message: expect.stringMatching(/object "in\/a": what arrived .* x-amz-meta-sha256 says/),
      });
      expect(test.server.requests).toHaveLength(3);
    }
    expect(await readdir(test.folder)).toEqual([]);
    expect(test.partialFiles.size).toBe(0);
  });

  it("is an error at the end of a stream", async () => {
    await using test = await rig([told(DAMAGED, SHA256)]);
    let sizeBytes = 0;
    const reading = (async () => {
      for await (const chunk of test.input().stream()) sizeBytes += chunk.byteLength;
    })();
    await expect(reading).rejects.toMatchObject({ name: "RetryableError" });
    expect(sizeBytes).toBe(CONTENT.length);
  });

  it("is found damaged in what came before a cut as well", async () => {
    const withDigest = (reply: Reply): Reply => {
      return (response, request) => {
        response.setHeader("x-amz-meta-sha256", SHA256["x-amz-meta-sha256"]);
        reply(response, request);
      };
    };
    await using test = await rig([withDigest(resetAfter(DAMAGED, 20_000)), withDigest(object(CONTENT))]);
    expect(Buffer.from(await test.input().bytes())).toEqual(CONTENT);
    expect(ranges(test)).toEqual([undefined, "bytes=20000-", undefined]);
  });

  it.each([
    ["nothing", {}, {}],
    ["an ETag of parts", { etag: `"${md5.slice(1)}0-3"` }],
    ["an ETag of a server that is no store", { etag: `"${"0".repeat(32)}"` }, { objectKey: "" }],
    [
      "an ETag of what KMS encrypts",
      { etag: `"${"0".repeat(32)}"`, "x-amz-server-side-encryption": "aws:kms" },
    ],
    [
      "an ETag of what has a key of its own",
      { etag: `"${"0".repeat(32)}"`, "x-amz-server-side-encryption-customer-algorithm": "AES256" },
    ],
    ["an ETag of S3 Express", { etag: `"${"0".repeat(32)}"`, "x-amz-storage-class": "EXPRESS_ONEZONE" }],
    ["a digest of digests", { "x-amz-checksum-sha256": `${base64}-3` }],
    ["one that says that it is one", { "x-amz-checksum-sha256": base64, "x-amz-checksum-type": "COMPOSITE" }],
  ] satisfies [string, Record<string, string>, InputFields?][])(
    "is taken as it comes when the store gives %s",
    async (...[, headers, fields]) => {
      await using test = await rig([told(DAMAGED, headers)]);
      expect(Buffer.from(await test.input(fields).bytes())).toEqual(DAMAGED);
    },
  );

  it("may have an ETag that is no MD5 at all", () => {
    fc.assert(
      fc.property(fc.string(), (etag) => {
        fc.pre(!/^"?[0-9a-f]{32}"?$/i.test(etag));
        expect(md5OfEtag({ etag })).toBeUndefined();
      }),
    );
    expect(md5OfEtag({})).toBeUndefined();
  });
});

describe("an interrupted save", () => {
  const down = [status(503), status(503), status(503)];

  it("is gone on with by the next one of the same run", async () => {
    await using test = await rig([resetAfter(CONTENT, 12_000), ...down, object(CONTENT)]);
    const path = join(test.folder, "a");
    const file = test.input();
    await expect(file.saveTo(path)).rejects.toMatchObject({ name: "RetryableError" });
    expect([existsSync(path), existsSync(`${path}.part`)]).toEqual([false, true]);
    expect([...test.partialFiles]).toEqual([path]);
    await file.saveTo(path);
    expect(await readFile(path)).toEqual(CONTENT);
    expect(ranges(test).at(-1)).toBe("bytes=12000-");
    expect(test.partialFiles.size).toBe(0);
  });

  it("begins anew when its file is not what it was", async () => {
    await using test = await rig([resetAfter(CONTENT, 12_000), ...down, object(CONTENT)]);
    const path = join(test.folder, "a");
    const file = test.input();
    await expect(file.saveTo(path)).rejects.toThrow(/gave up/);
    await truncate(`${path}.part`, 11_999);
    await file.saveTo(path);
    expect(await readFile(path)).toEqual(CONTENT);
    expect(ranges(test).at(-1)).toBeUndefined();
  });
});

describe("the bound of the spec", () => {
  it("holds before anything is read, and while it is read", async () => {
    // More than comes in one piece.
    const large = randomBytes(400_000);
    const silent: Reply = (response) => void response.writeHead(200).end(large);
    for (const reply of [object(large), silent]) {
      await using test = await rig([reply]);
      let sizeBytes = 0;
      const reading = (async () => {
        for await (const chunk of test.input({ maxBytes: 200_000n }).stream()) sizeBytes += chunk.byteLength;
      })();
      await expect(reading).rejects.toMatchObject({ code: TASK_ERROR.QUOTA_EXCEEDED });
      await expect(reading).rejects.toThrow(/object "in\/a" has \d+ bytes.*spec allows at most 200000/);
      expect(sizeBytes).toBeLessThanOrEqual(200_000);
      expect(sizeBytes > 0).toBe(reply === silent);
    }
  });

  it("lets through what is as large as it", async () => {
    await using test = await rig([object(CONTENT)]);
    const file = test.input({ maxBytes: BigInt(CONTENT.length) });
    expect((await file.bytes()).byteLength).toBe(CONTENT.length);
  });
});

it("progress counts what has arrived, over cuts", async () => {
  await using test = await rig([resetAfter(CONTENT, 12_000), object(CONTENT)]);
  const seen: number[] = [];
  await test.input().bytes({
    onProgress({ doneBytes, totalBytes }) {
      seen.push(doneBytes);
      expect(totalBytes).toBe(CONTENT.length);
    },
  });
  expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  expect(seen.at(-1)).toBe(CONTENT.length);
});

it("what onProgress throws ends the read as it is", async () => {
  await using test = await rig([object(CONTENT)]);
  const onProgress = () => {
    throw new RangeError("of the handler's own");
  };
  await expect(test.input().bytes({ onProgress })).rejects.toThrow("of the handler's own");
  expect(test.server.requests).toHaveLength(1);
});
