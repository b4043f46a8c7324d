import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import { listenObjectStore, ObjectStoreError } from "../src/index.ts";
import { openStore, rawRequest } from "./_stores.ts";

const WISH = { mediaType: "text/plain", sizeBytes: 3 };
const put = (url: string, headers: Readonly<Record<string, string>>, body = "abc") =>
  fetch(url, { method: "PUT", headers, body });

describe("a URL", () => {
  it("is good for its key, method, time and headers, and nothing else", async () => {
    await using bench = await openStore();
    const { url, headers } = await bench.store.uploadTicket("a.txt", WISH);
    const changed = (name: string, value: string) => {
      const other = new URL(url);
      other.searchParams.set(name, value);
      return other.href;
    };
    const attempts: readonly Promise<Response>[] = [
      put(url.replace("/a.txt", "/b.txt"), headers),
      put(changed("expires", "9999999999999"), headers),
      put(changed("signature", "A".repeat(43)), headers),
      put(changed("signature", ""), headers),
      put(changed("signed", "content-type"), headers),
      put(changed("signed", ""), headers),
      put(changed("uploadId", "x"), headers),
      put(url.split("?")[0] ?? "", headers),
      put(url, { ...headers, "content-type": "text/html" }),
      fetch(url),
      fetch(url, { method: "HEAD" }),
    ];
    for (const answer of await Promise.all(attempts)) expect(answer.status).toBe(403);
    for (const method of ["DELETE", "POST", "PATCH", "OPTIONS"]) {
      expect((await fetch(url, { method })).status).toBe(405);
    }
    const download = await bench.store.downloadTicket("a.txt");
    expect((await put(download.url, {})).status).toBe(403);
    expect(await bench.store.head("a.txt")).toBeUndefined();
    expect((await put(url, headers)).status).toBe(200);
  });

  it("ends when its time has come", async () => {
    let nowMs = 1_000_000;
    await using bench = await openStore({ clock: { nowMs: () => nowMs }, urlLifetimeMs: 1_000 });
    await bench.store.write("a.txt", Buffer.from("abc"));
    const { url, expiresAtMs } = await bench.store.downloadTicket("a.txt");
    expect(expiresAtMs).toBe(1_001_000);
    nowMs = 1_000_999;
    expect((await fetch(url)).status).toBe(200);
    nowMs = 1_001_000;
    const late = await fetch(url);
    expect([late.status, await late.text()]).toEqual([403, expect.stringContaining("Request has expired")]);
  });

  it("works at another store of the folder with the same secret, and at none with another", async () => {
    const secret = randomBytes(32);
    await using bench = await openStore({ secret });
    await bench.store.write("a.txt", Buffer.from("abc"));
    const { url } = await bench.store.downloadTicket("a.txt");
    const same = await bench.again({ secret });
    const other = await bench.again();
    expect((await fetch(url.replace(bench.store.url, same.url))).status).toBe(200);
    expect((await fetch(url.replace(bench.store.url, other.url))).status).toBe(403);
  });

  it("shows nothing of the secret, and neither does what is told of requests", async () => {
    const secret = Buffer.from("0123456789abcdef-secret");
    await using bench = await openStore({ secret });
    const { url } = await bench.store.downloadTicket("a.txt");
    await fetch(url);
    const told = JSON.stringify([url, bench.served, readdirSync(bench.directory, { recursive: true })]);
    expect(told).not.toContain(secret.toString());
    expect(told).not.toContain(secret.toString("base64url"));
    expect(JSON.stringify(bench.served)).not.toContain("signature");
    expect(bench.served).toEqual([
      { method: "GET", objectKey: "a.txt", status: 404, problem: "NoSuchKey: There is no such object." },
    ]);
  });
});

