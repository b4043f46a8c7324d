import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { request } from "node:http";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { GetObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BUCKET, startStore, type TestStore } from "./_store.ts";

let store: TestStore;
beforeAll(async () => {
  store = await startStore();
});
afterAll(async () => store[Symbol.asyncDispose]());

const put = (key: string, options: { secret?: string; expiresIn?: number; signingDate?: Date } = {}) =>
  getSignedUrl(store.client(options.secret), new PutObjectCommand({ Bucket: BUCKET, Key: key }), {
    expiresIn: options.expiresIn ?? 60,
    ...(options.signingDate && { signingDate: options.signingDate }),
  });
const get = (key: string, options: { secret?: string; expiresIn?: number; signingDate?: Date } = {}) =>
  getSignedUrl(store.client(options.secret), new GetObjectCommand({ Bucket: BUCKET, Key: key }), {
    expiresIn: options.expiresIn ?? 60,
    ...(options.signingDate && { signingDate: options.signingDate }),
  });
const LONG_AGO = new Date(Date.now() - 120_000);

describe("object store", () => {
  it("gives back through a presigned URL what was put through one", async () => {
    const bytes = randomBytes(100_000);
    const response = await fetch(await put("audio/1.0.0/x/a file (1)+ü.wav"), { method: "PUT", body: bytes });
    expect(response.status).toBe(200);
    const got = await fetch(await get("audio/1.0.0/x/a file (1)+ü.wav"));
    expect(Buffer.from(await got.arrayBuffer()).equals(bytes)).toBe(true);
  });

  it("takes a streamed upload with a content type through a presigned URL", async () => {
    const response = await fetch(await put("streamed.wav"), {
      method: "PUT",
      body: Readable.toWeb(Readable.from([Buffer.alloc(70_000, 1), Buffer.alloc(70_000, 2)])) as BodyInit,
      headers: { "content-type": "audio/wav" },
      duplex: "half",
    });
    expect(response.status).toBe(200);
    const got = await fetch(await get("streamed.wav"));
    expect(got.headers.get("content-type")).toBe("audio/wav");
    expect((await got.arrayBuffer()).byteLength).toBe(140_000);
  });

  it("serves ranges and empty objects", async () => {
    await fetch(await put("ten"), { method: "PUT", body: "0123456789" });
    const part = await fetch(await get("ten"), { headers: { range: "bytes=2-4" } });
    expect([part.status, await part.text()]).toEqual([206, "234"]);
    await fetch(await put("empty"), { method: "PUT", body: "" });
    const empty = await fetch(await get("empty"));
    expect([empty.status, await empty.text()]).toEqual([200, ""]);
  });

  it("takes signed headers from an SDK client and refuses one with another secret", async () => {
    const command = () => new PutObjectCommand({ Bucket: BUCKET, Key: "sdk", Body: "by header" });
    await store.client().send(command());
    const { Body } = await store.client().send(new GetObjectCommand({ Bucket: BUCKET, Key: "sdk" }));
    expect((await buffer(Body as Readable)).toString()).toBe("by header");
    await expect(store.client("not-the-secret").send(command())).rejects.toMatchObject({
      name: "SignatureDoesNotMatch",
    });
  });

  it("refuses a presigned URL made with another secret", async () => {
    const response = await fetch(await put("forged", { secret: "not-the-secret" }), {
      method: "PUT",
      body: "x",
    });
    expect([response.status, await response.text()]).toEqual([
      403,
      expect.stringContaining("SignatureDoesNotMatch"),
    ]);
    expect((await fetch(await get("forged"))).status).toBe(404);
  });

  it("refuses a presigned URL for another key, another method or another lifetime", async () => {
    await fetch(await put("mine"), { method: "PUT", body: "x" });
    const url = await get("mine");
    expect((await fetch(url.replace("/mine", "/yours"))).status).toBe(403);
    expect((await fetch(url, { method: "PUT", body: "y" })).status).toBe(403);
    expect((await fetch(url.replace("X-Amz-Expires=60", "X-Amz-Expires=6000"))).status).toBe(403);
  });

  it("refuses a presigned URL that has expired", async () => {
    await fetch(await put("old"), { method: "PUT", body: "x" });
    const read = await fetch(await get("old", { signingDate: LONG_AGO }));
    expect([read.status, await read.text()]).toEqual([403, expect.stringContaining("Request has expired")]);
    const write = await fetch(await put("old", { signingDate: LONG_AGO }), { method: "PUT", body: "y" });
    expect(write.status).toBe(403);
    expect((await fetch(await get("old", { signingDate: LONG_AGO, expiresIn: 600 }))).status).toBe(200);
  });

  it("refuses requests without a signature", async () => {
    for (const [method, path] of [
      ["GET", "/"],
      ["GET", `/${BUCKET}`],
      ["GET", `/${BUCKET}/mine`],
      ["PUT", `/${BUCKET}/mine`],
      ["DELETE", `/${BUCKET}`],
    ] as const) {
      expect((await fetch(`${store.url}${path}`, { method })).status).toBe(403);
    }
  });

  it("refuses keys that lead out of the bucket's folder", async () => {
    const url = new URL(await put("inside"));
    for (const path of [
      `/${BUCKET}/../../outside`,
      `/${BUCKET}/%2e%2e/%2E%2E/outside`,
      `/${BUCKET}/a%2F..%2F..%2Foutside`,
    ]) {
      expect(await putRaw(`${path}${url.search}`)).toBe(400);
    }
  });

  it("keeps nothing of an upload that was cut off", async () => {
    const url = new URL(await put("cut/off"));
    const upload = request(url, { method: "PUT", headers: { "content-length": 1_000_000 } });
    upload.on("error", () => {}); // the socket we destroy below
    upload.write(Buffer.alloc(1_000));
    await until(async () => (await filesBelow(store.directory)).some((name) => name.endsWith(".part")));
    upload.destroy();
    await until(async () => !(await filesBelow(store.directory)).some((name) => name.includes("off")));
    expect((await fetch(await get("cut/off"))).status).toBe(404);
  });

  it("shows either the old or the new object while it is being replaced", async () => {
    await fetch(await put("replaced"), { method: "PUT", body: "old" });
    const upload = request(new URL(await put("replaced")), {
      method: "PUT",
      headers: { "content-length": 6 },
    });
    upload.write("new");
    await until(async () =>
      (await filesBelow(store.directory)).some((name) => name.includes("replaced") && name.endsWith(".part")),
    );
    expect(await (await fetch(await get("replaced"))).text()).toBe("old");
    upload.end("est");
    await once(upload, "response");
    expect(await (await fetch(await get("replaced"))).text()).toBe("newest");
  });
});

/** `fetch` resolves dots in a path before it sends; this does not. */
async function putRaw(path: string): Promise<number | undefined> {
  const { hostname, port } = new URL(store.url);
  const sent = request({ hostname, port, path, method: "PUT" }).end("x");
  const [response] = (await once(sent, "response")) as [{ statusCode?: number; resume(): void }];
  response.resume();
  return response.statusCode;
}

const filesBelow = (directory: string) => readdir(directory, { recursive: true });

async function until(condition: () => Promise<boolean>): Promise<void> {
  await expect.poll(condition, { interval: 10, timeout: 10_000 }).toBe(true);
}
