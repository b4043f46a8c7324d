import { type MessageOf, ScriptedWep, type WepStream } from "@subnet-worker/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { AUDIO_SPEC_PATH, type Network, SHORT_RECORDING, startNetwork } from "./_network.ts";
import { parseMetrics } from "./_prometheus.ts";
import { programArgs, startProcess } from "./_process.ts";
import { until } from "./_until.ts";
import { configWith, fundedWallet, makeWcp, wcpConfig, type WcpHome, type WcpProcess } from "./_wcp.ts";
import { type Submitted, submitKey, submitRecording } from "./_workflow.ts";

type Assignment = MessageOf<"assign">;

let network: Network;
let wep: ScriptedWep;
let home: WcpHome;
let wcp: WcpProcess;
let stream: WepStream;
let env: Readonly<Record<string, string>>;
let mine: Assignment;
let theirs: Assignment;
let workflows: readonly Submitted[];
let requestId = 0n;

beforeAll(async () => {
  network = await startNetwork();
  await network.kill("wep", "wcp");
  const { chain, store } = network.state;
  const { privateKey } = await fundedWallet(chain);
  const { accessKeyId, secretAccessKey, ...storage } = store;
  wep = await ScriptedWep.listen();
  const config = configWith(wcpConfig(chain, wep.url, AUDIO_SPEC_PATH), { storage });
  env = {
    WCP__ETHEREUM__WALLET_PRIVATE_KEY: privateKey,
    WCP__STORAGE__ACCESS_KEY_ID: accessKeyId,
    WCP__STORAGE__SECRET_ACCESS_KEY: secretAccessKey,
  };
  home = makeWcp({ dir: network.dir, config, env });
  wcp = await home.start();
  stream = await wep.next();
  await stream.welcome({ maxConcurrency: 8 });
  await wcp.untilReady();
  workflows = [submitRecording(network, SHORT_RECORDING), submitRecording(network, SHORT_RECORDING)];
  mine = await stream.next("assign");
  theirs = await stream.next("assign");
});

afterAll(async () => {
  await wcp[Symbol.asyncDispose]();
  await wep[Symbol.asyncDispose]();
  await network[Symbol.asyncDispose]();
});

type Grant = MessageOf<"uploadGrant"> | MessageOf<"downloadGrant"> | MessageOf<"multipartGrant">;
type Name = Pick<Assignment, "activityId" | "runId">;
type Step = Parameters<typeof stream.send<"multipartRequest">>[1]["step"];

async function askUpload(as: Name, name: string): Promise<Grant> {
  const id = (requestId += 1n);
  const { activityId, runId } = as;
  stream.send("uploadRequest", {
    activityId,
    runId,
    requestId: id,
    name,
    mediaType: "text/plain",
    sizeBytes: 6n,
  });
  return stream.next("uploadGrant", (grant) => grant.requestId === id);
}

async function askDownload(as: Name, objectKey: string): Promise<Grant> {
  const id = (requestId += 1n);
  const { activityId, runId } = as;
  stream.send("downloadRequest", { activityId, runId, requestId: id, objectKey });
  return stream.next("downloadGrant", (grant) => grant.requestId === id);
}

async function askParts(as: Name, name: string, step: NonNullable<Step>): Promise<Grant> {
  const id = (requestId += 1n);
  const { activityId, runId } = as;
  stream.send("multipartRequest", { activityId, runId, requestId: id, name, step });
  return stream.next("multipartGrant", (grant) => grant.requestId === id);
}

async function upload(as: Name, name: string): Promise<string> {
  const grant = await askUpload(as, name);
  if (!("headers" in grant)) throw new Error(`no grant: ${grant.error}`);
  const response = await fetch(grant.url, { method: "PUT", headers: grant.headers, body: "secret" });
  expect(response.status).toBe(200);
  return grant.objectKey;
}

interface Refusals {
  readonly logged: number;
  readonly counted: number;
}

async function refusals(): Promise<Refusals> {
  const logged = wcp.lines().filter(({ msg }) => msg?.startsWith("request for an object refused")).length;
  const samples = parseMetrics(await (await fetch(`${await wcp.adminUrl()}/metrics`)).text());
  const counted = samples.filter(({ name }) => name === "wcp_storage_refusals_total");
  return { logged, counted: counted.reduce((sum, { value }) => sum + value, 0) };
}

/** What is stored, by the node's own command. */
async function stored(): Promise<readonly string[]> {
  await using command = await startProcess({
    command: process.execPath,
    args: [...programArgs("wcp"), "storage", "ls", "--json", "--config", home.configPath],
    env,
    cwd: home.dir,
  });
  expect(await command.ended, command.stderr()).toBe(0);
  const lines = command
    .stdout()
    .trim()
    .split("\n")
    .filter((line) => line !== "");
  return lines.map((line) => (JSON.parse(line) as { readonly objectKey: string }).objectKey).toSorted();
}

