import { FakeClock } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import { S3Storage, type S3StorageOptions } from "../src/adapters/s3/storage.ts";

const OPTIONS: S3StorageOptions = {
  endpoint: "http://127.0.0.1:9100",
  region: "us-east-1",
  bucket: "artifacts",
  accessKeyId: "AKIDEXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI-SECRET",
  sessionToken: "",
  forcePathStyle: true,
  encryption: { algorithm: "", kmsKeyId: "" },
  urlLifetimeMs: 900_000,
  requestTimeoutMs: 5_000,
};
const WISH = { mediaType: "image/png", sizeBytes: 1_234 };

function create(overrides: Partial<S3StorageOptions> = {}) {
  const clock = new FakeClock();
  return { clock, storage: new S3Storage({ ...OPTIONS, ...overrides }, { clock }) };
}

function signedHeaders(url: URL): string[] {
  return (url.searchParams.get("X-Amz-SignedHeaders") ?? "").split(";");
}

describe("a URL to read an object", () => {
  it("is signed for its time, in the query, and shows no secret", async () => {
    const { storage } = create();
    using _storage = storage;
    const url = new URL((await storage.downloadTicket("in/song.wav")).url);
    expect(`${url.origin}${url.pathname}`).toBe("http://127.0.0.1:9100/artifacts/in/song.wav");
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
      "X-Amz-Expires": "900",
      "X-Amz-SignedHeaders": "host",
    });
    expect(url.searchParams.get("X-Amz-Credential")).toMatch(
      /^AKIDEXAMPLE\/\d{8}\/us-east-1\/s3\/aws4_request$/,
    );
    expect(url.searchParams.get("X-Amz-Signature")).toMatch(/^[0-9a-f]{64}$/);
    expect(url.href).not.toContain("SECRET");
  });

  it("names the bucket in the host where the store wants that", async () => {
    const { storage } = create({ forcePathStyle: false, endpoint: "https://r2.example", region: "auto" });
    using _storage = storage;
    const url = new URL((await storage.downloadTicket("in/song.wav")).url);
    expect(`${url.origin}${url.pathname}`).toBe("https://artifacts.r2.example/in/song.wav");
    expect(url.searchParams.get("X-Amz-Credential")).toContain("/auto/s3/");
  });

  it.each(["in/my song.wav", "in/a+b.wav", "in/ümlaut.wav", "in/50%.wav", "in/a?b#c.wav"])(
    "leads to the very object: %s",
    async (objectKey) => {
      const { storage } = create();
      using _storage = storage;
      const url = new URL((await storage.downloadTicket(objectKey)).url);
      expect(decodeURIComponent(url.pathname)).toBe(`/artifacts/${objectKey}`);
      expect(url.hash).toBe("");
    },
  );

  it("lasts at least a second", async () => {
    const { storage } = create({ urlLifetimeMs: 10 });
    using _storage = storage;
    expect(new URL((await storage.downloadTicket("k")).url).searchParams.get("X-Amz-Expires")).toBe("1");
  });
});

describe("a ticket to write an object", () => {
  it("is good for this key, type and length only", async () => {
    const { storage, clock } = create();
    using _storage = storage;
    const ticket = await storage.uploadTicket("runs/w/t/r/a.png", WISH);
    const url = new URL(ticket.url);
    expect(url.pathname).toBe("/artifacts/runs/w/t/r/a.png");
    expect(signedHeaders(url)).toEqual(["content-length", "content-type", "host"]);
    expect(ticket).toMatchObject({
      objectKey: "runs/w/t/r/a.png",
      headers: { "content-type": "image/png", "content-length": "1234" },
      expiresAtMs: clock.nowMs() + 900_000,
    });
    expect(url.searchParams.get("X-Amz-Expires")).toBe("900");
  });

  it("has a signature that another type, length or key would not fit", async () => {
    const { storage } = create();
    using _storage = storage;
    const signatures = new Set<string | null>();
    for (const [key, wish] of [
      ["a.png", WISH],
      ["b.png", WISH],
      ["a.png", { ...WISH, mediaType: "text/html" }],
      ["a.png", { ...WISH, sizeBytes: 1_235 }],
    ] as const) {
      const { url } = await storage.uploadTicket(key, wish);
      signatures.add(new URL(url).searchParams.get("X-Amz-Signature"));
    }
    expect(signatures.size).toBe(4);
  });

  it("asks for no checksum, which would be that of an empty body", async () => {
    const { storage } = create();
    using _storage = storage;
    const { url } = await storage.uploadTicket("a.png", WISH);
    expect(url.toLowerCase()).not.toContain("checksum");
    expect(url.toLowerCase()).not.toContain("crc32");
  });

  it("for an empty object says so", async () => {
    const { storage } = create();
    using _storage = storage;
    const ticket = await storage.uploadTicket("empty.txt", { ...WISH, sizeBytes: 0 });
    expect(ticket.headers["content-length"]).toBe("0");
    expect(signedHeaders(new URL(ticket.url))).toContain("content-length");
  });

  it("for an object without a type gives it one, since the header has to be sent as it was signed", async () => {
    const { storage } = create();
    using _storage = storage;
    const ticket = await storage.uploadTicket("blob", { ...WISH, mediaType: "" });
    expect(ticket.headers["content-type"]).toBe("application/octet-stream");
    expect(signedHeaders(new URL(ticket.url))).toContain("content-type");
  });
});
