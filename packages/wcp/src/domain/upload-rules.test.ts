import { describe, expect, it } from "vitest";
import { ObjectKeyError } from "./object-key.ts";
import { checkMultipart, checkUpload } from "./upload-rules.ts";

const GIB = 1_024 ** 3;
const WISH = { mediaType: "audio/wav", sizeBytes: 12 };

function refusal(check: () => void): string | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    if (!(error instanceof ObjectKeyError)) throw error;
    expect(error.reason).toBe("bad_request");
    return error.message;
  }
}

describe("an upload", () => {
  it("may have up to 5 GiB, any digests of the right length, and no media type", () => {
    expect(refusal(() => checkUpload(WISH))).toBeUndefined();
    expect(refusal(() => checkUpload({ mediaType: "", sizeBytes: 0 }))).toBeUndefined();
    expect(refusal(() => checkUpload({ ...WISH, sizeBytes: 5 * GIB }))).toBeUndefined();
    const digests = { md5: new Uint8Array(16), sha256: new Uint8Array(32) };
    expect(refusal(() => checkUpload({ ...WISH, ...digests }))).toBeUndefined();
  });

  it.each([
    [{ sizeBytes: 5 * GIB + 1 }, "an object of more than 5 GiB is uploaded in parts"],
    [{ sizeBytes: -1 }, "size_bytes is -1"],
    [{ sizeBytes: 1.5 }, "size_bytes is 1.5"],
    [{ sizeBytes: Number.NaN }, "size_bytes is NaN"],
    [{ sizeBytes: 2 ** 64 }, "at most"],
    [{ mediaType: "a\r\nx-amz-acl: public-read" }, "media_type is no header"],
    [{ mediaType: "a".repeat(256) }, "media_type is no header"],
    [{ md5: new Uint8Array(15) }, "md5 has 15 bytes"],
    [{ sha256: new Uint8Array(33) }, "sha256 has 33 bytes"],
  ])("is refused with %j", (wrong, message) => {
    expect(refusal(() => checkUpload({ ...WISH, ...wrong }))).toContain(message);
  });
});

describe("an upload in parts", () => {
  const part = { kind: "part", uploadId: "u", partNumber: 1, sizeBytes: 5 } as const;
  const complete = { kind: "complete", uploadId: "u" } as const;

  it("has 10,000 parts of up to 5 GiB each", () => {
    expect(
      refusal(() => checkMultipart({ kind: "create", mediaType: "", sizeBytes: undefined })),
    ).toBeUndefined();
    expect(
      refusal(() => checkMultipart({ ...part, partNumber: 10_000, sizeBytes: 5 * GIB })),
    ).toBeUndefined();
    const parts = Array.from({ length: 10_000 }, (_, index) => ({ partNumber: index + 1, etag: '"e"' }));
    expect(refusal(() => checkMultipart({ ...complete, parts }))).toBeUndefined();
    expect(refusal(() => checkMultipart({ kind: "abort", uploadId: "u" }))).toBeUndefined();
  });

  it.each([
    [
      { kind: "create", mediaType: "", sizeBytes: 5 * 1_024 * GIB + 1 } as const,
      "no store takes more than 5 TiB",
    ],
    [{ ...part, partNumber: 0 }, "part_number is 0"],
    [{ ...part, partNumber: 10_001 }, "part_number is 10001"],
    [{ ...part, sizeBytes: 5 * GIB + 1 }, "a part has 5 MiB to 5 GiB"],
    [{ ...part, uploadId: "" }, "upload_id"],
    [{ ...part, uploadId: "a b" }, "upload_id"],
    [{ kind: "abort", uploadId: "x".repeat(1_025) } as const, "upload_id"],
    [{ ...complete, parts: [] }, "there are none"],
    [
      {
        ...complete,
        parts: [
          { partNumber: 2, etag: "e" },
          { partNumber: 1, etag: "e" },
        ],
      },
      "in the order",
    ],
    [
      {
        ...complete,
        parts: [
          { partNumber: 1, etag: "e" },
          { partNumber: 1, etag: "e" },
        ],
      },
      "once each",
    ],
    [{ ...complete, parts: [{ partNumber: 10_001, etag: "e" }] }, "part_number is 10001"],
    [{ ...complete, parts: [{ partNumber: 1, etag: "" }] }, "the etag of part 1"],
    [{ ...complete, parts: [{ partNumber: 1, etag: "e\n" }] }, "the etag of part 1"],
  ])("is refused with %j", (step, message) => {
    expect(refusal(() => checkMultipart(step))).toContain(message);
  });
});
