import { once } from "node:events";
import { createLogger, runProcess, StartupError, EXIT } from "@subnet-worker/kit";
import { listenStore } from "./store/server.ts";

/** The object store as a process: everything comes by environment, `DEVNET_STORE_*`. */
await runProcess(
  async (signal) => {
    const logger = createLogger({ name: "store" });
    await using server = await listenStore(
      {
        host: setting("HOST"),
        port: Number(setting("PORT")),
        directory: setting("DIRECTORY"),
        bucket: setting("BUCKET"),
        accessKeyId: setting("ACCESS_KEY_ID"),
        secretAccessKey: setting("SECRET_ACCESS_KEY"),
      },
      { logger },
    );
    logger.info({ url: server.url }, "object store ready");
    if (!signal.aborted) await once(signal, "abort");
  },
  { deadlineMs: () => 2_000 },
);

function setting(name: string): string {
  const value = process.env[`DEVNET_STORE_${name}`];
  if (value === undefined || value === "") throw new StartupError(EXIT.badConfig, `set DEVNET_STORE_${name}`);
  return value;
}
