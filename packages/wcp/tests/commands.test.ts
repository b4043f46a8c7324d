import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { encryptKeystoreJsonSync } from "ethers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { decryptKeystore, parseKey } from "../src/adapters/keystore/keystore.ts";
import { CommandBench, KEY, RAW, WALLET } from "./_command-bench.ts";

let bench: CommandBench;

beforeEach(() => {
  bench = new CommandBench();
});

afterEach(() => bench[Symbol.dispose]());

describe("wcp keys", () => {
  it("new makes a keystore and a password for their owner only, and tells what is next", async () => {
    const { code, out } = await bench.wcp(["keys", "new", "--out", "w.json", "--password-file", "w.pass"]);
    expect(code).toBe(0);
    const password = readFileSync(bench.path("w.pass"), "utf8").trim();
    const json = readFileSync(bench.path("w.json"), "utf8");
    const key = await decryptKeystore(json, { name: "w.json", password });
    expect(out).toContain(`address   ${key.address}`);
    expect(out).toContain(`keystore_file = "${bench.path("w.json")}"`);
    expect(out).toContain("wcp register");
    expect(out).not.toContain(password);
    expect(out).not.toContain(key.privateKey.slice(2));
    for (const name of ["w.json", "w.pass"]) expect(statSync(bench.path(name)).mode & 0o777).toBe(0o600);
    const address = await bench.wcp(["keys", "address", "--keystore", "w.json"]);
    expect(address.out).toBe(`${key.address}\n`);
  });

  it("new overwrites no keystore", async () => {
    writeFileSync(bench.path("w.json"), "precious");
    const { code, err } = await bench.wcp(["keys", "new", "--out", "w.json", "--password-file", "w.pass"]);
    expect(code).toBe(78);
    expect(err).toContain("is there already and is not overwritten");
    expect(existsSync(bench.path("w.pass"))).toBe(false);
  });

  it.each([
    ["standard input", { stdin: `${RAW}\n` }, []],
    ["a variable", { env: { MY_KEY: RAW } }, ["--from-env", "MY_KEY"]],
  ] as const)(
    "import takes the key from %s, and warns of a password that all may read",
    async (_, io, more) => {
      writeFileSync(bench.path("w.pass"), "secret words\n", { mode: 0o644 });
      const { code, out, err } = await bench.wcp(
        ["keys", "import", "--out", "w.json", "--password-file", "w.pass", ...more],
        io,
      );
      expect(code).toBe(0);
      expect(out).toContain(WALLET);
      expect(out + err).not.toContain(RAW.slice(2));
      expect(out + err).not.toContain("secret words");
      expect(err).toContain(`chmod 600 ${bench.path("w.pass")}`);
    },
  );

  it.each([
    ["a terminal", {}, [], "is read from standard input"],
    ["something else", { stdin: "hello" }, [], "[NO_KEY] a private key is 64 hex digits"],
    ["a variable that is not set", {}, ["--from-env", "NOPE"], "NOPE is not set in the environment"],
  ] as const)("import refuses %s", async (...[, io, more, message]) => {
    const argv = ["keys", "import", "--out", "w.json", "--password-file", "w.pass", ...more];
    const { code, err } = await bench.wcp(argv, io);
    expect(code).toBe(78);
    expect(err).toContain(message);
    expect(existsSync(bench.path("w.json"))).toBe(false);
  });

  it("new says which option is missing", async () => {
    const { code, err } = await bench.wcp(["keys", "new", "--out", "w.json"]);
    expect([code, err]).toEqual([78, "--password-file is missing; give it a value"]);
  });

  it("address decrypts the configured keystore", async () => {
    const quick = encryptKeystoreJsonSync(parseKey(RAW), "pw", { scrypt: { N: 2, r: 8, p: 1 } });
    writeFileSync(bench.path("k.json"), quick);
    writeFileSync(bench.path("k.pass"), "pw");
    const env = {
      [KEY]: "",
      WCP__ETHEREUM__KEYSTORE_FILE: "k.json",
      WCP__ETHEREUM__KEYSTORE_PASSWORD_FILE: "k.pass",
    };
    expect((await bench.wcp(["keys", "address"], { env })).out).toBe(`${WALLET}\n`);
    writeFileSync(bench.path("k.pass"), "other");
    const wrong = await bench.wcp(["keys", "address"], { env });
    expect(wrong.code).toBe(78);
    expect(wrong.err).toContain("ethereum.keystore_file: [WRONG_PASSWORD]");
  });

  it.each([
    ["no key at all", { [KEY]: "" }, "the wallet has no key: set ethereum.keystore_file"],
    [
      "two keys",
      { WCP__ETHEREUM__KEYSTORE_FILE: "k.json" },
      "are both set, and only one can be the wallet's key",
    ],
    [
      "a keystore without a password",
      { [KEY]: "", WCP__ETHEREUM__KEYSTORE_FILE: "k.json" },
      "ethereum.keystore_password_file is not set",
    ],
    [
      "a key of another wallet",
      { WCP__ETHEREUM__WALLET_ADDRESS: `0x${"11".repeat(20)}` },
      `but the key belongs to ${WALLET}`,
    ],
  ])("address refuses %s", async (_, env, message) => {
    const { code, err } = await bench.wcp(["keys", "address"], { env });
    expect(code).toBe(78);
    expect(err).toContain(message);
    expect(err).not.toContain(RAW.slice(2));
  });
});