/** Each is refused, with a reason and nothing else; logged with what it is about; counted. */
async function expectRefused(asks: readonly (() => Promise<Grant>)[]): Promise<void> {
  const before = await refusals();
  for (const ask of asks) {
    const grant = await ask();
    expect(grant.error, JSON.stringify(ask.toString())).toMatch(/^\[OBJECT_KEY_REFUSED\] /);
    expect({ url: grant.url, objectKey: grant.objectKey }).toEqual({ url: "", objectKey: "" });
  }
  const after = await until("the refusals to be logged", async () => {
    const now = await refusals();
    return now.logged - before.logged >= asks.length ? now : undefined;
  });
  expect(after).toEqual({ logged: before.logged + asks.length, counted: before.counted + asks.length });
}

test("a WEP gets what its runs may have: their inputs, their own objects, and room to write", async () => {
  const hello = stream.heard.find(({ msg }) => msg.case === "hello")?.msg.value as MessageOf<"hello">;
  expect(hello.brokersStorage).toBe(true);
  const own = await upload(mine, "notes/own.txt");
  expect(own).toBe(`${mine.uploadPrefix}notes/own.txt`);
  const again = await askDownload(mine, own);
  expect(await (await fetch(again.url)).text()).toBe("secret");
  const input = mine.inputs.find(({ objectKey }) => objectKey !== "")?.objectKey ?? "";
  expect((await fetch((await askDownload(mine, input)).url)).status).toBe(200);
  const begun = await askParts(mine, "big.bin", { case: "create", value: {} });
  const uploadId = "uploadId" in begun ? begun.uploadId : "";
  expect(uploadId).not.toBe("");
  const part = await askParts(mine, "big.bin", {
    case: "part",
    value: { uploadId, partNumber: 1, sizeBytes: 6n },
  });
  expect(part.url).toContain("partNumber=1");
  expect(await askParts(mine, "big.bin", { case: "abort", value: { uploadId } })).toMatchObject({
    error: "",
  });
});

test("it may not read outside of its activity, however the key is written", async () => {
  const secret = await upload(theirs, "secret.txt");
  const own = mine.uploadPrefix;
  const back = secret.slice("runs/".length);
  const keys = [
    secret,
    theirs.uploadPrefix,
    `${theirs.uploadPrefix}anything`,
    `${own}../../../${back}`,
    `${own}..%2f..%2f..%2f${back}`,
    `${own}%2e%2e/%2e%2e/%2e%2e/${back}`,
    `${own}%252e%252e/%252e%252e/%252e%252e/${back}`,
    `${own}..\\..\\..\\${back}`,
    `${own}．．/．．/．．/${back}`,
    `${own}./../../../${back}`,
    `/${secret}`,
    `//${secret}`,
    `./${secret}`,
    secret.replace("/", "//"),
    secret.replace("runs", "Runs"),
    secret.replace("/", "%2f"),
    `${secret}\0`,
    `${secret}?versionId=1`,
    encodeURIComponent(secret),
    "/etc/passwd",
    "file:///etc/passwd",
    "http://169.254.169.254/latest/meta-data",
    "..",
    "runs/",
    "",
    `${own}${"a/".repeat(2_000)}`,
  ];
  await expectRefused(keys.map((key) => () => askDownload(mine, key)));
  const lines = wcp.lines().filter(({ msg }) => msg?.startsWith("request for an object refused"));
  for (const line of lines) {
    expect(line).toMatchObject({ level: "warn", activity_id: mine.activityId, run_id: mine.runId });
    expect(String(line["object"]).length).toBeLessThan(200);
  }
  expect(lines.map((line) => line["object"])).toContain(JSON.stringify(secret));
});

test("it may not write outside of its run's prefix, whole or in parts", async () => {
  const before = await stored();
  const names = [
    `../${theirs.runId}/x`,
    `../../../${theirs.uploadPrefix}x`,
    `../../../../etc/cron.d/x`,
    "..",
    "a/../../x",
    "a/..",
    "./x",
    "/x",
    "/etc/passwd",
    "//x",
    "x/",
    "%2e%2e/x",
    "%2e%2e%2fx",
    "%252e%252e%252fx",
    "..%5cx",
    "..\\x",
    "．．/x",
    "..／x",
    "x\0.txt",
    "x\r\ny",
    ".hidden",
    "http://evil.example/x",
    "",
    "x".repeat(600),
  ];
  const uploadId = "an-upload-of-somebody";
  await expectRefused(names.map((name) => () => askUpload(mine, name)));
  await expectRefused(names.map((name) => () => askParts(mine, name, { case: "create", value: {} })));
  const steps: readonly NonNullable<Step>[] = [
    { case: "part", value: { uploadId, partNumber: 1, sizeBytes: 6n } },
    { case: "complete", value: { uploadId, parts: [{ partNumber: 1, etag: "e" }] } },
    { case: "abort", value: { uploadId } },
  ];
  await expectRefused(steps.map((step) => () => askParts(theirs, `../${mine.runId}/x`, step)));
  expect(await stored()).toEqual(before);
});

