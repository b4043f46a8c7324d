// Objects on their way to and from a WEP: as large as they come, cut, damaged, and slower than their URLs live.
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { listenObjectStore, type ObjectStore } from "@subnet-worker/object-store";
import type { Completion } from "@subnet-worker/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ByteProxy, startByteProxy, type Way } from "./_byte-proxy.ts";
import { StorageClient } from "./_storage-client.ts";
import { startBuiltWep } from "./_wep.ts";
import type { TestProcess } from "./_process.ts";

const HANDLERS = fileURLToPath(new URL("fixtures/transfer-handlers.ts", import.meta.url));
const MB = 1_000_000;
const LARGE_BYTES = 2_000 * MB;
const MOST_RESIDENT_BYTES = 200 * MB;

interface Rig extends AsyncDisposable {
  readonly wep: TestProcess;
  readonly store: ObjectStore;
  readonly proxy: ByteProxy;
  readonly client: StorageClient;
}

async function startRig(options: { readonly urlLifetimeMs?: number } = {}): Promise<Rig> {
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "transfers-"));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const store = stack.use(await listenObjectStore({ directory, ...options }));
  const proxy = stack.use(await startByteProxy(store.url));
  const wep = stack.use(await startBuiltWep({ handlers: HANDLERS, env: { TMPDIR: directory } }));
  const line = await wep.find("the WEP to listen", ({ msg }) => msg === "wep listening");
  const client = stack.use(
    new StorageClient({
      url: `http://127.0.0.1:${String(line["port"])}`,
      store,
      via: (url) => proxy.via(url),
    }),
  );
  const owned = stack.move();
  return { wep, store, proxy, client, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

function outputsOf(completion: Completion): Record<string, unknown> {
  expect(completion).toMatchObject({ status: "SUCCESS", error: "" });
  return JSON.parse(new TextDecoder().decode(completion.resultInline)) as Record<string, unknown>;
}

function make({ client }: Rig, sizeBytes: number): Promise<Completion> {
  return client.run({
    taskKind: "test.make",
    inputs: [{ name: "size_bytes", inlineJson: String(sizeBytes) }],
  });
}

async function read({ client }: Rig, objectKey: unknown, how: "fetch" | "copy"): Promise<Completion> {
  return await client.run({
    taskKind: `test.${how}`,
    inputs: [await client.input("object", String(objectKey))],
  });
}

/** What crosses the proxy from now on. */
function watch({ bytes }: ByteProxy): (way: Way) => number {
  const before = { ...bytes };
  return (way) => bytes[way] - before[way];
}

/** The most memory that a process has had, as its system counts it. */
async function peakBytes({ pid }: TestProcess): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1_024;
}

async function digestOf({ store }: Rig, objectKey: unknown): Promise<string> {
  const { url } = await store.downloadTicket(String(objectKey));
  const hash = createHash("sha256");
  for await (const chunk of (await fetch(url)).body ?? []) hash.update(chunk as Uint8Array);
  return hash.digest("hex");
}

let rig: Rig;

beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig[Symbol.asyncDispose]());

// Read, hashed and written several times over: minutes on a slow disk.
describe("2 GB", { timeout: 900_000 }, () => {
  let made: Record<string, unknown>;

  it("go up from a stream in little memory, and a part alone is sent again after a cut", async () => {
    const { proxy, wep } = rig;
    const crossed = watch(proxy);
    for (const share of [0.2, 0.5, 0.8]) proxy.cutAt("up", LARGE_BYTES * share);
    made = outputsOf(await make(rig, LARGE_BYTES));
    expect(proxy.mishaps).toBe(3);
    expect(crossed("up")).toBeGreaterThan(LARGE_BYTES);
    expect(crossed("up")).toBeLessThan(LARGE_BYTES * 1.05);
    expect(await rig.store.head(String(made["object_key"]))).toMatchObject({ sizeBytes: LARGE_BYTES });
    expect(await peakBytes(wep)).toBeLessThan(MOST_RESIDENT_BYTES);
  });

  it("come down to a file in little memory, and go on where they were cut", async () => {
    const { proxy, wep } = rig;
    const crossed = watch(proxy);
    for (const share of [0.2, 0.5, 0.8]) proxy.cutAt("down", LARGE_BYTES * share);
    const fetched = outputsOf(await read(rig, made["object_key"], "fetch"));
    expect(fetched).toEqual({ read_bytes: LARGE_BYTES, sha256: made["sha256"] });
    expect(proxy.mishaps).toBe(6);
    expect(crossed("down")).toBeGreaterThan(LARGE_BYTES);
    expect(crossed("down")).toBeLessThan(LARGE_BYTES * 1.05);
    expect(await peakBytes(wep)).toBeLessThan(MOST_RESIDENT_BYTES);
  });
});

