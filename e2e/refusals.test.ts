import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type BareChain, ECHO_QUEUE, ECHO_SPEC_PATH, startBareChain } from "./_bare-chain.ts";
import { programArgs, startProcess } from "./_process.ts";
import {
  configWith,
  fundedWallet,
  makeWcp,
  startWcp,
  type TestWallet,
  wcpConfig,
  type WcpConfig,
} from "./_wcp.ts";

let chain: BareChain;
let wallet: TestWallet;
let dir: string;
/** Works, but for its WEP, which is not there. */
let config: WcpConfig;

const EMPTY_ADDRESS = "0x00000000000000000000000000000000000000aa";
const KEY = "WCP__ETHEREUM__WALLET_PRIVATE_KEY";

type Changes = Parameters<typeof configWith>[1];

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "e2e-"));
  chain = await startBareChain();
  wallet = await fundedWallet(chain.facts);
  config = configWith(wcpConfig(chain.facts, "http://127.0.0.1:1", ECHO_SPEC_PATH), {
    scheduler: { queue_name: [ECHO_QUEUE] },
  });
});

afterAll(async () => {
  await chain[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

interface Refusal {
  readonly code: number;
  /** The last words, as text. */
  readonly message: string;
  readonly everything: string;
}

/** Runs a WCP that must end by itself, with one line on standard error. */
async function refusalOf(changes: Changes, env?: Readonly<Record<string, string>>): Promise<Refusal> {
  const home = makeWcp({
    dir,
    config: configWith(config, changes),
    env: env ?? { [KEY]: wallet.privateKey },
  });
  return outcomeOf(await home.start());
}

async function outcomeOf(started: Awaited<ReturnType<typeof startWcp>>): Promise<Refusal> {
  await using wcp = started;
  const code = await wcp.ended;
  const everything = wcp.stdout() + wcp.stderr();
  expect(everything).not.toContain(wallet.privateKey.slice(2));
  const lines = wcp.stderr().trim().split("\n");
  expect(lines).toHaveLength(1);
  const { level, msg } = JSON.parse(lines[0] ?? "") as { level: string; msg: string };
  expect(level).toBe("fatal");
  return { code: Number(code), message: msg, everything };
}

interface Case {
  readonly what: string;
  readonly changes?: () => Changes;
  readonly env?: () => Readonly<Record<string, string>>;
  /** What the message must name, and what it must tell to do. */
  readonly says: () => readonly string[];
  readonly neverSays?: string;
}

const CASES: readonly Case[] = [
  {
    what: "no key",
    env: () => ({}),
    says: () => ["the wallet has no key: set ethereum.keystore_file", "wcp keys new", KEY],
  },
  {
    what: "two keys",
    changes: () => ({ ethereum: { keystore_file: "wallet.json" } }),
    says: () => ["ethereum.keystore_file and", KEY, "are both set", "take one away"],
  },
  {
    what: "a keystore without its password",
    env: () => ({}),
    changes: () => ({ ethereum: { keystore_file: "wallet.json" } }),
    says: () => ["ethereum.keystore_password_file is not set", "wallet.json"],
  },
  {
    what: "a key in the file, without repeating it",
    env: () => ({}),
    changes: () => ({ ethereum: { wallet_private_key: wallet.privateKey } }),
    says: () => ["ethereum.wallet_private_key: is a secret and must not stand in", `set ${KEY}`],
  },
  {
    what: "a mistyped endpoint, without repeating the key in it",
    changes: () => ({ ethereum: { rpc_url: "htps://rpc.example/v3/0123456789abcdef" } }),
    says: () => ["ethereum.rpc_url: must be a URL that starts with http:// or https://"],
    neverSays: "0123456789abcdef",
  },
  {
    what: "a key that is too short, without repeating it",
    env: () => ({ [KEY]: "0x0123456789abcdef0123456789abcdef" }),
    says: () => ["ethereum.wallet_private_key", "64 hex digits", `set ${KEY}`],
    neverSays: "0123456789abcdef",
  },
  {
    what: "a key beyond the curve's order, without repeating it",
    env: () => ({ [KEY]: "f".repeat(64) }),
    says: () => ["ethereum.wallet_private_key", "no private key", `set ${KEY}`],
    neverSays: "ffffffff",
  },
  {
    what: "a wallet address that is not the key's",
    changes: () => ({ ethereum: { wallet_address: EMPTY_ADDRESS } }),
    says: () => [EMPTY_ADDRESS, `the key belongs to ${wallet.address}`, "correct the one that is wrong"],
  },
  {
    what: "an endpoint of another chain",
    changes: () => ({ ethereum: { chain_id: 1 } }),
    says: () => [
      "serves chain 31337, but ethereum.chain_id is 1",
      "point rpc_url at the right network or correct chain_id",
    ],
  },
  ...(["task_queue", "workflow_engine", "subnet_control_plane", "multicall3"] as const).map((name): Case => ({
    what: `no code at the ${name} address`,
    changes: () => ({ ethereum: { [`${name}_address`]: EMPTY_ADDRESS } }),
    says: () => [`no contract at ethereum.${name}_address (${EMPTY_ADDRESS})`, "correct the address"],
  })),
  {
    what: "two addresses without code, both named",
    changes: () => ({
      ethereum: {
        task_queue_address: EMPTY_ADDRESS,
        workflow_engine_address: EMPTY_ADDRESS.replace("aa", "bb"),
      },
    }),
    says: () => ["ethereum.task_queue_address", "and ethereum.workflow_engine_address"],
  },
  {
    what: "one contract given twice",
    changes: () => ({ ethereum: { subnet_control_plane_address: chain.facts.taskQueue } }),
    says: () => [
      "ethereum.task_queue_address and ethereum.subnet_control_plane_address are the same address",
      "correct the wrong one",
    ],
  },
  {
    what: "the TaskQueue given as control plane",
    changes: () => {
      const { taskQueue, subnetControlPlane } = chain.facts;
      return {
        ethereum: { subnet_control_plane_address: taskQueue, task_queue_address: subnetControlPlane },
      };
    },
    says: () => [
      `ethereum.subnet_control_plane_address (${chain.facts.taskQueue}) does not answer as a SubnetControlPlane`,
      "correct the address",
    ],
  },
  {
    what: "the WorkflowEngine given as TaskQueue",
    changes: () => {
      const { taskQueue, workflowEngine } = chain.facts;
      return { ethereum: { workflow_engine_address: taskQueue, task_queue_address: workflowEngine } };
    },
    says: () => [
      `ethereum.task_queue_address (${chain.facts.workflowEngine}) does not answer as a TaskQueue`,
      "correct the address",
    ],
  },
  {
    what: "another contract given as WorkflowEngine",
    changes: () => ({ ethereum: { workflow_engine_address: chain.facts.batchExecutor } }),
    says: () => [
      `ethereum.workflow_engine_address (${chain.facts.batchExecutor}) does not answer as a WorkflowEngine`,
      "correct the address",
    ],
  },
  {
    what: "contracts older than the node works with",
    changes: () => ({ protocol: { contract_min: "0.3.0", contract_max: "0.4.0" } }),
    says: () => ["version 0.2.0", "0.3.0 to 0.4.0", "upgrade the node, or widen protocol.contract_min"],
  },
  {
    what: "contracts newer than the node works with",
    changes: () => ({ protocol: { contract_min: "0.0.1", contract_max: "0.1.9" } }),
    says: () => ["version 0.2.0", "0.0.1 to 0.1.9", "upgrade the node"],
  },
  {
    what: "a setting that does not exist, with the likely one",
    changes: () => ({ ethereum: { rpcurl: "http://127.0.0.1:8545" } }),
    says: () => ["ethereum.rpcurl: no such setting", "did you mean ethereum.rpc_url?"],
  },
  {
    what: "a variable that sets nothing, with the likely one",
    env: () => ({ [KEY]: wallet.privateKey, WCP__ETHEREUM__RPCURL: "http://127.0.0.1:8545" }),
    says: () => ["WCP__ETHEREUM__RPCURL: no such setting", "did you mean WCP__ETHEREUM__RPC_URL?"],
  },
  {
    what: "several problems, all at once",
    changes: () => ({
      ethereum: { rpc_url: "localhost:8545", chain_id: "one", task_queue_address: "0x12" },
      scheduler: { poll_interval: "5" },
      nonsense: 1,
    }),
    says: () => [
      "5 problems",
      "ethereum.rpc_url: must be a URL that starts with http:// or https://",
      "ethereum.chain_id: must be a whole number",
      "ethereum.task_queue_address: must be an address",
      'scheduler.poll_interval: "5" is not a duration; write a number and a unit',
      "nonsense: no such setting",
    ],
  },
  {
    what: "a workflow file that is not there",
    changes: () => ({ specs: { files: ["missing.yaml"] } }),
    says: () => ["specs.files", "missing.yaml", "no such file", "correct the path"],
  },
  {
    what: "a workflow file that is none",
    changes: () => {
      const path = join(dir, "bad.yaml");
      writeFileSync(path, "name: audio\nactivities: 3\n");
      return { specs: { files: [path] } };
    },
    says: () => ["2 problems", "bad.yaml:1: version", "bad.yaml:2: activities: expected a list"],
  },
  {
    what: "a database under something that is no folder",
    changes: () => {
      const path = join(dir, "file");
      writeFileSync(path, "");
      return { db: { path: join(path, "wcp.sqlite") } };
    },
    says: () => [join(dir, "file", "wcp.sqlite"), "check that db.path names a file this process may write"],
  },
  {
    what: "a database path that is a folder",
    changes: () => {
      mkdirSync(join(dir, "folder"), { recursive: true });
      return { db: { path: join(dir, "folder") } };
    },
    says: () => [join(dir, "folder"), "check that db.path names a file"],
  },
];

describe.concurrent("the WCP refuses with exit code 78", () => {
  test.for(CASES)("$what", async ({ changes, env, says, neverSays }) => {
    const { code, message, everything } = await refusalOf(changes?.() ?? {}, env?.());
    expect(code).toBe(78);
    for (const part of says()) expect(message).toContain(part);
    if (neverSays !== undefined) expect(everything).not.toContain(neverSays);
  });

  test("a configuration file that is not there, and the one that ENVIRONMENT names", async () => {
    const options = { cwd: dir, env: { [KEY]: wallet.privateKey } };
    const given = await outcomeOf(await startWcp(["run", "--config", "nowhere.toml"], options));
    expect(given.code).toBe(78);
    expect(given.message).toContain(
      `${join(dir, "nowhere.toml")} does not exist; give another file with --config`,
    );

    const named = await outcomeOf(
      await startWcp(["run"], { ...options, env: { ...options.env, ENVIRONMENT: "production" } }),
    );
    expect(named.code).toBe(78);
    expect(named.message).toContain(`${join(dir, "configs", "production.toml")} does not exist`);
  });

  test("a file that is not TOML, with the place", async () => {
    const path = join(dir, "bad.toml");
    writeFileSync(path, "[ethereum]\nrpc_url = http://127.0.0.1:8545\n");
    const { code, message } = await outcomeOf(
      await startWcp(["run", "--config", path], { cwd: dir, env: { [KEY]: wallet.privateKey } }),
    );
    expect(code).toBe(78);
    expect(message).toContain(`${path} is not valid TOML`);
    expect(message).toContain("2:");
  });

  test("the database of another wallet", async () => {
    const home = makeWcp({ dir, config, env: { [KEY]: wallet.privateKey } });
    {
      await using wcp = await home.start();
      await wcp.adminUrl();
    }
    const other = await fundedWallet(chain.facts);
    const { code, message } = await outcomeOf(await home.start({ [KEY]: other.privateKey }));
    expect(code).toBe(78);
    expect(message).toContain(`belongs to wallet ${wallet.address} on chain 31337, not to ${other.address}`);
    expect(message).toContain("set db.path to another file");
  });

  test("a command line that makes no sense, with the usage", async () => {
    const options = { cwd: dir, env: { [KEY]: wallet.privateKey } };
    for (const args of [[], ["start"], ["run", "--configuration", "x"]]) {
      const { code, message } = await outcomeOf(await startWcp(args, options));
      expect(code).toBe(78);
      expect(message).toContain("wcp run [--config FILE]");
    }
  });
});

test("an admin port that is taken ends the WCP with 75, so that its supervisor tries again", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  try {
    const { code, message } = await refusalOf({ admin: { port } });
    expect(code).toBe(75);
    expect(message).toContain(`127.0.0.1:${port}`);
    expect(message).toContain("set admin.port to a free one, or 0");
  } finally {
    server.close();
  }
});

// util-linux has it on every Linux; macOS spells its options differently.
const hasTerminal = process.platform === "linux" && existsSync("/usr/bin/script");

interface TerminalCase {
  readonly what: string;
  readonly env: () => Readonly<Record<string, string>>;
  readonly changes: Changes;
  readonly sentence: string;
}

const TERMINAL_CASES: readonly TerminalCase[] = [
  {
    what: "a missing key",
    env: () => ({}),
    changes: {},
    sentence: "the wallet has no key: set ethereum.keystore_file",
  },
  {
    what: "an endpoint of another chain",
    env: () => ({ [KEY]: wallet.privateKey }),
    changes: { ethereum: { chain_id: 1 } },
    sentence:
      "ethereum.rpc_url serves chain 31337, but ethereum.chain_id is 1; point rpc_url at the right network or correct chain_id",
  },
];

describe.skipIf(!hasTerminal)("on a terminal (needs script of util-linux)", () => {
  test.for(TERMINAL_CASES)(
    "$what is told in a plain sentence, not as JSON",
    async ({ changes, env, sentence }) => {
      const home = makeWcp({ dir, config: configWith(config, changes), env: {} });
      const command = [process.execPath, ...programArgs("wcp"), "run", "--config", home.configPath]
        .map((word) => `'${word}'`)
        .join(" ");
      await using terminal = await startProcess({
        command: "/usr/bin/script",
        args: ["--quiet", "--return", "--command", command, "/dev/null"],
        env: { ...env(), SHELL: "/bin/sh", TERM: "dumb" },
      });
      expect(await terminal.ended).toBe(78);
      const last = terminal.stdout().trim().split("\n").at(-1) ?? "";
      expect(last).toContain(sentence);
      expect(last).not.toMatch(/^\{|\\n|"level"/);
    },
  );
});
