import type { MessageInitShape } from "@bufbuild/protobuf";
import type { MultipartRequestSchema } from "@subnet-worker/protocol";
import { createDeferred } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import { FreshUrls } from "../src/adapters/wep/fresh-urls.ts";
import { ObjectKeyError } from "../src/domain/object-key.ts";
import { type DownloadTicket, type MultipartStep, StorageError } from "../src/storage-ports.ts";
import { idOf } from "./_builders.ts";
import { anAssignment, completion, connect, greet, heard } from "./_wep-bench.ts";
import { settle, until } from "./_until.ts";

const RUN = { activityId: idOf(1), runId: "run-1" };
type Step = NonNullable<MessageInitShape<typeof MultipartRequestSchema>["step"]>;
const MD5 = new Uint8Array(16).fill(5);
const SHA256 = new Uint8Array(32).fill(2);

describe("a WEP's hello", () => {
  it.each([true, false])("says whether requests for objects are answered: %j", async (brokersStorage) => {
    await using link = await connect({ maxConcurrency: 1 }, { brokersStorage });
    const [hello] = link.stream.heard.filter(({ msg }) => msg.case === "hello");
    expect(hello?.msg.value).toMatchObject({ brokersStorage });
  });
});

describe("a request to read an object", () => {
  it("is answered with a URL and when that ends, and counted", async () => {
    await using link = await connect();
    const { bench, stream } = link;
    bench.onDownload = async (objectKey) => ({
      url: `https://s/${objectKey}`,
      expiresAtMs: 1_700_000_000_999,
    });
    bench.start();
    await stream.next("assign");
    stream.send("downloadRequest", { ...RUN, requestId: 4n, objectKey: "in/a.wav" });
    expect(await stream.next("downloadGrant")).toMatchObject({
      requestId: 4n,
      objectKey: "in/a.wav",
      url: "https://s/in/a.wav",
      expiresUnix: 1_700_000_000n,
      error: "",
      retryable: false,
    });
    expect(bench.grants).toEqual(["granted download"]);
  });

  it("that is refused is answered with the reason, logged with activity, run and object, and counted", async () => {
    await using link = await connect();
    const { bench, stream } = link;
    bench.onDownload = () => Promise.reject(new ObjectKeyError("outside", "not yours"));
    bench.start();
    await stream.next("assign");
    stream.send("downloadRequest", { ...RUN, requestId: 4n, objectKey: `runs/${"x".repeat(5_000)}` });
    expect(await stream.next("downloadGrant")).toMatchObject({
      requestId: 4n,
      url: "",
      error: "[OBJECT_KEY_REFUSED] not yours",
      retryable: false,
    });
    expect(bench.grants).toEqual(["refused outside"]);
    const [line] = bench.logs.lines.filter(({ level }) => level === "warn");
    expect(line).toMatchObject({
      activity_id: idOf(1),
      run_id: "run-1",
      reason: "outside",
      request: "download",
    });
    expect(String(line?.["object"]).length).toBeLessThan(200);
  });

  it.each([
    ["that storage does not answer may be made again, and is no refusal", "UNAVAILABLE", true],
    ["that storage refuses is no refusal of ours", "REFUSED", false],
  ] as const)("%s", async (_what, code, retryable) => {
    await using link = await connect();
    const { bench, stream } = link;
    bench.onDownload = () => Promise.reject(new StorageError(code, "in/a.wav: no"));
    bench.start();
    await stream.next("assign");
    stream.send("downloadRequest", { ...RUN, requestId: 4n, objectKey: "in/a.wav" });
    expect(await stream.next("downloadGrant")).toMatchObject({
      error: `[STORAGE_${code}] in/a.wav: no`,
      retryable,
    });
    expect(bench.grants).toEqual(["failed"]);
  });

  it("whose trouble is a defect of the node tells the WEP nothing of it", async () => {
    await using link = await connect();
    const { bench, stream } = link;
    bench.onDownload = () => Promise.reject(new Error("secret-access-key is undefined"));
    bench.start();
    await stream.next("assign");
    stream.send("downloadRequest", { ...RUN, requestId: 4n, objectKey: "in/a.wav" });
    const { error, retryable } = await stream.next("downloadGrant");
    expect({ error, retryable }).toEqual({
      error: "the node could not answer; its log says why",
      retryable: true,
    });
    expect(bench.logs.text()).toContain("secret-access-key is undefined");
  });

  it.each([
    ["of a run that is not there", { runId: "run-2" }],
    ["of a run that is another activity's", { activityId: idOf(2) }],
    ["without a run", { runId: "" }],
  ])("%s is refused and asks nobody", async (_what, wrong) => {
    await using link = await connect();
    const { bench, stream } = link;
    bench.onDownload = () => Promise.reject(new Error("must not be asked"));
    bench.start();
    await stream.next("assign");
    stream.send("downloadRequest", { ...RUN, ...wrong, requestId: 4n, objectKey: "in/a.wav" });
    const { error } = await stream.next("downloadGrant");
    expect(error).toContain("is not assigned here, so it may not have objects");
    expect(bench.grants).toEqual(["refused no_run"]);
  });

  it("of a run that has ended is refused", async () => {
    await using link = await connect();
    const { bench, stream } = link;
    const run = bench.start();
    await stream.next("assign");
    stream.send("completion", completion());
    await run.outcome;
    stream.send("downloadRequest", { ...RUN, requestId: 4n, objectKey: "in/a.wav" });
    expect((await stream.next("downloadGrant")).error).toContain("is not assigned here");
  });
});