describe("a file", () => {
  it("goes up in parts as well, each sent again alone after a cut", async () => {
    const { proxy } = rig;
    const crossed = watch(proxy);
    const before = proxy.mishaps;
    const made = outputsOf(await make(rig, 60 * MB));
    for (const share of [0.3, 0.6]) proxy.cutAt("up", 60 * MB * share);
    const copied = outputsOf(await read(rig, made["object_key"], "copy"));
    expect(copied).toMatchObject({ read_bytes: 60 * MB, sha256: made["sha256"] });
    expect(proxy.mishaps).toBe(before + 2);
    // Twice 60 MB, and of three parts of 8 MiB once more what had gone of them.
    expect(crossed("up")).toBeLessThan((120 + 6 * 8.4) * MB);
    expect(await digestOf(rig, copied["object_key"])).toBe(made["sha256"]);
  });
});

describe("an object that is damaged on its way", () => {
  it("is written again until the store has what was sent", async () => {
    const { proxy } = rig;
    const before = { mishaps: proxy.mishaps, parts: rig.client.asked.part };
    proxy.damageAt("up", 15 * MB);
    const made = outputsOf(await make(rig, 40 * MB));
    expect(proxy.mishaps).toBe(before.mishaps + 1);
    // 40 MB are five parts; the one that was refused was asked for twice.
    expect(rig.client.asked.part).toBe(before.parts + 6);
    expect(await digestOf(rig, made["object_key"])).toBe(made["sha256"]);
  });

  it("is read again until it is what the store has", async () => {
    const { proxy } = rig;
    const body = Buffer.alloc(20 * MB, "not so random");
    const sha256 = createHash("sha256").update(body).digest();
    await rig.store.write("in/body", body, { sha256 });
    const before = { ...proxy.bytes, mishaps: proxy.mishaps };
    proxy.damageAt("down", 7 * MB);
    const copied = outputsOf(await read(rig, "in/body", "copy"));
    expect(proxy.mishaps).toBe(before.mishaps + 1);
    expect(copied["sha256"]).toBe(sha256.toString("hex"));
    expect(proxy.bytes.down - before.down).toBeGreaterThan(2 * 20 * MB);
    expect(await digestOf(rig, copied["object_key"])).toBe(sha256.toString("hex"));
  });
});

describe("a URL that lives for two seconds", () => {
  it("is renewed in the middle of a read", async () => {
    await using short = await startRig({ urlLifetimeMs: 2_000 });
    const { proxy, client, store } = short;
    const sizeBytes = 12 * MB;
    const body = Buffer.alloc(sizeBytes, "still not random");
    await store.write("in/body", body);
    // Four seconds for all of it; the cut comes after three, when the URL is over.
    proxy.slowTo(3 * MB);
    proxy.cutAt("down", 9 * MB);
    const copied = outputsOf(await read(short, "in/body", "copy"));
    expect(client.asked.download).toBeGreaterThan(0);
    expect(proxy.bytes.down).toBeLessThan(sizeBytes * 1.2);
    expect(copied["sha256"]).toBe(createHash("sha256").update(body).digest("hex"));
  });

  it("is asked for again when a write comes too late for it", async () => {
    await using short = await startRig({ urlLifetimeMs: 2_000 });
    const { proxy, client } = short;
    proxy.holdNext(3_000);
    const made = outputsOf(await make(short, 1 * MB));
    expect(client.asked.upload).toBe(2);
    expect(await digestOf(short, made["object_key"])).toBe(made["sha256"]);
  });
});
