import { createHash, randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type CompletedPart,
  type StorageBroker,
  StorageError,
  type UploadTicket,
} from "../src/storage-ports.ts";

/** What a store that is otherwise a broker does not do: each is named where the contract asks for it. */
export type Lack =
  /** Takes a content with another MD5 than announced. */
  | "checks MD5"
  /** Makes an object of parts whatever their ETags were said to be. */
  | "checks ETags of parts"
  /** `a` and `a/b` may both be objects. */
  | "keys below keys"
  /** Keys with `?`, `#`, `:` and the like. */
  | "any key";

/** Where a contract test is: a broker, and what an executor would use its URLs with. */
export interface StoragePlace extends AsyncDisposable {
  readonly broker: StorageBroker;
  /** A broker of the same store whose URLs have expired by the time they are used. */
  readonly late: StorageBroker;
  fetch(
    url: string,
    init?: {
      readonly method?: string;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: Uint8Array;
    },
  ): Promise<Response>;
}

export interface StorageUnderTest {
  readonly name: string;
  readonly lacks: readonly Lack[];
  readonly open: () => Promise<StoragePlace>;
}

/** S3 wants this of every part but the last. */
const PART = 5 * 1_024 * 1_024;
const md5Of = (content: Uint8Array) => createHash("md5").update(content).digest();
const sha256Of = (content: Uint8Array) => createHash("sha256").update(content).digest();

/** What every broker of objects keeps to. */
export function describeStorage({ name, lacks, open }: StorageUnderTest): void {
  describe(name, () => {
    let place: StoragePlace;
    let count = 0;
    beforeAll(async () => {
      place = await open();
    });
    afterAll(() => place[Symbol.asyncDispose]());
    /** A prefix of its own for each test. */
    const fresh = () => `contract/${(count += 1)}/`;
    const bench: Bench = {
      place: () => place,
      fresh,
      put: (ticket, body, headers = ticket.headers) =>
        place.fetch(ticket.url, { method: "PUT", headers, body: Buffer.from(body) }),
      write: async (objectKey, content) => {
        const wish = { mediaType: "", sizeBytes: content.length };
        const { status } = await bench.put(await place.broker.uploadTicket(objectKey, wish), content);
        expect(status).toBe(200);
      },
    };
    const unless = (lack: Lack) => (lacks.includes(lack) ? lacking(lack) : it);
    describeTickets(bench, unless);
    describeMultipart(bench, unless);
    describeObjects(bench);
  });
}

/** The test is there and says what is missing, and turns red when it no longer is. */
function lacking(lack: Lack): typeof it {
  return ((title: string, run: () => Promise<void>) =>
    it(`does not (${lack}): ${title}`, async () => {
      await expect(run()).rejects.toThrow();
    })) as typeof it;
}

interface Bench {
  readonly place: () => StoragePlace;
  readonly fresh: () => string;
  readonly put: (
    ticket: UploadTicket,
    body: Uint8Array,
    headers?: Readonly<Record<string, string>>,
  ) => Promise<Response>;
  readonly write: (objectKey: string, content: Uint8Array) => Promise<void>;
}

type Unless = (lack: Lack) => typeof it;

