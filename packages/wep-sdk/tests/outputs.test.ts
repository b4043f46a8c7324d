// What becomes of what a handler returns, where the activity's spec says what it is to have.
import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ServerResponse } from "node:http";
import { describe, expect, it } from "vitest";
import { hexOf, TestBroker } from "./_broker.ts";
import { assignment, TestStream, type ValueOf } from "./_stream.ts";
import { type Call, resultOf, scriptedHandler, startWep, type TestWep } from "./_wep.ts";

const PREFIX = "runs/w/a/r/";

interface Rig extends AsyncDisposable {
  readonly wep: TestWep;
  readonly stream: TestStream;
  readonly broker: TestBroker;
  readonly call: Call;
  completion(): Promise<ValueOf<"completion">>;
}

type Outputs = NonNullable<NonNullable<Parameters<typeof assignment>[0]>["outputs"]>;

async function rig(
  outputs: Outputs,
  options: {
    readonly brokersStorage?: boolean;
    readonly more?: object;
    readonly tuning?: object;
  } = {},
): Promise<Rig> {
  await using stack = new AsyncDisposableStack();
  const broker = stack.use(await TestBroker.start());
  const work = scriptedHandler();
  const transfer = { initialBackoffMs: 1, maxBackoffMs: 2, maxFailures: 3, patienceMs: 0 };
  const tuning = { transfer: { ...transfer, ...options.tuning } };
  const wep = stack.use(await startWep({ handlers: [work.handler], tuning }));
  const stream = stack.use(
    await TestStream.open(wep.port, { brokersStorage: options.brokersStorage ?? true }),
  );
  broker.attend(stream, PREFIX);
  stream.send("assign", assignment({ uploadPrefix: PREFIX, outputs, ...options.more }));
  const call = await work.nextCall();
  const owned = stack.move();
  return {
    wep,
    stream,
    broker,
    call,
    completion: () => stream.next("completion"),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function endOf(outputs: Outputs, returned: unknown): Promise<ValueOf<"completion">> {
  await using test = await rig(outputs);
  test.call.end.resolve(returned);
  return await test.completion();
}

describe("outputs that the spec declares", () => {
  it("travel as their types have it", async () => {
    const outputs = [
      { name: "ok", abiType: "bool" },
      { name: "count", abiType: "uint64" },
      { name: "pairs", abiType: "(uint8,bytes)[]" },
      { name: "anything", abiType: "" },
    ];
    const returned = { ok: true, count: 7, pairs: [[1n, "0x0A"]], anything: { deep: [2n ** 70n] } };
    const completion = await endOf(outputs, returned);
    expect(completion.status).toBe("SUCCESS");
    expect(resultOf(completion)).toEqual({
      ok: true,
      count: "7",
      pairs: [[1, "0x0a"]],
      anything: { deep: ["1180591620717411303424"] },
    });
    expect(completion.objects).toEqual([]);
  });

  it.each([
    ["a missing one", {}, 'no output "verdict", a bool'],
    ["nothing at all", undefined, 'no output "verdict", a bool'],
    [
      "an unknown one",
      { verdict: true, scores: 1 },
      'no output "scores" in the activity\'s spec; did you mean "score"?',
    ],
    [
      "another shape",
      { verdict: "yes", score: 1 },
      'output "verdict": expected bool, true or false, got "yes"',
    ],
    ["a number out of range", { verdict: true, score: 256 }, 'output "score": expected uint8'],
    ["an array", [true], "the handler returned an array of 1; return an object keyed by output name"],
  ])("fail their run when there is %s, naming it", async (_, returned, message) => {
    const outputs = [
      { name: "verdict", abiType: "bool" },
      { name: "score", abiType: "uint8" },
    ];
    const completion = await endOf(outputs, returned);
    expect(completion).toMatchObject({ status: "ERROR", errorCode: 1003, retryable: false });
    expect(completion.error).toContain(message);
  });

  it("say the place within a list that does not fit", async () => {
    const completion = await endOf([{ name: "scores", abiType: "uint8[]" }], { scores: [1, 2, "x"] });
    expect(completion.error).toContain('output "scores[2]": expected uint8');
  });
});

const IMAGE = { name: "image_object_key", abiType: "string", mediaType: "image/png", isObjectKey: true };

describe("an output that is an object", () => {
  it("may be a key, which travels as it is", async () => {
    const completion = await endOf([IMAGE], { image_object_key: "in/old.png" });
    expect(resultOf(completion)).toEqual({ image_object_key: "in/old.png" });
    expect(completion.objects).toEqual([]);
  });

  it("may be bytes, which are uploaded under its name and told of", async () => {
    const bytes = randomBytes(100);
    await using test = await rig([IMAGE, { ...IMAGE, name: "text", mediaType: "text/plain; charset=utf-8" }]);
    test.call.end.resolve({ image_object_key: bytes, text: Buffer.from("words") });
    const completion = await test.completion();
    expect(resultOf(completion)).toEqual({
      image_object_key: `${PREFIX}image_object_key.png`,
      text: `${PREFIX}text.txt`,
    });
    const stored = test.broker.objects.get(`${PREFIX}image_object_key.png`);
    expect(stored?.bytes).toEqual(bytes);
    expect(stored?.headers).toMatchObject({ "content-type": "image/png" });
    expect(completion.objects).toMatchObject([
      { objectKey: `${PREFIX}image_object_key.png`, sizeBytes: 100n },
      { objectKey: `${PREFIX}text.txt`, sizeBytes: 5n },
    ]);
    expect(Buffer.from(completion.objects[0]!.sha256).toString("hex")).toBe(hexOf("sha256", bytes));
  });

  it("may be a stream or a file, whose own media type goes before that of the spec", async () => {
    await using test = await rig([IMAGE, { ...IMAGE, name: "clip" }]);
    const path = join(await test.call.ctx.scratchDir(), "clip");
    await writeFile(path, "moving");
    const stream = ReadableStream.from([Buffer.from("still"), Buffer.from(" image")]);
    test.call.end.resolve({ image_object_key: stream, clip: { path, mediaType: "video/mp4" } });
    const completion = await test.completion();
    expect(resultOf(completion)).toEqual({
      image_object_key: `${PREFIX}image_object_key.png`,
      clip: `${PREFIX}clip.mp4`,
    });
    expect(test.broker.objects.get(`${PREFIX}image_object_key.png`)?.bytes.toString()).toBe("still image");
    expect(test.broker.objects.get(`${PREFIX}clip.mp4`)?.headers).toMatchObject({
      "content-type": "video/mp4",
    });
  });

  it("may be a list of keys and contents", async () => {
    await using test = await rig([{ ...IMAGE, abiType: "string[]", name: "frames" }]);
    test.call.end.resolve({ frames: [new Uint8Array([1]), "in/x.png", new Uint8Array([2])] });
    expect(resultOf(await test.completion())).toEqual({
      frames: [`${PREFIX}frames-0.png`, "in/x.png", `${PREFIX}frames-2.png`],
    });
  });

  it("does not take the place of what the handler has written itself", async () => {
    await using test = await rig([IMAGE]);
    await test.call.ctx.upload("image_object_key.png", "mine", { mediaType: "image/png" });
    test.call.end.resolve({ image_object_key: Buffer.from("the output") });
    expect(resultOf(await test.completion())).toEqual({
      image_object_key: `${PREFIX}image_object_key-1.png`,
    });
    expect(test.broker.objects.get(`${PREFIX}image_object_key.png`)?.bytes.toString()).toBe("mine");
  });

  it.each([
    ["bytes", () => new Uint8Array(11)],
    ["a stream", () => ReadableStream.from([new Uint8Array(6), new Uint8Array(5)])],
  ])("fails its run when it is %s above what the spec allows", async (_, content) => {
    await using test = await rig([{ ...IMAGE, maxBytes: 10n }]);
    test.call.end.resolve({ image_object_key: content() });
    const completion = await test.completion();
    expect(completion).toMatchObject({ status: "ERROR", errorCode: 2004 });
    expect(completion.error).toMatch(/upload "image_object_key.png" has 11 bytes.* at most 10 are allowed/);
    expect(test.broker.objects.size).toBe(0);
  });

  it("is uploaded only when all other outputs fit", async () => {
    await using test = await rig([IMAGE, { name: "score", abiType: "uint8" }]);
    test.call.end.resolve({ image_object_key: new Uint8Array(5), score: "many" });
    expect((await test.completion()).error).toContain('output "score"');
    expect(test.broker.requests).toEqual([]);
  });

  it("must not be an input file, which has a key", async () => {
    await using test = await rig([IMAGE], {
      more: { inputs: [{ name: "clip", ref: "http://127.0.0.1:1/x", objectKey: "in/x" }] },
    });
    test.call.end.resolve({ image_object_key: test.call.input["clip"] });
    expect((await test.completion()).error).toContain("return its objectKey to pass it on");
  });
});

describe("a result by reference", () => {
  it("is an object with what would travel inline, when it is too large for that", async () => {
    await using test = await rig([]);
    const returned = { text: "x".repeat(4_000_000), n: 5n };
    test.call.end.resolve(returned);
    const completion = await test.completion();
    const objectKey = `${PREFIX}result.json`;
    expect(completion).toMatchObject({ status: "SUCCESS", resultRef: objectKey, resultRefIsOutputs: true });
    expect(completion.resultInline).toHaveLength(0);
    const { bytes, headers } = test.broker.objects.get(objectKey)!;
    expect(JSON.parse(bytes.toString())).toEqual({ ...returned, n: "5" });
    expect(headers["content-type"]).toBe("application/json");
    expect(completion.objects).toMatchObject([{ objectKey, sizeBytes: BigInt(bytes.length) }]);
  });

  it("is one however small when the assignment says so", async () => {
    await using test = await rig([{ name: "n", abiType: "uint8" }], { more: { resultByReference: true } });
    test.call.end.resolve({ n: 5 });
    expect(await test.completion()).toMatchObject({ resultRef: `${PREFIX}result.json` });
    expect(test.broker.objects.get(`${PREFIX}result.json`)?.bytes.toString()).toBe('{"n":5}');
  });

  it("takes another name when the handler has written a result.json", async () => {
    await using test = await rig([], { more: { resultByReference: true } });
    await test.call.ctx.upload("result.json", "mine", { mediaType: "application/json" });
    test.call.end.resolve({ n: 5 });
    expect(await test.completion()).toMatchObject({ resultRef: `${PREFIX}result-1.json` });
  });

  it("carries 50 MB, in parts, and nothing else notices", async () => {
    await using test = await rig([]);
    test.stream.send("assign", assignment({ activityId: "other" }));
    test.call.end.resolve({ blob: Buffer.alloc(25_000_000) });
    const completion = await test.completion();
    expect(completion).toMatchObject({ status: "SUCCESS", resultRef: `${PREFIX}result.json` });
    expect(test.broker.objects.get(`${PREFIX}result.json`)?.bytes.length).toBe(50_000_013);
    expect(test.broker.requests.length).toBe(6);
    expect(await test.wep.metric("wep_streams")).toBe(1);
  });

  it("is inline where the worker client brokers none and it fits, else an error with advice", async () => {
    await using small = await rig([], { brokersStorage: false, more: { resultByReference: true } });
    small.call.end.resolve({ n: 5 });
    expect(resultOf(await small.completion())).toEqual({ n: 5 });
    await using large = await rig([], { brokersStorage: false });
    large.call.end.resolve({ text: "x".repeat(4_000_000) });
    const completion = await large.completion();
    expect(completion).toMatchObject({ status: "ERROR", errorCode: 1003, retryable: false });
    expect(completion.error).toMatch(
      /is 40000\d\d bytes and at most 3145728 travel inline; upload the large output/,
    );
  });

  it("that cannot be stored is worth another try", async () => {
    await using test = await rig([], { more: { resultByReference: true } });
    const down = (_: unknown, response: ServerResponse) => Boolean(response.writeHead(503).end());
    test.broker.faults.push(down, down, down);
    test.call.end.resolve({ n: 5 });
    expect(await test.completion()).toMatchObject({ status: "ERROR", errorCode: 3001, retryable: true });
  });
});
