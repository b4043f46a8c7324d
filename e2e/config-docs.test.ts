import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";

const REPOSITORY = new URL("..", import.meta.url);

function node(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return spawnSync(process.execPath, ["--conditions=@subnet-worker/source", ...args], {
    cwd: REPOSITORY,
    env,
    encoding: "utf8",
  });
}

describe("what is written about the configuration", () => {
  test("the page lists every setting as the schemas have it", () => {
    const { status, stderr } = node(["scripts/generate-config-docs.ts", "--check"]);
    expect(stderr).toBe("");
    expect(status).toBe(0);
  });

  test("the example is accepted as far as the wallet's key", () => {
    const { status, stderr } = node(
      ["packages/wcp/src/main.ts", "run", "--config", "configs/local.example.toml"],
      {
        WCP__ETHEREUM__WALLET_PRIVATE_KEY: `0x${"0".repeat(64)}`, // no key: nothing is opened with it
        WCP__STORAGE__ACCESS_KEY_ID: "id",
        WCP__STORAGE__SECRET_ACCESS_KEY: "secret",
      },
    );
    expect(stderr).toContain("are no private key");
    expect(stderr).not.toContain("problem");
    expect(status).toBe(78);
  });
});