describe("reading", () => {
  it.each([
    ["bytes=0-0", 206, "0", "bytes 0-0/10"],
    ["bytes=2-4", 206, "234", "bytes 2-4/10"],
    ["bytes=7-", 206, "789", "bytes 7-9/10"],
    ["bytes=7-100", 206, "789", "bytes 7-9/10"],
    ["bytes=-3", 206, "789", "bytes 7-9/10"],
    ["bytes=-100", 206, "0123456789", "bytes 0-9/10"],
    ["bytes=5-2", 200, "0123456789", null],
    ["bytes=-", 200, "0123456789", null],
    ["bytes=0-1,3-4", 200, "0123456789", null],
    ["lines=1-2", 200, "0123456789", null],
    ["bytes=10-", 416, expect.stringContaining("InvalidRange"), "bytes */10"],
    ["bytes=-0", 416, expect.stringContaining("InvalidRange"), "bytes */10"],
  ])("%s gives %i", async (...[range, status, text, contentRange]) => {
    await using bench = await openStore();
    await bench.store.write("ten", Buffer.from("0123456789"));
    const { url } = await bench.store.downloadTicket("ten");
    const answer = await fetch(url, { headers: { range } });
    expect([answer.status, await answer.text(), answer.headers.get("content-range")]).toEqual([
      status,
      text,
      contentRange,
    ]);
  });

  it("goes on only where the object is still the same", async () => {
    await using bench = await openStore();
    await bench.store.write("a", Buffer.from("first"));
    const { url } = await bench.store.downloadTicket("a");
    const etag = (await fetch(url)).headers.get("etag") ?? "";
    expect(etag).toBe(`"${createHash("md5").update("first").digest("hex")}"`);
    const range = { range: "bytes=2-" };
    expect(await (await fetch(url, { headers: { ...range, "if-match": etag } })).text()).toBe("rst");
    expect(await (await fetch(url, { headers: { ...range, "if-range": etag } })).text()).toBe("rst");
    expect((await fetch(url, { headers: { "if-none-match": etag } })).status).toBe(304);
    await bench.store.write("a", Buffer.from("other"));
    expect((await fetch(url, { headers: { ...range, "if-match": etag } })).status).toBe(412);
    const whole = await fetch(url, { headers: { ...range, "if-range": etag } });
    expect([whole.status, await whole.text()]).toEqual([200, "other"]);
  });

  it("answers HEAD with the size and without the content", async () => {
    await using bench = await openStore();
    const sha256 = createHash("sha256").update("abc").digest();
    await bench.store.write("a", Buffer.from("abc"), { mediaType: "audio/wav", sha256 });
    const answer = await fetch((await bench.store.downloadTicket("a")).url, { method: "HEAD" });
    expect(answer.status).toBe(200);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      "content-length": "3",
      "content-type": "audio/wav",
      "accept-ranges": "bytes",
      "x-amz-meta-sha256": sha256.toString("hex"),
    });
    expect(await answer.text()).toBe("");
  });

  it("takes a file that somebody put there for an object", async () => {
    await using bench = await openStore();
    mkdirSync(join(bench.directory, "in"));
    const path = join(bench.directory, "in", "mine.txt");
    writeFileSync(path, "by hand");
    const { url } = await bench.store.downloadTicket("in/mine.txt");
    const first = await fetch(url);
    expect([first.headers.get("content-type"), await first.text()]).toEqual([
      "application/octet-stream",
      "by hand",
    ]);
    expect(await bench.store.head("in/mine.txt")).toMatchObject({ sizeBytes: 7 });
    // What was known of the object that it takes the place of is not known of it.
    const sha256 = createHash("sha256").update("written").digest();
    await bench.store.write("in/mine.txt", Buffer.from("written"), { mediaType: "text/plain", sha256 });
    writeFileSync(path, "by hand");
    utimesSync(path, 1, 1);
    const second = await fetch(url);
    expect(second.headers.get("content-type")).toBe("application/octet-stream");
    expect(second.headers.get("etag")).not.toBe(first.headers.get("etag"));
    expect(await bench.store.head("in/mine.txt")).not.toHaveProperty("sha256");
  });

  it("finds no object in a folder or a key below an object", async () => {
    await using bench = await openStore();
    await bench.store.write("a/b", Buffer.from("x"));
    expect(await bench.store.head("a")).toBeUndefined();
    expect(await bench.store.head("a/b/c")).toBeUndefined();
    expect((await fetch((await bench.store.downloadTicket("a")).url)).status).toBe(404);
    const message = expect.stringMatching(/a key cannot be an object and a folder of others at once/);
    await expect(bench.store.write("a", Buffer.from("x"))).rejects.toMatchObject({
      code: "REFUSED",
      message,
    });
    await expect(bench.store.write("a/b/c", Buffer.from("x"))).rejects.toMatchObject({
      code: "REFUSED",
      message,
    });
    expect(Buffer.from(await bench.store.read("a/b", 1)).toString()).toBe("x");
  });
});

