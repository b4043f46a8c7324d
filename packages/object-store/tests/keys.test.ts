import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve, sep } from "node:path";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { keyOfPath, pathOf, problemWith, segmentsOf } from "../src/keys.ts";
import { openStore, rawRequest, type TestStore } from "./_stores.ts";

const GOOD = [
  "a",
  "in/song.wav",
  "runs/0a/1b/53105f7e-071a/wave form.png",
  "ümlaut/ß/日本.txt",
  "50%.txt",
  "%2e%2e/x",
  "a+b&c=d;e,f@g!(h)'i'.txt",
  ".hidden",
  "x".repeat(240),
];

/** What could be anything but a file below the folder, on some system. */
const BAD = [
  "",
  "/",
  "/etc/passwd",
  "//a",
  "a//b",
  "a/",
  ".",
  "..",
  "../a",
  "a/../b",
  "a/./b",
  "a/..",
  "..\\a",
  "a\\..\\b",
  "\\\\server\\share",
  "C:\\a",
  "C:a",
  "a\u0000b",
  "a\nb",
  "a\u007fb",
  "a\u0085b",
  "a?b",
  "a*b",
  'a"b',
  "a<b",
  "a|b",
  "con",
  "a/NUL.txt",
  "lpt1",
  "trailing.",
  "trailing ",
  "a/dots...",
  ".store",
  ".store/secret",
  ".STORE/facts/x",
  "\ud800",
  "x".repeat(241),
  `${"x/".repeat(512)}x`,
];

describe("a key", () => {
  it.each(GOOD)("may be %j", (key) => {
    expect(problemWith(key)).toBeUndefined();
    expect(keyOfPath(pathOf(key))).toBe(key);
  });

  it.each(BAD)("may not be %j", (key) => {
    expect(() => segmentsOf(key)).toThrow(
      /^\[OBJECT_STORE_REFUSED\] .* is no key of this store: .*; use plain names/,
    );
  });

  it.each(["..", "../a", "a/../b", "a/.."])(
    "with the segment .. is told that it leads elsewhere: %j",
    (key) => {
      expect(problemWith(key)).toBe('".." leads to another folder');
    },
  );

  it("of any text whatever stays below the folder, and comes back from its URL as it was", () => {
    const nasty = fc.oneof(
      fc.constantFrom(
        ".",
        "..",
        "/",
        "\\",
        "%2e",
        "%2f",
        "%00",
        "\u0000",
        " ",
        ":",
        ".store",
        "a",
        "~",
        "$HOME",
      ),
      fc.string({ unit: "binary", maxLength: 3 }),
    );
    fc.assert(
      fc.property(fc.array(nasty, { maxLength: 12 }), (pieces) => {
        const key = pieces.join("");
        if (problemWith(key) !== undefined) {
          expect(() => segmentsOf(key)).toThrow(/OBJECT_STORE_REFUSED/);
          return;
        }
        const root = resolve("/srv/objects");
        expect(join(root, ...segmentsOf(key)).startsWith(`${root}${sep}`)).toBe(true);
        expect(join(root, ...segmentsOf(key))).toBe(`${root}${sep}${key}`);
        expect(keyOfPath(pathOf(key))).toBe(key);
        expect(keyOfPath(new URL(`http://x${pathOf(key)}`).pathname)).toBe(key);
      }),
      { numRuns: 5_000 },
    );
  });

  it("is never made of a path that hides something", () => {
    for (const path of [
      "/a%2fb",
      "/a%2Fb",
      "/..%2fa",
      "/%2e%2e/a",
      "/%2e%2e%2fa",
      "/a%00",
      "/a%",
      "/a%zz",
      "/%ff",
      "/a%5c..%5cb",
      "//a",
      "/",
      "",
      "a",
      "http://elsewhere/a",
      "*",
    ]) {
      expect([path, keyOfPath(path)]).toEqual([path, undefined]);
    }
    expect(keyOfPath("/%252e%252e/a")).toBe("%2e%2e/a"); // decoded once
  });
});

