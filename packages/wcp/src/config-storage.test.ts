import { describe, expect, it } from "vitest";
import { resolveStoragePaths, storageProblems, type StorageSettings } from "./config-storage.ts";

type Changes = {
  readonly storage?: Partial<StorageSettings["storage"]>;
  readonly subnet_api?: Partial<StorageSettings["subnet_api"]>;
};

/** Storage nowhere, as the defaults have it. */
function settings({ storage, subnet_api: api }: Changes = {}): StorageSettings {
  return {
    storage: {
      endpoint: "",
      region: "us-east-1",
      bucket: "",
      access_key_id: "",
      secret_access_key: "",
      session_token: "",
      force_path_style: true,
      sse: "",
      sse_kms_key_id: "",
      folder: "",
      folder_host: "127.0.0.1",
      folder_port: 0,
      url_lifetime: 900_000,
      request_timeout: 10_000,
      input_patience: 1_800_000,
      result_patience: 7_200_000,
      verify: "size",
      input_prefixes: [],
      ...storage,
    } as StorageSettings["storage"],
    subnet_api: {
      grpc_endpoint: "",
      token: "",
      token_file: "",
      ca_file: "",
      cert_file: "",
      key_file: "",
      allow_plaintext: false,
      timeout: 10_000,
      ...api,
    },
  };
}

const S3 = { bucket: "b", endpoint: "https://s3.example", access_key_id: "i", secret_access_key: "s" };
const API = { grpc_endpoint: "https://storage.example:443", token: "t" };

describe("storage settings that are fine", () => {
  it.each<[string, Changes]>([
    ["none", {}],
    ["a bucket", { storage: S3 }],
    ["a bucket with its own encryption", { storage: { ...S3, sse: "aws:kms", sse_kms_key_id: "k" } }],
    ["a folder", { storage: { folder: "objects" } }],
    ["a remote broker", { subnet_api: API }],
    ["a remote broker on loopback", { subnet_api: { ...API, grpc_endpoint: "http://127.0.0.1:9101" } }],
    [
      "a remote broker in plain text, allowed",
      { subnet_api: { ...API, grpc_endpoint: "http://storage:9101", allow_plaintext: true } },
    ],
    ["mutual TLS", { subnet_api: { ...API, ca_file: "ca", cert_file: "c", key_file: "k" } }],
    ["URLs of seven days", { storage: { url_lifetime: 7 * 86_400_000 } }],
  ])("%s", (_name, changes) => {
    expect(storageProblems(settings(changes))).toEqual([]);
  });
});

describe("storage settings that are not", () => {
  it.each<[string, Changes, RegExp]>([
    [
      "two places",
      { storage: { ...S3, folder: "o" } },
      /storage\.bucket and storage\.folder are set.*leave one/,
    ],
    [
      "three places",
      { storage: { ...S3, folder: "o" }, subnet_api: API },
      /storage\.bucket and storage\.folder and subnet_api\.grpc_endpoint are set/,
    ],
    [
      "a bucket without its key",
      { storage: { ...S3, secret_access_key: "" } },
      /secret_access_key: is required/,
    ],
    ["no URL", { storage: { ...S3, endpoint: "s3.example" } }, /write it like https:\/\/s3\.example:443/],
    [
      "a KMS key without KMS",
      { storage: { ...S3, sse_kms_key_id: "k" } },
      /only of use with storage\.sse = "aws:kms"/,
    ],
    [
      "encryption at R2",
      { storage: { ...S3, endpoint: "https://acc.r2.cloudflarestorage.com", sse: "AES256" } },
      /R2 encrypts always/,
    ],
    ["URLs of eight days", { storage: { url_lifetime: 8 * 86_400_000 } }, /between 1 second and 7 days/],
    [
      "no time for inputs",
      { storage: { input_patience: 59_999 } },
      /^storage\.input_patience: must be at least 1m/,
    ],
    [
      "no time for results",
      { storage: { result_patience: 0 } },
      /^storage\.result_patience: must be at least 1m/,
    ],
    ["URLs of no time", { storage: { url_lifetime: 0 } }, /between 1 second and 7 days/],
    ["a broker without a scheme", { subnet_api: { grpc_endpoint: "storage.example:443" } }, /is not a URL/],
    [
      "a token in plain text",
      { subnet_api: { ...API, grpc_endpoint: "http://storage.example" } },
      /plain text to another host.*allow_plaintext = true/,
    ],
    ["two tokens", { subnet_api: { ...API, token_file: "t" } }, /are both set; leave one/],
    ["half a certificate", { subnet_api: { ...API, cert_file: "c" } }, /belong together/],
    [
      "certificates without TLS",
      { subnet_api: { ...API, grpc_endpoint: "http://127.0.0.1:1", ca_file: "ca" } },
      /of use with an https:\/\/ endpoint only/,
    ],
  ])("%s", (_name, changes, problem) => {
    expect(storageProblems(settings(changes))).toEqual([expect.stringMatching(problem)]);
  });
});

it("paths of storage are relative to the configuration file", () => {
  const { storage, subnet_api: api } = resolveStoragePaths(
    "/etc/wcp",
    settings({ storage: { folder: "objects" }, subnet_api: { token_file: "token", key_file: "/run/key" } }),
  );
  expect([storage.folder, api.token_file, api.key_file, api.ca_file]).toEqual([
    "/etc/wcp/objects",
    "/etc/wcp/token",
    "/run/key",
    "",
  ]);
});

describe("prefixes of inputs", () => {
  it.each(["in/", "in", "media/2026/", "runs/none/"])("may be %j", (prefix) => {
    expect(storageProblems(settings({ storage: { input_prefixes: [prefix] } }))).toEqual([]);
  });

  it.each(["", "/", "/in", "in//a", "../x", "in/./a", "in/.."])("may not be %j", (prefix) => {
    expect(storageProblems(settings({ storage: { input_prefixes: ["in/", prefix] } }))).toEqual([
      `storage.input_prefixes: "${prefix}" is no beginning of an object key; write it like in/ or media/2026/`,
    ]);
  });
});
