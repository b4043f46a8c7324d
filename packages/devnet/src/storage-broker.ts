import { once } from "node:events";
import { createLogger, EXIT, runProcess, StartupError } from "@subnet-worker/kit";
import { listenObjectStore } from "@subnet-worker/object-store";
import { listenStorageApi } from "./store/storage-api.ts";

/** A remote broker of objects as a process, for a folder: everything comes by environment, `DEVNET_BROKER_*`. */
await runProcess(
  async (signal) => {
    const logger = createLogger({ name: "store" });
    const host = setting("HOST");
    await using store = await listenObjectStore({
      directory: setting("DIRECTORY"),
      host,
      port: Number(setting("STORE_PORT")),
      onRequest: ({ method, objectKey, status, problem }) =>
        logger.info({ method, key: objectKey, status, problem }, "served"),
    });
    const options = { host, port: Number(setting("API_PORT")), token: setting("TOKEN") };
    await using api = await listenStorageApi(options, store);
    logger.info({ url: api.url, objects: store.url }, "storage broker ready");
    if (!signal.aborted) await once(signal, "abort");
  },
  { deadlineMs: () => 2_000 },
);

function setting(name: string): string {
  const value = process.env[`DEVNET_BROKER_${name}`];
  if (value === undefined || value === "")
    throw new StartupError(EXIT.badConfig, `set DEVNET_BROKER_${name}`);
  return value;
}
