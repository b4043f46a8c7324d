/** A WEP process with the handler that does nothing. Arguments: slots. Prints its port. */
import { createLogger } from "@subnet-worker/kit";
import { serve } from "@subnet-worker/wep-sdk";
import { noop } from "../fixtures/noop.ts";

const slots = Number(process.argv[2]);
const server = await serve({
  handlers: [noop],
  port: 0,
  health: false,
  maxConcurrency: slots,
  logger: createLogger({ name: "wep", level: "warn" }),
});
process.stdout.write(`${server.address.port}\n`);