describe("writing", () => {
  it("is whole or not at all when the connection breaks", async () => {
    await using bench = await openStore();
    await bench.store.write("a.txt", Buffer.from("old"));
    const { url, headers } = await bench.store.uploadTicket("a.txt", { mediaType: "", sizeBytes: 1_000_000 });
    const { hostname, port, pathname, search } = new URL(url);
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const socket = connect(Number(port), hostname);
    socket.on("error", () => undefined);
    socket.write(
      `PUT ${pathname}${search} HTTP/1.1\r\nhost: x\r\n${lines.join("")}\r\n${"x".repeat(70_000)}`,
    );
    await expect.poll(() => readdirSync(join(bench.directory, ".store", "drafts")).length).toBe(1);
    socket.resetAndDestroy();
    await expect.poll(() => bench.served.length).toBe(1);
    expect(bench.served[0]).toMatchObject({ method: "PUT", objectKey: "a.txt", status: 0 });
    expect(Buffer.from(await bench.store.read("a.txt", 10)).toString()).toBe("old");
    expect(readdirSync(join(bench.directory, ".store", "drafts"))).toEqual([]);
  });

  it("by many at once leaves one of them, whole, with what is known of it", async () => {
    await using bench = await openStore();
    const contents = Array.from({ length: 16 }, (_, index) => `${index} `.repeat(10_000));
    await Promise.all(
      contents.map((content) =>
        bench.store.write("a.txt", Readable.from([Buffer.from(content)]), {
          sha256: createHash("sha256").update(content).digest(),
        }),
      ),
    );
    const text = Buffer.from(await bench.store.read("a.txt", 1_000_000)).toString();
    expect(contents).toContain(text);
    const { sha256 } = (await bench.store.head("a.txt")) ?? {};
    expect(Buffer.from(sha256 ?? []).equals(createHash("sha256").update(text).digest())).toBe(true);
  });

  it("goes on beside removals of the last object of a folder", async () => {
    await using bench = await openStore();
    const turns = Array.from({ length: 100 }, (_, index) => index);
    await Promise.all(
      turns.map(async (turn) => {
        await bench.store.write(`deep/er/${turn}`, Buffer.from("x"));
        await bench.store.remove([`deep/er/${turn}`]);
      }),
    );
    expect(readdirSync(bench.directory)).toEqual([".store"]);
    expect(readdirSync(join(bench.directory, ".store", "facts"))).toEqual([]);
  });

  it("says no to a body without a length", async () => {
    await using bench = await openStore();
    const { url, headers } = await bench.store.uploadTicket("a.txt", WISH);
    const { "content-length": _length, ...others } = headers;
    const { origin, pathname, search } = new URL(url);
    const answer = await rawRequest(origin, pathname + search, {
      method: "PUT",
      headers: { ...others, "transfer-encoding": "chunked" },
      body: "abc",
    });
    expect(answer.status).toBe(403); // the length is signed
    expect(await bench.store.head("a.txt")).toBeUndefined();
  });

  it("checks the MD5, and answers before anything is there", async () => {
    await using bench = await openStore();
    const md5 = createHash("md5").update("abc").digest();
    const { url, headers } = await bench.store.uploadTicket("a.txt", { ...WISH, md5 });
    const answer = await put(url, headers, "abd");
    expect([answer.status, await answer.text()]).toEqual([
      400,
      expect.stringContaining("<Code>BadDigest</Code>"),
    ]);
    expect(await bench.store.head("a.txt")).toBeUndefined();
    await expect(bench.store.write("a.txt", Buffer.from("abd"), { md5 })).rejects.toMatchObject({
      code: "REFUSED",
    });
  });
});

describe("an upload in parts", () => {
  it("goes on where it was after a restart", async () => {
    await using bench = await openStore();
    const id = await bench.store.createMultipart("big", { mediaType: "video/mp4" });
    const first = await bench.store.partTicket("big", id, { partNumber: 1, sizeBytes: 3 });
    const { headers } = await put(first.url, first.headers);
    await bench.store[Symbol.asyncDispose]();
    const again = await bench.again();
    const second = await again.partTicket("big", id, { partNumber: 2, sizeBytes: 3 });
    const answer = await put(second.url, second.headers, "def");
    await again.completeMultipart("big", id, [
      { partNumber: 1, etag: headers.get("etag") ?? "" },
      { partNumber: 2, etag: answer.headers.get("etag")?.replaceAll('"', "") ?? "" },
    ]);
    expect(Buffer.from(await again.read("big", 10)).toString()).toBe("abcdef");
    expect(readdirSync(join(bench.directory, ".store", "uploads"))).toEqual([]);
  });

  it("belongs to its key", async () => {
    await using bench = await openStore();
    const id = await bench.store.createMultipart("mine", { mediaType: "" });
    const ticket = await bench.store.partTicket("yours", id, { partNumber: 1, sizeBytes: 3 });
    expect((await put(ticket.url, ticket.headers)).status).toBe(404);
    await bench.store.abortMultipart("yours", id);
    await expect(
      bench.store.completeMultipart("yours", id, [{ partNumber: 1, etag: "x" }]),
    ).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect(readdirSync(join(bench.directory, ".store", "uploads"))).toEqual([id]);
  });

  it.each([0, -1, 1.5, 10_001, Number.NaN])("has no part %d", async (partNumber) => {
    await using bench = await openStore();
    await expect(bench.store.partTicket("a", "id", { partNumber, sizeBytes: 1 })).rejects.toMatchObject({
      code: "REFUSED",
      message: expect.stringMatching(/parts are numbered from 1 to 10000/),
    });
  });

  it("names each part once, and at least one", async () => {
    await using bench = await openStore();
    const id = await bench.store.createMultipart("a", { mediaType: "" });
    const ticket = await bench.store.partTicket("a", id, { partNumber: 1, sizeBytes: 3 });
    const etag = (await put(ticket.url, ticket.headers)).headers.get("etag") ?? "";
    await expect(bench.store.completeMultipart("a", id, [])).rejects.toMatchObject({ code: "REFUSED" });
    const twice = [
      { partNumber: 1, etag },
      { partNumber: 1, etag },
    ];
    await expect(bench.store.completeMultipart("a", id, twice)).rejects.toMatchObject({ code: "NOT_FOUND" });
    await bench.store.completeMultipart("a", id, twice.slice(1));
  });
});

