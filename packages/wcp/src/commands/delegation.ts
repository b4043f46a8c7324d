import { delegateOf } from "@subnet-worker/contracts";
import { EXIT } from "@subnet-worker/kit";
import type { Config } from "../config.ts";
import { openKey } from "../open.ts";
import { loadCommandConfig, type RunCommand } from "./command.ts";
import { directChain, directEndpoints } from "./direct-rpc.ts";
import { openSender, reachable } from "./send-once.ts";

const ZERO_ADDRESS = `0x${"0".repeat(40)}`;
/** The transaction itself and one authorization of an account that exists, with room to spare. */
const REVOKE_GAS = 100_000n;

/** `wcp delegation show`: whose code runs at the wallet's address. */
export const showDelegation: RunCommand = async (invocation) => {
  const { io, signal } = invocation;
  const config = loadCommandConfig(invocation);
  const wallet = config.ethereum.wallet_address || (await openKey(config)).address;
  const chain = directChain(directEndpoints(config, { clock: io.clock, signal }));
  const code = await reachable(() => chain.code(wallet));
  io.out(`${wallet} ${describeDelegation(code, config)}\n`);
  return EXIT.ok;
};

/** `wcp delegation revoke`: no code runs at the wallet's address any more. */
export const revokeDelegation: RunCommand = async (invocation) => {
  const { io } = invocation;
  const config = loadCommandConfig(invocation);
  using sender = await openSender(invocation, config);
  const { chain, signer } = sender;
  const before = await reachable(() => chain.code(signer.address));
  if (before === "0x") {
    io.out(`${signer.address} delegates to nobody; nothing to do\n`);
    return EXIT.ok;
  }
  io.out(`${signer.address} ${describeDelegation(before, config)}\n`);
  await sender.send({
    what: "revocation",
    to: signer.address,
    data: "0x",
    gasLimit: REVOKE_GAS,
    delegateTo: ZERO_ADDRESS,
  });
  const after = await reachable(() => chain.code(signer.address));
  io.out(`${signer.address} ${describeDelegation(after, config)}\n`);
  if (after === "0x" && config.tx_policy.batching) {
    io.out(
      "tx_policy.batching is on: the node will delegate again with its next batch, unless you turn that off\n",
    );
  }
  return after === "0x" ? EXIT.ok : EXIT.fault;
};

/** What code at a wallet's address means, as the rest of a sentence. */
export function describeDelegation(code: string, { ethereum }: Config): string {
  if (code === "0x") return "delegates to nobody";
  const delegate = delegateOf(code);
  if (delegate === undefined)
    return "has code of its own that is no delegation: this is a contract, not a wallet";
  const isOurs = delegate.toLowerCase() === ethereum.batch_executor_address.toLowerCase();
  return `delegates to ${delegate}, ${isOurs ? "the configured batch executor" : "which is not ethereum.batch_executor_address"}`;
}