test("it may not ask in the name of a run that is not its own, nor for more than a store takes", async () => {
  const nobody = { activityId: mine.activityId, runId: "00000000-0000-8000-8000-000000000000" };
  const crossed = { activityId: mine.activityId, runId: theirs.runId };
  const nameless = { activityId: mine.activityId, runId: "" };
  await expectRefused([
    () => askUpload(nobody, "x"),
    () => askUpload(crossed, "x"),
    () => askDownload(crossed, `${theirs.uploadPrefix}secret.txt`),
    () => askDownload(nameless, `${mine.uploadPrefix}notes/own.txt`),
    () => askParts(nobody, "x", { case: "create", value: {} }),
    () => askParts(mine, "x", { case: "create", value: { mediaType: "a\r\nx-amz-acl: public-read" } }),
    () => askParts(mine, "x", { case: "create", value: { sizeBytes: 2n ** 60n } }),
    () => askParts(mine, "x", { case: "part", value: { uploadId: "u", partNumber: 10_001, sizeBytes: 6n } }),
    () =>
      askParts(mine, "x", { case: "part", value: { uploadId: "u", partNumber: 1, sizeBytes: 2n ** 40n } }),
  ]);
});

test("a requester may not name an object of another workflow as an input: the activity fails, with the reason", async () => {
  const key = `${theirs.uploadPrefix}secret.txt`;
  const { run } = await submitKey(network, key).finished;
  expect(run.outcome).toMatchObject({ kind: "failed" });
  expect(JSON.stringify(run)).toContain("[OBJECT_KEY_REFUSED]");
  expect(
    await wcp.find("the input to be refused", ({ msg }) => msg?.startsWith("an input was refused") === true),
  ).toMatchObject({
    object: JSON.stringify(key),
    reason: "outside",
  });
});

test("a result that names another run's object is not settled, and one that names a missing one is run again", async () => {
  const { activityId, runId } = theirs;
  const missing = { processed_object_key: `${theirs.uploadPrefix}never-written.wav` };
  const resultInline = new TextEncoder().encode(JSON.stringify(missing));
  stream.send("completion", { activityId, runId, status: "SUCCESS", resultInline });
  const second = await stream.next("assign", (assignment) => assignment.activityId === activityId);
  expect(second).toMatchObject({ attempt: 2 });
  expect(
    await wcp.find("the run to have failed", ({ msg }) => msg === "the run failed; running it again"),
  ).toMatchObject({
    error: expect.stringContaining("never-written.wav, which is not in storage") as string,
  });
  const stolen = { processed_object_key: `${mine.uploadPrefix}notes/own.txt` };
  stream.send("completion", {
    activityId,
    runId: second.runId,
    status: "SUCCESS",
    resultInline: new TextEncoder().encode(JSON.stringify(stolen)),
  });
  await wcp.find("the result to be refused", ({ msg }) => msg?.startsWith("result refused") === true);
  stream.send("completion", {
    activityId: mine.activityId,
    runId: mine.runId,
    status: "ERROR",
    error: "done here",
  });
  for (const { finished } of workflows) expect((await finished).run.outcome.kind).toBe("failed");
  expect(wcp.stdout() + wcp.stderr()).not.toContain("X-Amz-Signature");
});

test("what the failed runs left is told from all else, and removed when that is asked for", async () => {
  const garbage = [`${mine.uploadPrefix}notes/own.txt`, `${theirs.uploadPrefix}secret.txt`];
  expect(await stored()).toEqual(garbage.toSorted());
  const gc = async (...more: readonly string[]) => {
    await using command = await startProcess({
      command: process.execPath,
      args: [...programArgs("wcp"), "storage", "gc", "--config", home.configPath, ...more],
      env,
      cwd: home.dir,
    });
    expect(await command.ended, command.stderr()).toBe(0);
    return command.stdout() + command.stderr();
  };
  expect(await gc("--yes")).toContain("Removed 0 objects");
  expect(await gc("--older-than", "0s")).toContain("garbage: failed");
  expect(await stored()).toHaveLength(2);
  expect(await gc("--older-than", "0s", "--yes")).toContain("Removed 2 objects (12 B)");
  expect(await stored()).toEqual([]);
});