describe("requests of one run", () => {
  it("are answered 64 at once; one more is told to come again, and none is left out", async () => {
    await using link = await connect();
    const { bench, stream } = link;
    const held = createDeferred<DownloadTicket>();
    bench.onDownload = () => held.promise;
    bench.start();
    await stream.next("assign");
    for (let request = 1n; request <= 65n; request += 1n) {
      stream.send("downloadRequest", { ...RUN, requestId: request, objectKey: "in/a.wav" });
    }
    expect(await stream.next("downloadGrant")).toMatchObject({ requestId: 65n, retryable: true });
    expect(bench.grants).toEqual(["refused too_many"]);
    held.resolve({ url: "https://s/", expiresAtMs: 1_000 });
    await stream.next("downloadGrant", ({ requestId }) => requestId === 64n);
    expect(bench.grants.filter((event) => event === "granted download")).toHaveLength(64);
    stream.send("downloadRequest", { ...RUN, requestId: 66n, objectKey: "in/a.wav" });
    expect(await stream.next("downloadGrant", ({ requestId }) => requestId === 66n)).toMatchObject({
      error: "",
    });
  });

  it("that are refused are logged a hundred times and counted always", async () => {
    await using link = await connect();
    const { bench, stream } = link;
    bench.onDownload = () => Promise.reject(new ObjectKeyError("outside", "no"));
    bench.start();
    await stream.next("assign");
    for (let request = 1n; request <= 150n; request += 1n) {
      stream.send("downloadRequest", { ...RUN, requestId: request, objectKey: "in/a.wav" });
      await stream.next("downloadGrant", ({ requestId }) => requestId === request);
    }
    expect(bench.grants).toHaveLength(150);
    const lines = bench.logs.at("warn");
    expect(lines).toHaveLength(100);
    expect(lines.at(-1)).toContain("the last that is logged");
  });

  it("that fail for the node's own credential tell nothing of where that is", async () => {
    await using link = await connect();
    const { bench, stream } = link;
    bench.onDownload = () =>
      Promise.reject(
        new StorageError("UNAUTHENTICATED", "subnet_api.token_file (/etc/token) cannot be read"),
      );
    bench.start();
    await stream.next("assign");
    stream.send("downloadRequest", { ...RUN, requestId: 1n, objectKey: "in/a.wav" });
    expect(await stream.next("downloadGrant")).toMatchObject({
      error: expect.not.stringContaining("/etc") as string,
      retryable: true,
    });
    expect(JSON.stringify(bench.logs.lines)).toContain("/etc/token");
  });

  it("that storage does not answer are logged a hundred times, too, and counted always", async () => {
    await using link = await connect();
    const { bench, stream } = link;
    bench.onDownload = () => Promise.reject(new StorageError("NOT_FOUND", "there is no such upload"));
    bench.start();
    await stream.next("assign");
    for (let request = 1n; request <= 150n; request += 1n) {
      stream.send("downloadRequest", { ...RUN, requestId: request, objectKey: "in/a.wav" });
      await stream.next("downloadGrant", ({ requestId }) => requestId === request);
    }
    expect(bench.grants).toHaveLength(150);
    const lines = bench.logs.at("warn");
    expect(lines).toHaveLength(100);
    expect(lines.at(-1)).toContain("the last time that is logged");
  });

  it("with ids of any length are logged with what an id has", async () => {
    await using link = await connect();
    const { bench, stream } = link;
    const long = "x".repeat(100_000);
    stream.send("downloadRequest", { activityId: long, runId: long, requestId: 1n, objectKey: long });
    await stream.next("downloadGrant");
    const [line] = bench.logs.lines.filter(({ level }) => level === "warn");
    expect(JSON.stringify(line).length).toBeLessThan(1_000);
  });

  it("that is not there are logged a hundred times in each session", async () => {
    await using link = await connect();
    const { bench, wep } = link;
    let { stream } = link;
    const ask = async () => {
      for (let request = 1n; request <= 120n; request += 1n) {
        stream.send("downloadRequest", { activityId: "0x1", runId: "x", requestId: request, objectKey: "a" });
        await stream.next("downloadGrant", ({ requestId }) => requestId === request);
      }
    };
    const refused = () =>
      bench.logs.at("warn").filter((line) => line.startsWith("request for an object refused"));
    await ask();
    expect(refused()).toHaveLength(100);
    stream.end();
    stream = await bench.reconnected(wep);
    await greet(stream);
    await heard(stream);
    await ask();
    expect(refused()).toHaveLength(200);
    expect(bench.grants).toHaveLength(240);
  });
});