function describeTickets({ place, fresh, put, write }: Bench, unless: Unless): void {
  it("gives back what was put through its URL, whole and in part", async () => {
    const key = `${fresh()}sound.wav`;
    const content = randomBytes(100_000);
    const ticket = await place().broker.uploadTicket(key, {
      mediaType: "audio/wav",
      sizeBytes: content.length,
    });
    expect(ticket.objectKey).toBe(key);
    expect((await put(ticket, content)).status).toBe(200);
    const { url } = await place().broker.downloadTicket(key);
    const whole = await place().fetch(url);
    expect([whole.status, whole.headers.get("etag")]).toEqual([200, expect.stringMatching(/^".+"$/)]);
    expect(Buffer.from(await whole.arrayBuffer()).equals(content)).toBe(true);
    const part = await place().fetch(url, { headers: { range: "bytes=99990-" } });
    expect([part.status, part.headers.get("content-range")]).toEqual([206, "bytes 99990-99999/100000"]);
    expect(Buffer.from(await part.arrayBuffer()).equals(content.subarray(99_990))).toBe(true);
  });

  it.each(["a b+c.txt", "ümlaut/ß.txt", "50%.txt", "%2e%2e/x", "a&b=c.txt", "deep/er/and/deep/er.txt"])(
    "leads to the very object: %s",
    async (name) => {
      const [first, second] = [fresh(), fresh()];
      await write(`${first}${name}`, Buffer.from("this one"));
      await write(`${second}${name}`, Buffer.from("another"));
      const { url } = await place().broker.downloadTicket(`${first}${name}`);
      expect(await (await place().fetch(url)).text()).toBe("this one");
    },
  );

  unless("any key")("takes a key with characters that mean something in URLs", async () => {
    const key = `${fresh()}a?b#c:d.txt`;
    await write(key, Buffer.from("odd"));
    expect(await place().broker.head(key)).toMatchObject({ objectKey: key, sizeBytes: 3 });
  });

  unless("keys below keys")("keeps a key and a key below it apart", async () => {
    const prefix = fresh();
    await write(`${prefix}a`, Buffer.from("upper"));
    await write(`${prefix}a/b`, Buffer.from("below"));
    expect(Buffer.from(await place().broker.read(`${prefix}a`, 10)).toString()).toBe("upper");
  });

  it("says when a URL ends, and it ends then", async () => {
    const key = `${fresh()}late.txt`;
    await write(key, Buffer.from("x"));
    const { url } = await place().late.downloadTicket(key);
    const upload = await place().late.uploadTicket(key, { mediaType: "text/plain", sizeBytes: 1 });
    expect((await place().fetch(url)).status).toBe(403);
    expect((await put(upload, Buffer.from("y"))).status).toBe(403);
    expect(Buffer.from(await place().broker.read(key, 1)).toString()).toBe("x");
  });

  it("lets nobody write with a URL that reads, or read with one that writes", async () => {
    const key = `${fresh()}mine.txt`;
    await write(key, Buffer.from("x"));
    const { url } = await place().broker.downloadTicket(key);
    const upload = await place().broker.uploadTicket(key, { mediaType: "text/plain", sizeBytes: 1 });
    expect((await place().fetch(url, { method: "PUT", body: Buffer.from("y") })).status).toBe(403);
    expect((await place().fetch(upload.url)).status).toBe(403);
    expect(Buffer.from(await place().broker.read(key, 1)).toString()).toBe("x");
  });

  it("holds an upload to its length, type and checksum", async () => {
    const key = `${fresh()}held.txt`;
    const wish = { mediaType: "text/plain", sizeBytes: 3, sha256: sha256Of(Buffer.from("abc")) };
    const ticket = await place().broker.uploadTicket(key, wish);
    const { "x-amz-meta-sha256": sha256 = "", ...others } = ticket.headers;
    expect(sha256).toBe(wish.sha256.toString("hex"));
    const attempts: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
      ["abcd", { ...ticket.headers, "content-length": "4" }],
      ["abc", { ...ticket.headers, "content-type": "text/html" }],
      ["abc", { ...ticket.headers, "x-amz-meta-sha256": "0".repeat(64) }],
      ["abc", others],
    ];
    for (const [body, headers] of attempts) {
      const { status } = await put(ticket, Buffer.from(body), headers);
      expect(status).toBeGreaterThanOrEqual(400);
    }
    expect(await place().broker.head(key)).toBeUndefined();
    expect((await put(ticket, Buffer.from("abc"))).status).toBe(200);
  });

  unless("checks MD5")("refuses a content that does not have the MD5 that was announced", async () => {
    const key = `${fresh()}sum.txt`;
    const wish = { mediaType: "text/plain", sizeBytes: 3, md5: md5Of(Buffer.from("abc")) };
    const ticket = await place().broker.uploadTicket(key, wish);
    expect((await put(ticket, Buffer.from("abd"))).status).toBe(400);
    expect(await place().broker.head(key)).toBeUndefined();
    expect((await put(ticket, Buffer.from("abc"))).status).toBe(200);
    expect(await place().broker.head(key)).toMatchObject({ sizeBytes: 3 });
  });
}

