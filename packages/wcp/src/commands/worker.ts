import { subnetControlPlaneInterface, subnetControlPlaneReads, type Worker } from "@subnet-worker/contracts";
import { EXIT, StartupError } from "@subnet-worker/kit";
import type { Config } from "../config.ts";
import type { Chain } from "../chain-ports.ts";
import { type Invocation, loadCommandConfig, type RunCommand, textOption } from "./command.ts";
import { openSender, reachable, type Sender } from "./send-once.ts";

/** `wcp register`: the wallet becomes a worker, or its capacity changes, or its deactivation ends. */
export const register: RunCommand = async (invocation) => {
  const config = loadCommandConfig(invocation);
  const capacity = capacityOf(invocation, config);
  using sender = await openSender(invocation, config);
  const before = await workerOf(sender, config);
  if (before.isActive && before.capacity === capacity) {
    invocation.io.out(
      `${sender.signer.address} is registered and active, with a capacity of ${capacity}; nothing to do\n`,
    );
    return EXIT.ok;
  }
  await sender.send({
    what: "registerWorker",
    to: config.ethereum.subnet_control_plane_address,
    data: subnetControlPlaneInterface.encodeFunctionData("registerWorker", [capacity]),
  });
  invocation.io.out(`${sender.signer.address} is registered, with a capacity of ${capacity}\n`);
  return EXIT.ok;
};

/** `wcp deactivate`: no further claims; what the wallet holds it may still finish. */
export const deactivate: RunCommand = async (invocation) => {
  const config = loadCommandConfig(invocation);
  using sender = await openSender(invocation, config);
  const { activeCount } = await workerOf(sender, config);
  await sender.send({
    what: "deactivateWorker",
    to: config.ethereum.subnet_control_plane_address,
    data: subnetControlPlaneInterface.encodeFunctionData("deactivateWorker"),
  });
  invocation.io.out(`${sender.signer.address} claims no more; wcp register takes that back\n`);
  if (activeCount > 0) {
    invocation.io.out(
      `It still holds ${activeCount} activities: run the node (wcp run) until they are settled, or others take them over when their leases run out\n`,
    );
  }
  return EXIT.ok;
};

function capacityOf(invocation: Invocation, config: Config): number {
  const text = textOption(invocation, "capacity") ?? String(config.scheduler.max_inflight);
  const capacity = Number(text);
  if (/^\d+$/.test(text) && capacity >= 1 && capacity < 2 ** 32) return capacity;
  throw new StartupError(
    EXIT.badConfig,
    `--capacity: "${text}" is not a whole number from 1; it is how many activities the worker may hold at once`,
  );
}

async function workerOf({ chain, signer }: Sender, { ethereum }: Config): Promise<Worker> {
  const read = subnetControlPlaneReads(ethereum.subnet_control_plane_address).getWorker(signer.address);
  return reachable(async () => read.decode(await chainCall(chain, read)));
}

function chainCall(
  chain: Chain,
  { to, data }: { readonly to: string; readonly data: string },
): Promise<string> {
  return chain.call({ to, data });
}