describe("the store itself", () => {
  it("lists in the order of the keys' bytes, as S3 does", async () => {
    await using bench = await openStore();
    const keys = ["a/b", "a.txt", "a-b/c", "é", "z", "a0", "B"];
    for (const key of keys) await bench.store.write(key, Buffer.from("x"));
    const found: string[] = [];
    for await (const { objectKey } of bench.store.list("")) found.push(objectKey);
    expect(found).toEqual(keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
  });

  it("throws away what a process that died was writing, a day later", async () => {
    await using bench = await openStore();
    const drafts = join(bench.directory, ".store", "drafts");
    for (const [name, ageMs] of [
      ["old", 25 * 3_600_000],
      ["new", 3_600_000],
    ] as const) {
      writeFileSync(join(drafts, name), "x");
      const time = (Date.now() - ageMs) / 1_000;
      utimesSync(join(drafts, name), time, time);
    }
    await bench.again();
    expect(readdirSync(drafts)).toEqual(["new"]);
  });

  it("opens beside another process whose drafts come and go", async () => {
    await using bench = await openStore();
    symlinkSync("gone", join(bench.directory, ".store", "drafts", "placed-meanwhile"));
    await bench.again();
  });

  it("knows nothing of an object whose facts a full disk cut short, and goes on", async () => {
    await using bench = await openStore();
    await bench.store.write("a.txt", Buffer.from("abc"), { sha256: new Uint8Array(32) });
    const facts = join(bench.directory, ".store", "facts");
    for (const name of readdirSync(facts)) writeFileSync(join(facts, name), '{"objectKey":');
    expect(await bench.store.head("a.txt")).toEqual({
      objectKey: "a.txt",
      sizeBytes: 3,
      modifiedAtMs: expect.any(Number) as number,
    });
    expect((await fetch((await bench.store.downloadTicket("a.txt")).url)).status).toBe(200);
  });

  it("lists the other uploads where a full disk cut one short", async () => {
    await using bench = await openStore();
    const cut = await bench.store.createMultipart("a", { mediaType: "" });
    const uploadId = await bench.store.createMultipart("b", { mediaType: "" });
    writeFileSync(join(bench.directory, ".store", "uploads", cut, "upload.json"), "");
    const found: unknown[] = [];
    for await (const each of bench.store.listMultiparts("")) found.push(each);
    expect(found).toMatchObject([{ objectKey: "b", uploadId }]);
  });

  it("says what is wrong when it cannot begin", async () => {
    await using bench = await openStore();
    const { port } = new URL(bench.store.url);
    const begin = (options: object) => listenObjectStore({ directory: bench.directory, ...options });
    const taken = begin({ port: Number(port) });
    await expect(taken).rejects.toBeInstanceOf(ObjectStoreError);
    await expect(taken).rejects.toMatchObject({
      code: "UNAVAILABLE",
      message: expect.stringMatching(/take another port/),
    });
    await expect(begin({ secret: Buffer.from("short") })).rejects.toMatchObject({ code: "REFUSED" });
    const file = join(bench.directory, "file");
    writeFileSync(file, "");
    await expect(begin({ directory: file })).rejects.toMatchObject({
      code: "REFUSED",
      message: expect.stringMatching(/cannot be used as a folder of objects/),
    });
  });

  it("keeps nothing open once it is disposed of, twice too", async () => {
    await using bench = await openStore();
    await bench.store.write("a", Buffer.alloc(1_000_000));
    const { url } = await bench.store.downloadTicket("a");
    const answer = await fetch(url); // and reads no further
    await bench.store[Symbol.asyncDispose]();
    await bench.store[Symbol.asyncDispose]();
    await expect(fetch(url)).rejects.toThrow();
    await answer.body?.cancel().catch(() => undefined);
    expect(readFileSync(join(bench.directory, "a")).length).toBe(1_000_000);
  });
});