function describeMultipart({ place, fresh, put }: Bench, unless: Unless): void {
  async function uploadPart(
    objectKey: string,
    uploadId: string,
    { partNumber, content }: { readonly partNumber: number; readonly content: Uint8Array },
  ): Promise<CompletedPart> {
    const wish = { partNumber, sizeBytes: content.length, md5: md5Of(content) };
    const answer = await put(await place().broker.partTicket(objectKey, uploadId, wish), content);
    expect(answer.status).toBe(200);
    return { partNumber, etag: answer.headers.get("etag") ?? "" };
  }

  it("makes an object of parts, in whatever order they came, with its type and checksum", async () => {
    const key = `${fresh()}big.bin`;
    const contents = [randomBytes(PART), randomBytes(PART), randomBytes(1_000)];
    const sha256 = sha256Of(Buffer.concat(contents));
    const id = await place().broker.createMultipart(key, { mediaType: "video/mp4", sha256 });
    const parts: CompletedPart[] = [];
    for (const partNumber of [3, 1, 2]) {
      parts.push(await uploadPart(key, id, { partNumber, content: contents[partNumber - 1]! }));
    }
    expect(await place().broker.head(key)).toBeUndefined();
    await place().broker.completeMultipart(key, id, parts);
    expect(await place().broker.head(key)).toMatchObject({ sizeBytes: 2 * PART + 1_000 });
    expect(Buffer.from((await place().broker.head(key))?.sha256 ?? []).equals(sha256)).toBe(true);
    const got = await place().fetch((await place().broker.downloadTicket(key)).url);
    expect(got.headers.get("content-type")).toBe("video/mp4");
    expect(sha256Of(Buffer.from(await got.arrayBuffer())).equals(sha256)).toBe(true);
    // Its first answer may have got lost.
    await place().broker.completeMultipart(key, id, parts);
  });

  it("takes the last of a part that came twice", async () => {
    const key = `${fresh()}twice.bin`;
    const id = await place().broker.createMultipart(key, { mediaType: "" });
    await uploadPart(key, id, { partNumber: 1, content: Buffer.from("first") });
    const part = await uploadPart(key, id, { partNumber: 1, content: Buffer.from("second") });
    await place().broker.completeMultipart(key, id, [part]);
    expect(Buffer.from(await place().broker.read(key, 100)).toString()).toBe("second");
  });

  unless("checks ETags of parts")("makes nothing of parts that are not as they were said to be", async () => {
    const key = `${fresh()}wrong.bin`;
    const id = await place().broker.createMultipart(key, { mediaType: "" });
    const part = await uploadPart(key, id, { partNumber: 1, content: Buffer.from("first") });
    await uploadPart(key, id, { partNumber: 1, content: Buffer.from("second") });
    await expect(place().broker.completeMultipart(key, id, [part])).rejects.toBeInstanceOf(StorageError);
    expect(await place().broker.head(key)).toBeUndefined();
  });

  it("lists uploads that have not ended, and throws them away", async () => {
    const prefix = fresh();
    const [kept, gone] = [`${prefix}a/kept.bin`, `${prefix}a/gone.bin`];
    const ids = [
      await place().broker.createMultipart(kept, { mediaType: "" }),
      await place().broker.createMultipart(gone, { mediaType: "" }),
      await place().broker.createMultipart(`${prefix}b/other.bin`, { mediaType: "" }),
    ];
    await place().broker.abortMultipart(gone, ids[1]!);
    await place().broker.abortMultipart(gone, ids[1]!);
    const open = await all(place().broker.listMultiparts(`${prefix}a/`));
    expect(open).toEqual([{ objectKey: kept, uploadId: ids[0], startedAtMs: expect.any(Number) }]);
    const late = await place().broker.partTicket(gone, ids[1]!, { partNumber: 1, sizeBytes: 1 });
    expect((await put(late, Buffer.from("x"))).status).toBe(404);
    await expect(
      place().broker.completeMultipart(gone, ids[1]!, [{ partNumber: 1, etag: '"x"' }]),
    ).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
}

function describeObjects({ place, fresh, put, write }: Bench): void {
  it("tells size, time and checksum of an object, and that there is none", async () => {
    const key = `${fresh()}known.txt`;
    expect(await place().broker.head(key)).toBeUndefined();
    const content = Buffer.from("abc");
    const wish = { mediaType: "text/plain", sizeBytes: 3, sha256: sha256Of(content) };
    await put(await place().broker.uploadTicket(key, wish), content);
    const found = await place().broker.head(key);
    expect(found).toMatchObject({ objectKey: key, sizeBytes: 3, modifiedAtMs: expect.any(Number) });
    expect(Buffer.from(found?.sha256 ?? []).equals(wish.sha256)).toBe(true);
    await write(key, Buffer.from("without"));
    expect(await place().broker.head(key)).toEqual({
      objectKey: key,
      sizeBytes: 7,
      modifiedAtMs: expect.any(Number),
    });
  });

  it("reads an object as far as its bound allows", async () => {
    const key = `${fresh()}bounded.txt`;
    await write(key, Buffer.from("12345"));
    expect(Buffer.from(await place().broker.read(key, 5)).toString()).toBe("12345");
    await expect(place().broker.read(key, 4)).rejects.toMatchObject({ code: "TOO_LARGE" });
    await expect(place().broker.read(`${key}.not`, 4)).rejects.toMatchObject({ code: "NOT_FOUND" });
    await write(key, Buffer.alloc(0));
    expect((await place().broker.read(key, 0)).length).toBe(0);
  });

  it("lists what is below a prefix and nothing else", async () => {
    const prefix = fresh();
    for (const name of ["run/a.txt", "run/b/c.txt", "run2/d.txt", "e.txt"]) {
      await write(`${prefix}${name}`, Buffer.from(name));
    }
    const keysUnder = async (below: string) =>
      (await all(place().broker.list(below)))
        .map(({ objectKey }) => objectKey.slice(prefix.length))
        .toSorted();
    expect(await keysUnder(`${prefix}run/`)).toEqual(["run/a.txt", "run/b/c.txt"]);
    expect(await keysUnder(`${prefix}run`)).toEqual(["run/a.txt", "run/b/c.txt", "run2/d.txt"]);
    expect(await keysUnder(`${prefix}nothing`)).toEqual([]);
    const [first] = await all(place().broker.list(`${prefix}e`));
    expect(first).toEqual({ objectKey: `${prefix}e.txt`, sizeBytes: 5, modifiedAtMs: expect.any(Number) });
  });

  it("removes objects, also when they are gone already", async () => {
    const prefix = fresh();
    const keys = ["a.txt", "b/c.txt", "b/d.txt"].map((name) => `${prefix}${name}`);
    for (const key of keys) await write(key, Buffer.from("x"));
    await place().broker.remove([...keys.slice(0, 2), `${prefix}never.txt`]);
    await place().broker.remove(keys.slice(0, 1));
    await place().broker.remove([]);
    const left = await all(place().broker.list(prefix));
    expect(left.map(({ objectKey }) => objectKey)).toEqual([keys[2]]);
    expect(await place().broker.head(keys[0]!)).toBeUndefined();
  });

  it("lists more than fits a page", async () => {
    const prefix = fresh();
    const keys = Array.from(
      { length: 1_001 },
      (_, index) => `${prefix}${String(index).padStart(5, "0")}.txt`,
    );
    for (let start = 0; start < keys.length; start += 50) {
      await Promise.all(keys.slice(start, start + 50).map((key) => write(key, Buffer.from("x"))));
    }
    const found = (await all(place().broker.list(prefix))).map(({ objectKey }) => objectKey);
    expect(found.toSorted()).toEqual(keys);
    await place().broker.remove(keys);
    expect(await all(place().broker.list(prefix))).toEqual([]);
  });
}

async function all<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}
