import { createHash } from "node:crypto";
import { FakeClock, type HttpAnswer, ScriptedHttp } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import { storageErrorOf } from "../src/adapters/s3/errors.ts";
import { S3Storage, type S3StorageOptions } from "../src/adapters/s3/storage.ts";
import { StorageError } from "../src/storage-ports.ts";
import { s3Options } from "./_storage-places.ts";

const MD5 = createHash("md5").update("abc").digest();
const SHA256 = createHash("sha256").update("abc").digest();
const WISH = { mediaType: "image/png", sizeBytes: 3 };
const KMS = { algorithm: "aws:kms", kmsKeyId: "arn:aws:kms:eu-west-1:1:key/k" } as const;

function create(options: Partial<S3StorageOptions> = {}, clock: FakeClock = new FakeClock()): S3Storage {
  return new S3Storage({ ...s3Options("http://127.0.0.1:9"), ...options }, { clock });
}

const signedHeaders = (url: string) => new URL(url).searchParams.get("X-Amz-SignedHeaders")?.split(";");

describe("a ticket of S3", () => {
  it("has checksums as signed headers, and nothing of them in the query", async () => {
    using storage = create();
    const { url, headers } = await storage.uploadTicket("a.png", { ...WISH, md5: MD5, sha256: SHA256 });
    expect(headers).toEqual({
      "content-type": "image/png",
      "content-length": "3",
      "content-md5": MD5.toString("base64"),
      "x-amz-meta-sha256": SHA256.toString("hex"),
    });
    expect(signedHeaders(url)).toEqual([
      "content-length",
      "content-md5",
      "content-type",
      "host",
      "x-amz-meta-sha256",
    ]);
    expect(url).not.toContain("meta-sha256=");
  });

  it.each([
    [{ algorithm: "", kmsKeyId: "" }, {}],
    [{ algorithm: "AES256", kmsKeyId: "" }, { "x-amz-server-side-encryption": "AES256" }],
    [{ algorithm: "aws:kms", kmsKeyId: "" }, { "x-amz-server-side-encryption": "aws:kms" }],
    [
      KMS,
      {
        "x-amz-server-side-encryption": "aws:kms",
        "x-amz-server-side-encryption-aws-kms-key-id": KMS.kmsKeyId,
      },
    ],
  ] as const)("asks for encryption as configured: %o", async (encryption, expected) => {
    using storage = create({ encryption });
    const { url, headers } = await storage.uploadTicket("a.png", WISH);
    expect(headers).toEqual({ "content-type": "image/png", "content-length": "3", ...expected });
    for (const name of Object.keys(expected)) expect(signedHeaders(url)).toContain(name);
    // Of a part it would be refused, and of a download too.
    const part = await storage.partTicket("a.png", "id", { partNumber: 1, sizeBytes: 3 });
    expect(part.url + JSON.stringify(part.headers)).not.toContain("encryption");
    expect((await storage.downloadTicket("a.png")).url).not.toContain("encryption");
  });

  it("of a part is for that part of that upload, its length and checksum", async () => {
    using storage = create();
    const ticket = await storage.partTicket("big.bin", "up/load id", {
      partNumber: 7,
      sizeBytes: 9,
      md5: MD5,
    });
    const url = new URL(ticket.url);
    expect(url.searchParams.get("partNumber")).toBe("7");
    expect(url.searchParams.get("uploadId")).toBe("up/load id");
    expect(ticket.headers).toEqual({ "content-length": "9", "content-md5": MD5.toString("base64") });
    expect(signedHeaders(ticket.url)).toEqual(["content-length", "content-md5", "host"]);
  });

  it("carries the session token of temporary credentials", async () => {
    using storage = create({ sessionToken: "the-session" });
    const { url } = await storage.downloadTicket("a.png");
    expect(new URL(url).searchParams.get("X-Amz-Security-Token")).toBe("the-session");
  });

  it("is dated by the node's clock and ends when it says so", async () => {
    const clock = new FakeClock({ startMs: Date.UTC(2026, 0, 2, 3, 4, 5, 678) });
    using storage = create({ urlLifetimeMs: 90_500 }, clock);
    const { url, expiresAtMs } = await storage.downloadTicket("a.png");
    const { searchParams } = new URL(url);
    expect([searchParams.get("X-Amz-Date"), searchParams.get("X-Amz-Expires")]).toEqual([
      "20260102T030405Z",
      "90",
    ]);
    expect(expiresAtMs).toBe(Date.UTC(2026, 0, 2, 3, 4, 5) + 90_000);
  });

  it("lasts seven days at most, which is all that signatures know", async () => {
    using storage = create({ urlLifetimeMs: 30 * 86_400_000 });
    const { url } = await storage.downloadTicket("a.png");
    expect(new URL(url).searchParams.get("X-Amz-Expires")).toBe("604800");
  });

  it.each([
    [true, "http://127.0.0.1:9/contract/a.png"],
    [false, "http://contract.store.example:9/a.png"],
  ])("with path style %s leads to %s", async (forcePathStyle, expected) => {
    using storage = create({
      forcePathStyle,
      endpoint: forcePathStyle ? "http://127.0.0.1:9" : "http://store.example:9",
      region: "auto",
    });
    for (const { url } of [
      await storage.downloadTicket("a.png"),
      await storage.uploadTicket("a.png", WISH),
    ]) {
      expect(url.split("?")[0]).toBe(expected);
      expect(new URL(url).searchParams.get("X-Amz-Credential")).toContain("/auto/s3/aws4_request");
    }
  });
});

