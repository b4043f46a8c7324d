import { JsonRpcProvider, Wallet } from "ethers";
import { callsOf, type Rig } from "./rig.ts";

/** ethers asks for the receipt once per new block, and for new blocks this often; its default of 4 s would flatter us. */
const POLL_MS = 50;

/**
 * What most scripts do: each transaction is sent with an ethers Wallet, which asks
 * for gas, fees and nonce itself, and its receipt is waited for before the next.
 *
 * @returns activities per second
 */
export async function runPlainLoop(rig: Rig): Promise<number> {
  const { rpcUrl, chainId, taskQueue } = rig.chain.facts;
  const provider = new JsonRpcProvider(rpcUrl, chainId, { staticNetwork: true, cacheTimeout: -1 });
  provider.pollingInterval = POLL_MS;
  try {
    const wallet = new Wallet(rig.worker.privateKey, provider);
    const send = async (data: string) => {
      const sent = await wallet.sendTransaction({ to: taskQueue, data });
      await sent.wait();
    };
    const startMs = performance.now();
    for (const [number, activityId] of rig.activityIds.entries()) {
      const { claim, complete } = callsOf(activityId, number);
      await send(claim);
      await send(complete);
    }
    return rig.activityIds.length / ((performance.now() - startMs) / 1_000);
  } finally {
    provider.destroy();
  }
}
