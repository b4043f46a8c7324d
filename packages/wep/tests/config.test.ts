import { join } from "node:path";
import { DEFAULT_LIMITS, DEFAULT_MODULE_LIMITS } from "@subnet-worker/wasm";
import { describe, expect, it } from "vitest";
import { readConfig } from "../src/config.ts";
import { engineOptionsOf } from "../src/wasm/wasm-config.ts";
import { folderWith } from "./_wep-process.ts";

function read(
  cwd: string,
  options: { env?: Record<string, string>; configPath?: string; handlerModules?: string[] } = {},
) {
  const { env = {}, configPath, handlerModules = [] } = options;
  return readConfig({ env, configPath, handlerModules, cwd });
}

describe("the configuration", () => {
  it("has defaults for everything", async () => {
    await using folder = await folderWith({});
    expect(read(folder.path)).toEqual({
      server: {
        host: "127.0.0.1",
        port: 7070,
        tls: { enabled: false, cert_file: "", key_file: "", ca_cert_file: "", client_names: [] },
        allow_plaintext: false,
      },
      health: { host: "127.0.0.1", port: 7071 },
      runtime: {
        max_concurrency: "auto",
        tags: [],
        classes: { cpu: 0, gpu: 0, io: 0 },
        isolation: "thread",
        thread_memory_mb: 0,
        handler_timeout_s: 600,
        graceful_shutdown_s: 15,
      },
      handlers: { modules: [] },
      specs: { strict_specs: false, list: [] },
      wasm: {
        enabled: false,
        threads: 0,
        sources: ["inline", "object"],
        source_hosts: [],
        allow_live_world: false,
        limits: {
          fuel: 10_000_000_000,
          memory_mb: 128,
          stack_kb: 1_024,
          table_elements: 1_000_000,
          time_s: 60,
          output_mb: 16,
          host_calls: 1_000_000,
        },
        module: { max_mb: 64, max_functions: 100_000, max_function_kb: 4_096, compile_s: 30 },
        cache: { memory_mb: 256, folder: "", folder_mb: 1_024 },
        http: {
          allowed_hosts: [],
          ports: [443],
          allow_plaintext: false,
          networks: [],
          timeout_s: 30,
          request_mb: 1,
          response_mb: 16,
        },
      },
      logging: { level: "info", json: true },
      tracing: { enabled: false, endpoint: "http://127.0.0.1:4318/v1/traces", ratio: 1 },
      protocol: { proto_min: "1.0.0", proto_max: "1.1.0" },
    });
  });

  it("has TLS files beside itself, and wants all three", async () => {
    await using folder = await folderWith({
      "wep.yaml": "server: { tls: { enabled: true, cert_file: wep.crt, key_file: /k/wep.key } }\n",
    });
    expect(() => read(folder.path)).toThrow(/server\.tls\.ca_cert_file: is required/);
    const { server } = read(folder.path, { env: { WEP__SERVER__TLS__CA_CERT_FILE: "ca.crt" } });
    expect(server.tls).toMatchObject({
      cert_file: join(folder.path, "wep.crt"),
      key_file: "/k/wep.key",
      ca_cert_file: join(folder.path, "ca.crt"),
    });
  });

  it("lets WebAssembly have what the engine has by default, and a folder beside the file", async () => {
    await using folder = await folderWith({
      "wep.yaml": "wasm: { enabled: true, cache: { folder: modules } }\n",
    });
    const { wasm } = read(folder.path);
    expect(wasm.cache.folder).toBe(join(folder.path, "modules"));
    const { limits, moduleLimits, cache } = engineOptionsOf(wasm);
    const { stderrBytes: _, ...defaults } = DEFAULT_LIMITS;
    expect(limits).toEqual(defaults);
    expect(moduleLimits).toEqual(DEFAULT_MODULE_LIMITS);
    expect(cache).toEqual({
      memoryBytes: 2 ** 28,
      folderBytes: 2 ** 30,
      folder: join(folder.path, "modules"),
    });
    expect(read(folder.path, { env: { WEP__WASM__HTTP__PORTS: "443, 8443" } }).wasm.http.ports).toEqual([
      443, 8_443,
    ]);
    expect(engineOptionsOf(read(folder.path, { env: { WEP__WASM__THREADS: "3" } }).wasm).threads).toBe(3);
  });

  it.each([
    ["sources: [inline, ftp]", 'wasm.sources: there is no "ftp"; use inline, object, url'],
    ["sources: [url]", "wasm.source_hosts: names no host"],
    ["limits: { memory_mb: 65537 }", "wasm.limits.memory_mb: must be at most 65536"],
    ["limits: { stack_kb: 16385 }", "wasm.limits.stack_kb: must be at most 16384"],
    ["limits: { output_mb: 99999999999 }", "wasm.limits.output_mb: must be at most 65536"],
    ["limits: { time_s: 9000000000000 }", "wasm.limits.time_s: must be at most 31536000"],
    ["threads: 257", "wasm.threads: must be at most 256"],
    ["cache: { memory_mb: 9000000000000 }", "wasm.cache.memory_mb: must be at most 1048576"],
    [
      'http: { allowed_hosts: ["a b"] }',
      'wasm.http: [EGRESS_BAD_REQUEST] The policy is wrong: "a b" is no host',
    ],
    ["http: { networks: [everything] }", 'wasm.http: [EGRESS_BAD_REQUEST] The policy is wrong: "everything"'],
    ["http: { ports: [70000] }", "wasm.http.ports: must be a list of ports"],
    ["source_hosts: [https://a.b/]", "wasm.source_hosts: [EGRESS_BAD_REQUEST]"],
    ["limits: { fuel: 0 }", "wasm.limits.fuel"],
  ])("refuses WebAssembly with %s", async (settings, problem) => {
    await using folder = await folderWith({ "wep.yaml": `wasm: { ${settings} }\n` });
    expect(() => read(folder.path)).toThrow(problem);
  });

  it("reads wep.yaml, then the environment, which wins", async () => {
    await using folder = await folderWith({
      "wep.yaml":
        "server: { port: 7170 }\nruntime: { max_concurrency: 3, tags: [cpu, big] }\nlogging: { level: debug }\n",
    });
    const env = {
      WEP__SERVER__PORT: "0",
      WEP__RUNTIME__TAGS: "gpu, fast",
      WEP__RUNTIME__HANDLER_TIMEOUT_S: "5",
    };
    const config = read(folder.path, { env });
    expect(config.server.port).toBe(0);
    expect(config.runtime).toMatchObject({ max_concurrency: 3, tags: ["gpu", "fast"], handler_timeout_s: 5 });
    expect(config.logging.level).toBe("debug");
    expect(read(folder.path, { env: { WEP__RUNTIME__MAX_CONCURRENCY: "4" } }).runtime.max_concurrency).toBe(
      4,
    );
    expect(
      read(folder.path, { env: { WEP__RUNTIME__MAX_CONCURRENCY: "auto" } }).runtime.max_concurrency,
    ).toBe("auto");
  });

  it("finds specs beside itself, and wants each to be whole", async () => {
    const entry = (path: string) => `{ kind: audio.preprocess, version: "1.0.0", path: ${path} }`;
    await using folder = await folderWith({
      "wep.yaml": `specs: { strict_specs: true, list: [${entry("specs/audio.yaml")}, ${entry("/opt/a.yaml")}] }\n`,
      "bad.yaml": "specs: { list: [{ kind: a, version: 1, file: b.yaml }] }\n",
    });
    const named = { kind: "audio.preprocess", version: "1.0.0" };
    expect(read(folder.path).specs).toEqual({
      strict_specs: true,
      list: [
        { ...named, path: join(folder.path, "specs/audio.yaml") },
        { ...named, path: "/opt/a.yaml" },
      ],
    });
    const attempt = () => read(folder.path, { configPath: "bad.yaml" });
    expect(attempt).toThrow(/3 problems/);
    expect(attempt).toThrow(/specs\.list\[0\]\.version: is required and must be text/);
    expect(attempt).toThrow(/specs\.list\[0\]\.path: is required/);
    expect(attempt).toThrow(/specs\.list\[0\]\.file: no such setting; there are kind, version, path/);
  });

  it("takes an empty file for no settings", async () => {
    await using folder = await folderWith({ "wep.yaml": "# nothing yet\n" });
    expect(read(folder.path).server.port).toBe(7070);
  });

  it("finds modules beside the file that names them, others in the working directory, each once", async () => {
    await using folder = await folderWith({ "node.yaml": "handlers: { modules: [./a.ts, /opt/b.js] }\n" });
    const config = read("/somewhere", {
      configPath: join(folder.path, "node.yaml"),
      handlerModules: ["c.ts", "/opt/b.js"],
    });
    expect(config.handlers.modules).toEqual([join(folder.path, "a.ts"), "/opt/b.js", "/somewhere/c.ts"]);
    const env = { WEP__HANDLERS__MODULES: "d.ts" };
    const fromEnv = read("/somewhere", { configPath: join(folder.path, "node.yaml"), env });
    expect(fromEnv.handlers.modules).toEqual(["/somewhere/d.ts"]);
  });

  it("lists every problem at once, with what to do", async () => {
    await using folder = await folderWith({
      "wep.yaml": "server: { prot: 1 }\nruntime: { max_concurrency: many }\nlogging: { level: loud }\n",
    });
    const attempt = () => read(folder.path, { env: { WEP__SERVER__HSOT: "x", WEP__HEALTH__PORT: "99999" } });
    expect(attempt).toThrow(/5 problems/);
    expect(attempt).toThrow(/server\.prot: no such setting .*did you mean server\.port/);
    expect(attempt).toThrow(/runtime\.max_concurrency: must be "auto" or a whole number of at least 1/);
    expect(attempt).toThrow(/WEP__SERVER__HSOT: no such setting; did you mean WEP__SERVER__HOST/);
    expect(attempt).toThrow(/logging\.level/);
    expect(attempt).toThrow(/health\.port/);
  });

  it("refuses a file that is not there or not YAML", async () => {
    await using folder = await folderWith({ "bad.yaml": "server: {port: 1\n" });
    expect(() => read(folder.path, { configPath: "none.yaml" })).toThrow(
      /none\.yaml: no such file; create it or leave --config out/,
    );
    expect(() => read(folder.path, { configPath: "bad.yaml" })).toThrow(/bad\.yaml: cannot be read as YAML/);
  });
});
