import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readConfig } from "../src/config.ts";
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