describe("an upload in parts", () => {
  it("is taken step by step, with all that each has", async () => {
    await using link = await connect();
    const { bench, stream } = link;
    const steps: MultipartStep[] = [];
    const objectKey = "runs/w/t/run-1/big.bin";
    bench.onMultipart = async (step) => {
      steps.push(step);
      if (step.kind === "create") return { objectKey, uploadId: "u-1" };
      const ticket = {
        objectKey,
        url: "https://s/p",
        headers: { "content-length": "5" },
        expiresAtMs: 2_000,
      };
      return step.kind === "part" ? { objectKey, ticket } : { objectKey };
    };
    bench.start();
    await stream.next("assign");
    const ask = async (step: Step | undefined, requestId: bigint) => {
      stream.send("multipartRequest", {
        ...RUN,
        requestId,
        name: "big.bin",
        ...(step === undefined ? {} : { step }),
      });
      return stream.next("multipartGrant", (grant) => grant.requestId === requestId);
    };
    const create = { mediaType: "text/plain", sizeBytes: 0n, sha256: SHA256 };
    expect(await ask({ case: "create", value: create }, 1n)).toMatchObject({
      objectKey,
      uploadId: "u-1",
      url: "",
    });
    const part = { uploadId: "u-1", partNumber: 1, sizeBytes: 5n, md5: MD5 };
    expect(await ask({ case: "part", value: part }, 2n)).toMatchObject({
      url: "https://s/p",
      headers: { "content-length": "5" },
      expiresUnix: 2n,
    });
    const complete = { uploadId: "u-1", parts: [{ partNumber: 1, etag: '"e"' }] };
    expect(await ask({ case: "complete", value: complete }, 3n)).toMatchObject({ objectKey, error: "" });
    expect(await ask({ case: "abort", value: { uploadId: "u-1" } }, 4n)).toMatchObject({
      objectKey,
      error: "",
    });
    expect(steps).toEqual([
      { kind: "create", name: "big.bin", mediaType: "text/plain", sizeBytes: undefined, sha256: SHA256 },
      { kind: "part", name: "big.bin", uploadId: "u-1", partNumber: 1, sizeBytes: 5, md5: MD5 },
      { kind: "complete", name: "big.bin", uploadId: "u-1", parts: [{ partNumber: 1, etag: '"e"' }] },
      { kind: "abort", name: "big.bin", uploadId: "u-1" },
    ]);
    expect((await ask(undefined, 5n)).error).toContain("has no step");
    expect(bench.grants).toEqual([...Array<string>(4).fill("granted multipart"), "refused bad_request"]);
  });
});

