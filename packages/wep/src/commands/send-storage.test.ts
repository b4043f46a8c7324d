import { envelope } from "@subnet-worker/protocol";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ObjectStore, StorageDesk } from "./send-storage.ts";

const PREFIX = "runs/1/2/3/";

/** A store that says which keys it was asked for. */
function fakeStore() {
  const asked: string[] = [];
  const ticket = { url: "http://store/x", headers: { "x-a": "b" }, expiresAtMs: 5_999 };
  const note =
    <T>(value: T) =>
    (objectKey: string) => {
      asked.push(objectKey);
      return Promise.resolve(value);
    };
  const store: ObjectStore = {
    downloadTicket: note(ticket),
    uploadTicket: note(ticket),
    createMultipart: note("upload-1"),
    partTicket: note(ticket),
    completeMultipart: note(undefined),
    abortMultipart: note(undefined),
    head: note(undefined),
  };
  return { store, asked };
}

function open() {
  const { store, asked } = fakeStore();
  const desk = new StorageDesk(store, { uploadPrefix: PREFIX, inputKeys: new Set(["inputs/a.txt"]) });
  return { desk, asked };
}

const ids = { activityId: "a", runId: "r", requestId: 7n };
/** Names that somebody would try, and any other. */
const names = fc.oneof(
  fc.string(),
  fc
    .array(fc.constantFrom("..", ".", "", "a", "%2e%2e", "%2F", "\\", "\0", "é", "x.txt"), { maxLength: 6 })
    .map((parts) => parts.join("/")),
);

describe("what a run asks of storage", () => {
  it("is granted below its prefix, with what the store gives", async () => {
    const { desk, asked } = open();
    const request = { ...ids, name: "a/b.txt", mediaType: "text/plain", sizeBytes: 3n };
    expect((await desk.answer(envelope("uploadRequest", request)))?.msg).toMatchObject({
      case: "uploadGrant",
      value: {
        requestId: 7n,
        objectKey: `${PREFIX}a/b.txt`,
        url: "http://store/x",
        headers: { "x-a": "b" },
        expiresUnix: 5n,
        error: "",
      },
    });
    expect(asked).toEqual([...desk.granted]);
  });

  it("goes through all steps of an upload in parts", async () => {
    const { desk } = open();
    type Step = Parameters<typeof envelope<"multipartRequest">>[1]["step"];
    const steps: readonly Step[] = [
      { case: "create", value: { mediaType: "text/plain" } },
      { case: "part", value: { uploadId: "upload-1", partNumber: 1, sizeBytes: 3n } },
      { case: "complete", value: { uploadId: "upload-1", parts: [{ partNumber: 1, etag: "e" }] } },
      { case: "abort", value: { uploadId: "upload-1" } },
    ];
    for (const step of steps) {
      const request = envelope("multipartRequest", { ...ids, name: "big", ...(step && { step }) });
      const answer = await desk.answer(request);
      expect(answer?.msg).toMatchObject({
        case: "multipartGrant",
        value: { uploadId: "upload-1", error: "" },
      });
    }
    const unknown = await desk.answer(envelope("multipartRequest", { ...ids, name: "big" }));
    expect(unknown?.msg.value).toMatchObject({ error: expect.stringContaining("not known here") });
  });

  it("is refused with a reason when the store fails, and never left without an answer", async () => {
    const { store } = fakeStore();
    const broken = { ...store, uploadTicket: () => Promise.reject(new Error("disk full")) };
    const desk = new StorageDesk(broken, { uploadPrefix: PREFIX, inputKeys: new Set() });
    const answer = await desk.answer(envelope("uploadRequest", { ...ids, name: "a" }));
    expect(answer?.msg.value).toMatchObject({ requestId: 7n, error: "disk full", url: "" });
  });

  it("is no business of the desk when it is something else", async () => {
    expect(await open().desk.answer(envelope("ping", { nonce: 1n }))).toBeUndefined();
  });

  it("never reaches a key outside the prefix by a name, however it is decoded", async () => {
    await fc.assert(
      fc.asyncProperty(names, async (name) => {
        const { desk, asked } = open();
        await desk.answer(envelope("uploadRequest", { ...ids, name }));
        await desk.answer(
          envelope("multipartRequest", { ...ids, name, step: { case: "create", value: {} } }),
        );
        for (const key of asked) {
          expect(new URL(decodeURIComponent(key), "http://h/").pathname).toBe(`/${key}`);
          expect(key.startsWith(PREFIX)).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("never reads but inputs and what lies below the prefix", async () => {
    await fc.assert(
      fc.asyncProperty(
        names,
        fc.constantFrom("", PREFIX, "runs/1/2/", "inputs/a.txt"),
        async (name, before) => {
          const { desk, asked } = open();
          await desk.answer(envelope("downloadRequest", { ...ids, objectKey: `${before}${name}` }));
          for (const key of asked) {
            const isOwn = key.startsWith(PREFIX) && new URL(key, "http://h/").pathname === `/${key}`;
            expect(isOwn || key === "inputs/a.txt", key).toBe(true);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
