import { createLogger, EXIT, type Logger } from "@subnet-worker/kit";
import { compose } from "../compose.ts";
import type { Config } from "../config.ts";
import { KEY_VARIABLE, lockWallet, openSigner, withoutKey } from "../open.ts";
import type { Signer } from "../chain-ports.ts";
import { type Invocation, loadCommandConfig, type RunCommand } from "./command.ts";

/** Composes and runs the node until the signal aborts. */
export const run: RunCommand = async (invocation) => {
  const { config, logger, signer } = await takeKey(invocation);
  invocation.setDrain(config.shutdown.deadline);
  // Before the database is opened, and given back after it is closed.
  using _lock = lockWallet(config, signer.address, invocation.io);
  await using app = await compose(config, { signer, logger });
  await app.run(invocation.signal);
  return EXIT.ok;
};

interface Opened {
  readonly config: Config;
  readonly logger: Logger;
  readonly signer: Signer;
}

/** Leaves the key with the signer alone: not in a variable that lives on, nor in what a diagnostic report lists. */
async function takeKey(invocation: Invocation): Promise<Opened> {
  const config = loadCommandConfig(invocation);
  const logger = createLogger({ name: "wcp", level: config.log.level });
  const signer = await openSigner(config, { logger });
  delete process.env[KEY_VARIABLE];
  return { config: withoutKey(config), logger, signer };
}