const xml = (text: string, status = 200): HttpAnswer => ({
  kind: "text",
  type: "application/xml",
  text,
  status,
});
const refused = (code: string, status: number) =>
  xml(`<Error><Code>${code}</Code><Message>no</Message></Error>`, status);

describe("a request of S3", () => {
  it("lists page after page", async () => {
    await using store = await ScriptedHttp.listen(({ path }) =>
      path.includes("continuation-token=next")
        ? xml(
            "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>b</Key><Size>2</Size></Contents></ListBucketResult>",
          )
        : xml(
            "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>next</NextContinuationToken><Contents><Key>a</Key><Size>1</Size></Contents></ListBucketResult>",
          ),
    );
    using storage = create({ endpoint: store.url });
    const found: string[] = [];
    for await (const { objectKey, sizeBytes } of storage.list("p/")) found.push(`${objectKey} ${sizeBytes}`);
    expect(found).toEqual(["a 1", "b 2"]);
  });

  it("lists unfinished uploads page after page", async () => {
    const upload = (key: string) => `<Upload><Key>${key}</Key><UploadId>id-${key}</UploadId></Upload>`;
    await using store = await ScriptedHttp.listen(({ path }) =>
      path.includes("key-marker=a&") && path.includes("upload-id-marker=id-a")
        ? xml(
            `<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>${upload("b")}</ListMultipartUploadsResult>`,
          )
        : xml(
            `<ListMultipartUploadsResult><IsTruncated>true</IsTruncated><NextKeyMarker>a</NextKeyMarker><NextUploadIdMarker>id-a</NextUploadIdMarker>${upload("a")}</ListMultipartUploadsResult>`,
          ),
    );
    using storage = create({ endpoint: store.url });
    const found: string[] = [];
    for await (const { uploadId } of storage.listMultiparts("p/")) found.push(uploadId);
    expect(found).toEqual(["id-a", "id-b"]);
  });

  it("removes a thousand at a time, with the checksum that every store takes", async () => {
    await using store = await ScriptedHttp.listen(() => xml("<DeleteResult></DeleteResult>"));
    using storage = create({ endpoint: store.url });
    await storage.remove(Array.from({ length: 1_001 }, (_, index) => `k${index}`));
    expect(store.requests.map(({ body }) => String(body).match(/<Key>/g)?.length)).toEqual([1_000, 1]);
    for (const { headers, body } of store.requests) {
      expect(headers["content-md5"]).toBe(createHash("md5").update(String(body)).digest("base64"));
      expect(Object.keys(headers).filter((name) => name.includes("checksum"))).toEqual([]);
    }
  });

  it("tells of an object that could not be removed", async () => {
    await using store = await ScriptedHttp.listen(() =>
      xml("<DeleteResult><Error><Key>b</Key><Code>AccessDenied</Code></Error></DeleteResult>"),
    );
    using storage = create({ endpoint: store.url });
    await expect(storage.remove(["a", "b"])).rejects.toMatchObject({
      code: "REFUSED",
      message: expect.stringMatching(/^\[STORAGE_REFUSED\] removing b: the credentials lack the right/),
    });
  });

  it("begins an upload in parts with type, checksum and encryption", async () => {
    await using store = await ScriptedHttp.listen(() =>
      xml("<InitiateMultipartUploadResult><UploadId>id</UploadId></InitiateMultipartUploadResult>"),
    );
    using storage = create({ endpoint: store.url, encryption: KMS });
    expect(await storage.createMultipart("a", { mediaType: "video/mp4", sha256: SHA256 })).toBe("id");
    expect(store.requests[0]?.headers).toMatchObject({
      "content-type": "video/mp4",
      "x-amz-meta-sha256": SHA256.toString("hex"),
      "x-amz-server-side-encryption": "aws:kms",
      "x-amz-server-side-encryption-aws-kms-key-id": KMS.kmsKeyId,
    });
  });

  it.each<[string, HttpAnswer, string, RegExp]>([
    ["a key that is not there", refused("NoSuchKey", 404), "NOT_FOUND", /reading a: there is no such object/],
    ["a bucket that is not there", refused("NoSuchBucket", 404), "REFUSED", /correct storage\.bucket/],
    ["no right", refused("AccessDenied", 403), "REFUSED", /grant it on all objects/],
    [
      "a key that it does not know",
      refused("InvalidAccessKeyId", 403),
      "UNAUTHENTICATED",
      /storage\.access_key_id/,
    ],
    [
      "a wrong secret",
      refused("SignatureDoesNotMatch", 403),
      "UNAUTHENTICATED",
      /storage\.secret_access_key/,
    ],
    ["an old session", refused("ExpiredToken", 400), "UNAUTHENTICATED", /storage\.session_token has expired/],
    ["a wrong clock", refused("RequestTimeTooSkewed", 403), "UNAUTHENTICATED", /clock is off/],
    ["another region", refused("PermanentRedirect", 301), "REFUSED", /correct storage\.region/],
    ["something it does not do", refused("NotImplemented", 501), "REFUSED", /does not know this operation/],
    ["an odd refusal", refused("Teapot", 418), "REFUSED", /HTTP 418 Teapot.*wcp doctor/],
    ["overload", refused("SlowDown", 503), "UNAVAILABLE", /HTTP 503 SlowDown.*try again/],
    [
      "a page of a proxy",
      { kind: "text", text: "<html>bad gateway</html>", status: 502 },
      "UNAVAILABLE",
      /502/,
    ],
    ["a reset", { kind: "reset" }, "UNAVAILABLE", /try again, and look at storage\.endpoint/],
    ["silence", { kind: "silence" }, "UNAVAILABLE", /does not answer as it should/],
    ["a body that stalls", { kind: "stall", text: "half" }, "UNAVAILABLE", /does not answer as it should/],
    ["an end in the middle", { kind: "cut", text: "half" }, "UNAVAILABLE", /does not answer as it should/],
  ])("that meets %s", async (...[, answer, code, message]) => {
    await using store = await ScriptedHttp.listen(() => answer);
    using storage = create({ endpoint: store.url, requestTimeoutMs: 100 });
    const error = await storage.read("a", 2_000_000).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(StorageError);
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
    expect((error as Error).message).not.toMatch(/the-secret|Signature=|http:/);
  });

  it.each([
    ["ExpiredToken", 400, "UNAUTHENTICATED"],
    ["SignatureDoesNotMatch", 403, "UNAUTHENTICATED"],
    ["AccessDenied", 403, "REFUSED"],
  ] as const)("that is a HEAD, which has no body, is told why it met %s", async (name, status, code) => {
    await using store = await ScriptedHttp.listen(() => refused(name, status));
    using storage = create({ endpoint: store.url });
    await expect(storage.head("a")).rejects.toMatchObject({ code });
    expect(store.requests.at(-1)).toMatchObject({ headers: { range: "bytes=0-0" } });
  });

  it.each(["bucket/prefix", "arn:aws:s3:::bucket"])(
    "for a bucket %j that is none is told as such",
    async (bucket) => {
      using storage = create({ bucket });
      const told = { name: "StorageError", message: expect.stringMatching(/ a: .*(Bucket|bucket|ARN)/) };
      await expect(storage.downloadTicket("a")).rejects.toMatchObject(told);
      await expect(storage.uploadTicket("a", WISH)).rejects.toMatchObject(told);
      await expect(storage.partTicket("a", "id", { partNumber: 1, sizeBytes: 3 })).rejects.toMatchObject(
        told,
      );
    },
  );

  it("is made again when the store is overloaded for a moment", async () => {
    const answers = [refused("SlowDown", 503), xml("hello")];
    await using store = await ScriptedHttp.listen(() => answers.shift() ?? xml("too often"));
    using storage = create({ endpoint: store.url });
    expect(Buffer.from(await storage.read("a", 100)).toString()).toBe("hello");
  });

  it("does not read on when an object is larger than allowed", async () => {
    await using store = await ScriptedHttp.listen(() => ({ kind: "stall", text: "x".repeat(1_000) }));
    using storage = create({ endpoint: store.url });
    await expect(storage.read("a", 999)).rejects.toMatchObject({ code: "TOO_LARGE" });
  });

  it("takes a missing upload for a completed one only where the object is", async () => {
    const parts = [{ partNumber: 1, etag: '"e"' }];
    let isThere = true;
    await using store = await ScriptedHttp.listen(({ path }) => {
      if (path.includes("uploadId")) return refused("NoSuchUpload", 404);
      return isThere ? { kind: "text", text: "" } : { kind: "text", text: "", status: 404 };
    });
    using storage = create({ endpoint: store.url });
    await storage.completeMultipart("a", "id", parts);
    isThere = false;
    await expect(storage.completeMultipart("a", "id", parts)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("aborting what is not there is harmless, and nothing else is", async () => {
    let answer = refused("NoSuchUpload", 404);
    await using store = await ScriptedHttp.listen(() => answer);
    using storage = create({ endpoint: store.url });
    await storage.abortMultipart("a", "id");
    answer = refused("AccessDenied", 403);
    await expect(storage.abortMultipart("a", "id")).rejects.toMatchObject({ code: "REFUSED" });
  });
});

it("no error of S3 shows a URL, which may be signed", () => {
  const error = new Error("failed: http://s3.example/b/k?X-Amz-Signature=abc\nand more");
  const { message, cause } = storageErrorOf(error, "reading k");
  expect(message).toContain("(failed: [URL])");
  expect(message).not.toMatch(/Signature|and more/);
  expect(cause).toBe(error);
});