describe("wcp config check", () => {
  it("prints each value with its origin, and no secret", async () => {
    const { code, out } = await bench.wcp(["config", "check"], {
      env: { WCP__SCHEDULER__MAX_INFLIGHT: "4" },
    });
    expect(code).toBe(0);
    const line = (name: string) => out.split("\n").find((each) => each.startsWith(`${name} `)) ?? "";
    expect(line("ethereum.rpc_url")).toMatch(
      /wcp\.toml +https:\/\/rpc\.example\/\.\.\., http:\/\/127\.0\.0\.1:8545$/,
    );
    expect(line("ethereum.ws_url")).toContain("wss://rpc.example/...");
    expect(line("ethereum.wallet_private_key")).toMatch(new RegExp(`${KEY} +set, not shown$`));
    expect(line("scheduler.max_inflight")).toMatch(/WCP__SCHEDULER__MAX_INFLIGHT +4$/);
    expect(line("scheduler.poll_interval")).toMatch(/wcp\.toml +1500ms$/);
    expect(line("scheduler.heartbeat_interval")).toMatch(/default +30s$/);
    for (const secret of [RAW.slice(2), "0123456789abcdef", "user:pass"]) expect(out).not.toContain(secret);
  });

  it("has the same as JSON", async () => {
    const { out } = await bench.wcp(["config", "check", "--json"]);
    const found = (JSON.parse(out) as { setting: string }[]).find(
      ({ setting }) => setting === "ethereum.chain_id",
    );
    expect(found).toEqual({ setting: "ethereum.chain_id", value: "31337", from: bench.config });
  });

  it.each([
    [
      "a bad setting",
      { WCP__SCHEDULER__MAX_INFLIGHT: "none" },
      "scheduler.max_inflight: must be a whole number",
    ],
    ["no key", { [KEY]: "" }, "the wallet has no key"],
    [
      "plain text to another host",
      { WCP__WEP_GRPC_ENDPOINT: "http://10.0.0.7:7070" },
      "http://10.0.0.7:7070 is plain text to another host",
    ],
    [
      "certificates that are not there",
      { WCP__WEP_GRPC_ENDPOINT: "https://10.0.0.7:7070", WCP__WEP_TLS__CA_FILE: "gone.crt" },
      "gone.crt does not exist; correct the path, or make it (wcp tls init)",
    ],
    [
      "a queue that no file describes",
      { WCP__SCHEDULER__QUEUE_NAME: "x/1.0.0/y" },
      "no file in specs.files describes x/1.0.0/y",
    ],
    [
      "a mistyped URL, without repeating it",
      { WCP__ETHEREUM__RPC_URL: "htps://h/0123456789abcdef" },
      "ethereum.rpc_url: must be a URL",
    ],
  ])("ends with 78 for %s", async (_, env, message) => {
    const { code, err } = await bench.wcp(["config", "check"], { env });
    expect(code).toBe(78);
    expect(err).toContain(message);
    expect(err).not.toContain("0123456789abcdef");
  });

  it("quotes nothing of a file that is not TOML", async () => {
    writeFileSync(bench.config, "[ethereum]\nrpc_url = https://h/0123456789abcdef\n");
    const { code, err } = await bench.wcp(["config", "check"]);
    expect(code).toBe(78);
    expect(err).toContain("wcp.toml is not valid TOML, at 2:");
    expect(err).not.toContain("0123456789abcdef");
  });
});