describe("a store", () => {
  let bench: TestStore;
  beforeAll(async () => {
    bench = await openStore({ secret: Buffer.alloc(32, 7) });
    writeFileSync(join(bench.outside, "secret.txt"), "outside");
    mkdirSync(join(bench.outside, "elsewhere"));
    writeFileSync(join(bench.outside, "elsewhere", "secret.txt"), "outside");
    symlinkSync(join(bench.outside, "secret.txt"), join(bench.directory, "link.txt"));
    symlinkSync(join(bench.outside, "elsewhere"), join(bench.directory, "linked"));
    symlinkSync(join(bench.outside, "nowhere"), join(bench.directory, "dangling.txt"));
    symlinkSync(join(bench.outside, "new"), join(bench.directory, "dangling"));
  });
  afterAll(() => bench[Symbol.asyncDispose]());

  it.each(BAD)("gives no ticket for %j, and does nothing with it", async (key) => {
    const { store } = bench;
    const refused = { code: "REFUSED" };
    const wish = { mediaType: "", sizeBytes: 1 };
    await expect(store.downloadTicket(key)).rejects.toMatchObject(refused);
    await expect(store.uploadTicket(key, wish)).rejects.toMatchObject(refused);
    await expect(store.partTicket(key, "id", { partNumber: 1, sizeBytes: 1 })).rejects.toMatchObject(refused);
    await expect(store.createMultipart(key, wish)).rejects.toMatchObject(refused);
    await expect(store.head(key)).rejects.toMatchObject(refused);
    await expect(store.read(key, 10)).rejects.toMatchObject(refused);
    await expect(store.write(key, Buffer.from("x"))).rejects.toMatchObject(refused);
    await expect(store.remove([key])).rejects.toMatchObject(refused);
  });

  it.each([
    "/../secret.txt",
    "/a/../../secret.txt",
    "/%2e%2e/secret.txt",
    "/..%2fsecret.txt",
    "/..%5csecret.txt",
    "//etc/passwd",
    "/%2fetc%2fpasswd",
    "/.store/facts",
    "/.STORE/uploads",
    "/a%00.txt",
    "http://127.0.0.1/../secret.txt",
  ])("answers nothing but a refusal to %s, whatever its signature", async (path) => {
    const { url } = await bench.store.downloadTicket("in/a.txt");
    const query = url.slice(url.indexOf("?"));
    for (const method of ["GET", "HEAD", "PUT"]) {
      const headers = { "content-length": "1" };
      const answer = await rawRequest(bench.store.url, path + query, {
        method,
        ...(method === "PUT" ? { headers, body: "x" } : {}),
      });
      expect([400, 403]).toContain(answer.status);
      expect(answer.text).not.toContain("outside");
    }
  });

  it("follows no link, neither to a file nor through a folder", async () => {
    const { store } = bench;
    const url = async (key: string) => (await store.downloadTicket(key)).url;
    expect(await (await fetch(await url("link.txt"))).text()).not.toContain("outside");
    expect((await fetch(await url("linked/secret.txt"))).status).toBe(400);
    await expect(store.head("link.txt")).rejects.toMatchObject({
      code: "REFUSED",
      message: expect.stringMatching(/links are not followed/),
    });
    await expect(store.read("linked/secret.txt", 100)).rejects.toMatchObject({ code: "REFUSED" });
    await expect(store.write("linked/new.txt", Buffer.from("x"))).rejects.toMatchObject({
      code: "REFUSED",
      message: expect.stringMatching(/links are not followed/),
    });
    await expect(store.write("linked/deep/new.txt", Buffer.from("x"))).rejects.toMatchObject({
      code: "REFUSED",
      message: expect.stringMatching(/links are not followed/),
    });
    await expect(store.write("dangling/new.txt", Buffer.from("x"))).rejects.toMatchObject({
      code: "REFUSED",
      message: expect.stringMatching(/links are not followed/),
    });
    await expect(store.remove(["linked/secret.txt"])).rejects.toMatchObject({ code: "REFUSED" });
    const listed: string[] = [];
    for await (const { objectKey } of store.list("")) listed.push(objectKey);
    expect(listed).toEqual([]);
    expect(readdirSync(bench.outside).toSorted()).toEqual(["elsewhere", "objects", "secret.txt"]);
    expect(readdirSync(join(bench.outside, "elsewhere"))).toEqual(["secret.txt"]);
  });

  it("puts an object in the place of a link, not where the link leads", async () => {
    await bench.store.write("dangling.txt", Buffer.from("here"));
    expect(Buffer.from(await bench.store.read("dangling.txt", 10)).toString()).toBe("here");
    expect(existsSync(join(bench.outside, "nowhere"))).toBe(false);
    await bench.store.remove(["dangling.txt"]);
  });

  it("takes no id of an upload for a path", async () => {
    const { store } = bench;
    const parts = [{ partNumber: 1, etag: '"x"' }];
    mkdirSync(join(bench.outside, "fake"));
    writeFileSync(join(bench.outside, "fake", "upload.json"), JSON.stringify({ objectKey: "a" }));
    for (const id of ["../../../fake", "..", "", "/", join(bench.outside, "fake")]) {
      await expect(store.completeMultipart("a", id, parts)).rejects.toMatchObject({ code: "NOT_FOUND" });
      await store.abortMultipart("a", id);
      const ticket = await store.partTicket("a", id, { partNumber: 1, sizeBytes: 1 });
      expect((await fetch(ticket.url, { method: "PUT", headers: ticket.headers, body: "x" })).status).toBe(
        404,
      );
    }
    expect(readdirSync(join(bench.outside, "fake"))).toEqual(["upload.json"]);
  });
});
