import { expect, test } from "vitest";
import { suggest } from "./suggest.ts";

const KNOWN = [
  "ethereum.rpc_url",
  "ethereum.ws_url",
  "ethereum.chain_id",
  "server.port",
  "health.port",
  "log.level",
];

test.each([
  ["ethereum.rpcurl", "ethereum.rpc_url"],
  ["ethereum.RPC_URL", "ethereum.rpc_url"],
  ["ethereum.chainid", "ethereum.chain_id"],
  ["etherum.chain_id", "ethereum.chain_id"],
  ["chain_id", "ethereum.chain_id"],
  ["health.prot", "health.port"],
  ["server.prot", "server.port"],
  ["ethereum.frobnicate", undefined],
  ["ethereum.x", undefined],
  ["", undefined],
])("for %j: %s", (name, meant) => {
  expect(suggest(name, KNOWN, ".")).toBe(meant);
});

test("parts may be separated as in the environment", () => {
  expect(suggest("WCP__SERVER__PROT", ["WCP__HEALTH__PORT", "WCP__SERVER__PORT"], "__")).toBe(
    "WCP__SERVER__PORT",
  );
});
