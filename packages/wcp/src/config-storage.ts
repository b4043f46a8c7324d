import { resolve } from "node:path";
import { type ConfigSchema, parseDuration } from "@subnet-worker/kit/config";
import { isLoopback } from "@subnet-worker/kit/tls";

/** What of the configuration says where objects are kept. */
export interface StorageSettings {
  readonly storage: {
    readonly endpoint: string;
    readonly region: string;
    readonly bucket: string;
    readonly access_key_id: string;
    readonly secret_access_key: string;
    readonly session_token: string;
    readonly force_path_style: boolean;
    readonly sse: "" | "AES256" | "aws:kms";
    readonly sse_kms_key_id: string;
    readonly folder: string;
    readonly folder_host: string;
    readonly folder_port: number;
    readonly url_lifetime: number;
    readonly request_timeout: number;
    readonly input_patience: number;
    readonly result_patience: number;
    readonly verify: "strict" | "exists" | "off";
    readonly input_prefixes: readonly string[];
  };
  readonly subnet_api: {
    readonly grpc_endpoint: string;
    readonly token: string;
    readonly token_file: string;
    readonly ca_file: string;
    readonly cert_file: string;
    readonly key_file: string;
    readonly allow_plaintext: boolean;
    readonly timeout: number;
  };
}

const text = (doc: string, value: string) => ({ doc, format: String, default: value });
const secret = (doc: string) => ({ ...text(doc, ""), sensitive: true });
const duration = (doc: string, value: string) => ({ doc, format: "duration", default: parseDuration(value) });
const flag = (doc: string, value: boolean) => ({ doc, format: Boolean, default: value });

/** The settings of storage, as {@link CONFIG_SCHEMA} has them. */
export const STORAGE_SCHEMA: Pick<ConfigSchema<StorageSettings>, "storage" | "subnet_api"> = {
  subnet_api: {
    grpc_endpoint: text(
      "Remote storage broker (storage.v1 over gRPC), like https://storage.example:443; empty for none. Instead of storage.bucket and storage.folder.",
      "",
    ),
    token: secret("Bearer token for it. Set it in the environment; or see token_file."),
    token_file: text(
      "File whose first line is the bearer token, read again when it changes; relative to the configuration file.",
      "",
    ),
    ca_file: text(
      "Certificates of the authorities that it is verified against (PEM); empty for those that Node.js knows. Relative to the configuration file.",
      "",
    ),
    cert_file: text("This node's certificate for it (PEM), where it asks for one.", ""),
    key_file: text("The key of that certificate (PEM).", ""),
    allow_plaintext: flag(
      "Speaks http:// also with a broker on another host: whoever is on the way can read the token.",
      false,
    ),
    timeout: duration("A call of it without an answer for this long has failed.", "10s"),
  },
  storage: {
    endpoint: text("S3-compatible endpoint: http://host:port.", ""),
    region: text("Region; `auto` for R2.", "us-east-1"),
    bucket: text(
      "Bucket; empty when objects are elsewhere (storage.folder, subnet_api.grpc_endpoint) or nowhere.",
      "",
    ),
    access_key_id: secret("Access key id."),
    secret_access_key: secret("Secret access key. Set it in the environment."),
    session_token: secret("Session token, where the credentials are temporary ones; URLs end with it."),
    force_path_style: flag("host/bucket/key instead of bucket.host/key.", true),
    sse: {
      doc: "How the store encrypts at rest: `AES256`, `aws:kms`, or empty for the bucket's own way. R2 encrypts always and takes no wish: leave it empty there.",
      format: ["", "AES256", "aws:kms"],
      default: "",
    },
    sse_kms_key_id: text("KMS key of `aws:kms`; empty for the account's own.", ""),
    folder: text(
      "Keeps objects in this folder and serves them itself: for one machine, without an object store. Relative to the configuration file; empty for none.",
      "",
    ),
    folder_host: text("Where the objects of storage.folder are served: WEPs must reach it.", "127.0.0.1"),
    folder_port: { doc: "0 picks a free one.", format: "port", default: 0 },
    url_lifetime: duration("How long a presigned URL works; at most 7 days.", "15m"),
    request_timeout: duration(
      "A request to the store without an answer for this long is tried again.",
      "10s",
    ),
    input_patience: duration(
      "An activity whose inputs storage gives no URLs for, because it does not answer, waits so long with its slot and lease, and no longer than its deadline; then it is left to another worker.",
      "30m",
    ),
    result_patience: duration(
      "A result whose objects cannot be looked at, because storage does not answer, waits so long with its slot and lease, and no longer than its deadline; then the run has failed, and is made again as scheduler.max_attempts and its spec allow. So long waits, too, for URLs of its inputs, an activity whose run a WEP may have from before a restart of this node; then it is left to another worker.",
      "2h",
    ),
    verify: {
      doc: "What of a result's objects is held against storage before it is settled: `strict` (they exist, with the size and SHA-256 that the WEP told, and no larger than their spec allows), `exists`, or `off`.",
      format: ["strict", "exists", "off"],
      default: "strict",
    },
    input_prefixes: {
      doc: "Inputs of activities must be objects under one of these prefixes, like `in/`; empty for all outside `runs/`. What the activity's own workflow has written may always be read.",
      format: "list",
      default: [],
    },
  },
};

