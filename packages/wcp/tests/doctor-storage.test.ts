import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type HttpAnswer, ScriptedHttp } from "@subnet-worker/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createLogger } from "@subnet-worker/kit";
import { listenObjectStore, type ObjectStore } from "@subnet-worker/object-store";
import { listenStore, type StoreServer } from "../../devnet/src/store/server.ts";
import { listenStorageApi, type StorageApi } from "../../devnet/src/store/storage-api.ts";
import { DoctorBench, type Settings } from "./_doctor-bench.ts";

const KEYS = { WCP__STORAGE__ACCESS_KEY_ID: "AKDOCTOR", WCP__STORAGE__SECRET_ACCESS_KEY: "the-secret" };
const TOKEN = { WCP__SUBNET_API__TOKEN: "the-token" };

let bench: DoctorBench;
let s3: StoreServer;
let objects: ObjectStore;
let api: StorageApi;
beforeAll(async () => {
  bench = await DoctorBench.start();
  s3 = await listenStore(
    {
      host: "127.0.0.1",
      port: 0,
      directory: join(bench.dir, "s3"),
      bucket: "subnet",
      accessKeyId: KEYS.WCP__STORAGE__ACCESS_KEY_ID,
      secretAccessKey: KEYS.WCP__STORAGE__SECRET_ACCESS_KEY,
    },
    { logger: createLogger({ name: "test", level: "silent" }) },
  );
  objects = await listenObjectStore({ directory: join(bench.dir, "broker") });
  api = await listenStorageApi({ host: "127.0.0.1", port: 0, token: "the-token" }, objects);
});
afterAll(async () => {
  for (const part of [api, objects, s3, bench]) await part[Symbol.asyncDispose]();
});

async function storageFindings(settings: Settings, env: Readonly<Record<string, string>>) {
  const { findings } = await bench.diagnose(settings, env);
  const ofStorage = findings.filter(({ group }) => group === "storage");
  return Object.fromEntries(ofStorage.map((found) => [found.id.replace("storage.", ""), found]));
}

const s3Settings = (): Settings => ({ "storage.bucket": "subnet", "storage.endpoint": s3.url });
const apiSettings = (): Settings => ({ "subnet_api.grpc_endpoint": api.url });

describe("the doctor on storage that is well", () => {
  it.each([
    ["S3", s3Settings, KEYS, "bucket subnet"],
    ["a remote broker", apiSettings, TOKEN, "broker 127.0.0.1"],
    ["a folder", () => ({ "storage.folder": "objects" }), {}, "folder "],
  ])("finds nothing wrong: %s", async (...[, settings, env, place]) => {
    const findings = await storageFindings(settings(), env);
    expect(Object.values(findings).filter(({ verdict }) => verdict !== "ok")).toEqual([]);
    expect(findings["put_get"]?.detail).toContain(place);
    expect(Object.keys(findings)).toEqual(
      expect.arrayContaining(["put_get", "checksum", "head", "list", "remove"]),
    );
  });

  it("leaves nothing behind", async () => {
    await storageFindings({ "storage.folder": "tidy" }, {});
    expect(readdirSync(join(bench.dir, "tidy"))).toEqual([".store"]);
  });

  it("says that there is none, where there is none", async () => {
    const { configured } = await storageFindings({}, {});
    expect(configured?.detail).toContain("storage.folder and subnet_api.grpc_endpoint are empty");
  });
});

describe("the doctor on storage that is not", () => {
  it("names a wrong token, and does not show it", async () => {
    const { put_get: found } = await storageFindings(apiSettings(), {
      WCP__SUBNET_API__TOKEN: "not-the-token",
    });
    expect(found).toMatchObject({
      verdict: "fail",
      detail: expect.stringMatching(/does not know the token; renew/),
    });
    expect(JSON.stringify(found)).not.toContain("not-the-token");
  });

  it("names a broker that is not there", async () => {
    const { put_get: found, head } = await storageFindings(
      { "subnet_api.grpc_endpoint": "http://127.0.0.1:2" },
      TOKEN,
    );
    expect(found).toMatchObject({ verdict: "fail", detail: expect.stringContaining("ECONNREFUSED") });
    expect(found?.detail).toContain("look at subnet_api.grpc_endpoint");
    expect(head).toMatchObject({ verdict: "skipped", because: ["storage.put_get"] });
  });

  it("names a folder that cannot be one", async () => {
    writeFileSync(join(bench.dir, "file"), "");
    const { put_get: found } = await storageFindings({ "storage.folder": "file" }, {});
    expect(found).toMatchObject({
      verdict: "fail",
      detail: expect.stringContaining("cannot be used as a folder"),
    });
  });

  it("tells a wrong secret and a wrong bucket apart", async () => {
    const secret = await storageFindings(s3Settings(), { ...KEYS, WCP__STORAGE__SECRET_ACCESS_KEY: "other" });
    expect(secret["put_get"]?.advice).toContain("correct WCP__STORAGE__SECRET_ACCESS_KEY first");
    const bucket = await storageFindings({ ...s3Settings(), "storage.bucket": "nowhere" }, KEYS);
    expect(bucket["put_get"]?.advice).toContain('there is no bucket "nowhere"');
    expect(existsSync(join(bench.dir, "s3", "nowhere"))).toBe(false);
  });

  /** A store that keeps one object, and refuses some of what is asked. */
  async function spoiled(spoil: (request: { readonly path: string }) => HttpAnswer | undefined) {
    let kept = "";
    const store = await ScriptedHttp.listen((request) => {
      const answer = spoil(request);
      if (answer !== undefined) return answer;
      if (
        typeof request.body === "string" &&
        request.headers["content-md5"] !== undefined &&
        request.body !== ""
      ) {
        if (!request.path.includes("delete") && !request.path.includes(".changed")) kept = request.body;
        return { kind: "text", text: "" };
      }
      return { kind: "text", text: request.path === "/" ? "" : kept };
    });
    return store;
  }

  const denied: HttpAnswer = {
    kind: "text",
    status: 403,
    type: "application/xml",
    text: "<Error><Code>AccessDenied</Code></Error>",
  };

  it("warns of rights that only tidying up needs", async () => {
    await using store = await spoiled(({ path }) =>
      path.includes("list-type") || path.includes("delete") ? denied : undefined,
    );
    const found = await storageFindings({ ...s3Settings(), "storage.endpoint": store.url }, KEYS);
    expect(found["list"]).toMatchObject({
      verdict: "warn",
      advice: expect.stringContaining("grant s3:ListBucket"),
    });
    expect(found["remove"]).toMatchObject({
      verdict: "warn",
      advice: expect.stringContaining("grant s3:DeleteObject"),
    });
  });

  it("warns of a store that takes anything, forgets checksums and knows no ranges", async () => {
    await using store = await spoiled(() => undefined);
    const found = await storageFindings({ ...s3Settings(), "storage.endpoint": store.url }, KEYS);
    expect(found["put_get"]).toMatchObject({ verdict: "warn", detail: "ranges are ignored: HTTP 200" });
    expect(found["checksum"]).toMatchObject({ verdict: "warn", detail: expect.stringContaining("is taken") });
  });
});