describe("a run that is assigned again", () => {
  const INPUT = {
    name: "audio",
    abiType: "string",
    mediaType: "audio/wav",
    value: "in/a",
    objectKey: "in/a",
  };
  const STALE = { ...INPUT, url: "https://s/in/a?1", urlExpiresAtMs: 1_000 };

  it("has new URLs: the first may have ended while its WEP was away", async () => {
    await using link = await connect();
    const { bench, stream, wep } = link;
    let minted = 1;
    bench.onDownload = async (objectKey) => ({
      url: `https://s/${objectKey}?${(minted += 1)}`,
      expiresAtMs: 5_000_000,
    });
    bench.start({ inputs: [STALE], workflowInputs: [STALE] });
    expect((await stream.next("assign")).inputs).toMatchObject([{ ref: "https://s/in/a?1" }]);
    stream.end();
    const again = await bench.reconnected(wep);
    await greet(again);
    const assigned = await again.next("assign");
    expect(assigned.inputs).toMatchObject([
      { ref: "https://s/in/a?2", objectKey: "in/a", expiresUnix: 5_000n },
    ]);
    expect(assigned.workflowInputs).toMatchObject([{ ref: "https://s/in/a?3" }]);
    again.send("completion", completion());
  });

  it("waits for storage that does not answer, and its completion counts meanwhile", async () => {
    await using link = await connect();
    const { bench, stream, wep } = link;
    bench.onDownload = () => Promise.reject(new StorageError("UNAVAILABLE", "in/a: nobody answers"));
    const run = bench.start({ inputs: [STALE] });
    await stream.next("assign");
    stream.end();
    const again = await bench.reconnected(wep);
    await greet(again);
    await heard(again);
    await bench.clock.advance(5_000);
    expect(again.kinds()).not.toContain("assign");
    expect(
      bench.logs.at("warn").filter((line) => line.includes("before they are assigned again")),
    ).toHaveLength(1);
    again.send("completion", completion());
    expect(await run.outcome).toMatchObject({ kind: "succeeded" });
    bench.onDownload = async () => ({ url: "https://s/late", expiresAtMs: 1 });
    await bench.clock.advance(20_000);
    await heard(again);
    expect(again.kinds()).not.toContain("assign");
  });

  it("is not waited for when the process stops, which the pause would keep alive", async () => {
    await using link = await connect();
    const { bench } = link;
    const stop = new AbortController();
    const download = () => Promise.reject(new StorageError("UNAVAILABLE", "in/a: nobody answers"));
    const run = {
      assignment: anAssignment({ inputs: [STALE] }),
      listener: { progress: () => undefined, upload: download, multipart: download, download },
      signal: stop.signal,
    };
    const urls = new FreshUrls({ clock: bench.clock, logger: bench.logs.logger });
    let isOver = false;
    const answer = urls.of(run, () => true).finally(() => (isOver = true));
    await settle();
    expect(isOver).toBe(false);
    stop.abort();
    expect(await answer).toBeUndefined();
  });

  it("is assigned as soon as storage answers", async () => {
    await using link = await connect();
    const { bench, stream, wep } = link;
    bench.onDownload = () => Promise.reject(new StorageError("UNAVAILABLE", "in/a: nobody answers"));
    bench.start({ inputs: [STALE] });
    await stream.next("assign");
    stream.end();
    const again = await bench.reconnected(wep);
    await greet(again);
    await heard(again);
    bench.onDownload = async () => ({ url: "https://s/fresh", expiresAtMs: 9_000 });
    await bench.clock.advance(2_000);
    expect((await again.next("assign")).inputs).toMatchObject([{ ref: "https://s/fresh" }]);
  });

  it("in a session that ended meanwhile is not assigned there, and once in the next", async () => {
    await using link = await connect();
    const { bench, stream, wep } = link;
    const asked: ((ticket: DownloadTicket) => void)[] = [];
    bench.onDownload = () => new Promise((resolve) => void asked.push(resolve));
    bench.start({ inputs: [STALE] });
    await stream.next("assign");
    stream.end();
    const second = await bench.reconnected(wep);
    await greet(second);
    await until(() => asked.length === 1);
    second.end();
    const third = await bench.reconnected(wep);
    await greet(third);
    await until(() => asked.length === 2);
    for (const [index, answer] of asked.entries()) answer({ url: `https://s/${index}`, expiresAtMs: 1 });
    expect((await third.next("assign")).inputs).toMatchObject([{ ref: "https://s/1" }]);
    await settle();
    expect(third.kinds().filter((kind) => kind === "assign")).toHaveLength(1);
  });
});