const LEAST_PATIENCE_MS = 60_000;
const LONGEST_LIFETIME_MS = 7 * 24 * 60 * 60 * 1_000;

/** What is wrong with how objects are to be kept, as sentences for the operator. */
export function storageProblems(settings: StorageSettings): readonly string[] {
  const { storage, subnet_api: api } = settings;
  const set = [
    ...(storage.bucket === "" ? [] : ["storage.bucket"]),
    ...(storage.folder === "" ? [] : ["storage.folder"]),
    ...(api.grpc_endpoint === "" ? [] : ["subnet_api.grpc_endpoint"]),
  ];
  return [
    ...(set.length > 1
      ? [`${set.join(" and ")} are set, but objects are kept in one place: leave one, and empty the others`]
      : []),
    ...(storage.bucket === "" ? [] : bucketProblems(storage)),
    ...(storage.url_lifetime < 1_000 || storage.url_lifetime > LONGEST_LIFETIME_MS
      ? ["storage.url_lifetime: must be between 1 second and 7 days, which is all that signed URLs know"]
      : []),
    ...(["input_patience", "result_patience"] as const)
      .filter((key) => storage[key] < LEAST_PATIENCE_MS)
      .map((key) => `storage.${key}: must be at least 1m, which a store takes to start again; write 30m`),
    ...(api.grpc_endpoint === "" ? [] : apiProblems(api)),
    ...storage.input_prefixes
      .filter((prefix) => !isPrefix(prefix))
      .map(
        (prefix) =>
          `storage.input_prefixes: "${prefix}" is no beginning of an object key; write it like in/ or media/2026/`,
      ),
  ];
}

/** Whole segments, each of them something. */
function isPrefix(text: string): boolean {
  return text
    .replace(/\/$/, "")
    .split("/")
    .every((segment) => segment !== "" && segment !== "." && segment !== "..");
}

function bucketProblems(storage: StorageSettings["storage"]): readonly string[] {
  const required = ["endpoint", "access_key_id", "secret_access_key"] as const;
  return [
    ...required
      .filter((key) => storage[key] === "")
      .map((key) => `storage.${key}: is required when storage.bucket is set`),
    ...(storage.endpoint === "" || isHttpUrl(storage.endpoint)
      ? []
      : [`storage.endpoint: "${storage.endpoint}" is not a URL; write it like https://s3.example:443`]),
    ...(storage.sse !== "" && isR2(storage.endpoint)
      ? ['storage.sse: R2 encrypts always and refuses uploads that ask for it; set it to ""']
      : []),
    ...(storage.sse_kms_key_id !== "" && storage.sse !== "aws:kms"
      ? ['storage.sse_kms_key_id: is only of use with storage.sse = "aws:kms"; set that, or empty it']
      : []),
  ];
}

function apiProblems(api: StorageSettings["subnet_api"]): readonly string[] {
  const url = api.grpc_endpoint;
  if (!isHttpUrl(url)) {
    return [`subnet_api.grpc_endpoint: "${url}" is not a URL; write it like https://storage.example:443`];
  }
  const { protocol, hostname } = new URL(url);
  const isOpen = protocol === "http:" && !isLoopback(hostname) && !api.allow_plaintext;
  return [
    ...(isOpen
      ? [
          `subnet_api.grpc_endpoint: ${url} is plain text to another host, where whoever is on the way can read the token; write https://, or allow it with subnet_api.allow_plaintext = true`,
        ]
      : []),
    ...(api.token !== "" && api.token_file !== ""
      ? ["subnet_api.token and subnet_api.token_file are both set; leave one"]
      : []),
    ...((api.cert_file === "") === (api.key_file === "")
      ? []
      : ["subnet_api: cert_file and key_file belong together; set both, or neither"]),
    ...(protocol === "http:" && (api.ca_file !== "" || api.cert_file !== "")
      ? [
          "subnet_api: ca_file and cert_file are of use with an https:// endpoint only; write https://, or empty them",
        ]
      : []),
  ];
}

/** https://developers.cloudflare.com/r2/api/s3/api/ lists the headers of SSE as not implemented. */
function isR2(endpoint: string): boolean {
  return isHttpUrl(endpoint) && new URL(endpoint).hostname.endsWith(".r2.cloudflarestorage.com");
}

function isHttpUrl(url: string): boolean {
  return URL.canParse(url) && /^https?:$/.test(new URL(url).protocol);
}

/** The same with absolute paths. */
export function resolveStoragePaths(base: string, settings: StorageSettings): StorageSettings {
  const { storage, subnet_api: api } = settings;
  const absolute = (name: string) => (name === "" ? "" : resolve(base, name));
  return {
    storage: { ...storage, folder: absolute(storage.folder) },
    subnet_api: {
      ...api,
      token_file: absolute(api.token_file),
      ca_file: absolute(api.ca_file),
      cert_file: absolute(api.cert_file),
      key_file: absolute(api.key_file),
    },
  };
}
