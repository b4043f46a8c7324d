import { createLogger, EXIT } from "@subnet-worker/kit";
import { compose } from "../compose.ts";
import { lockWallet, openSigner, withoutKey } from "../open.ts";
import { loadCommandConfig, type RunCommand } from "./command.ts";

/** Composes and runs the node until the signal aborts. */
export const run: RunCommand = async (invocation) => {
  const { signal, io } = invocation;
  const config = loadCommandConfig(invocation);
  invocation.setDrain(config.shutdown.deadline);
  const logger = createLogger({ name: "wcp", level: config.log.level });
  const signer = await openSigner(config, { logger });
  // Before the database is opened, and given back after it is closed.
  using _lock = lockWallet(config, signer.address, io);
  await using app = await compose(withoutKey(config), { signer, logger });
  await app.run(signal);
  return EXIT.ok;
};
