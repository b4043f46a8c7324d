import { accessSync, constants, existsSync, statfsSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { dirname } from "node:path";
import { describeHolder, keyHolder } from "../../adapters/sqlite/process-lock.ts";
import { StoreInspector } from "../../adapters/sqlite/inspect.ts";
import { StoreError } from "../../adapters/sqlite/store-error.ts";
import { keyLockOptions } from "../../open.ts";
import { formatBytes } from "../table.ts";
import { fail, ok, type Outcome, reasonOf, warn } from "./check.ts";
import type { Patient } from "./patient.ts";

const LOW_DISK_BYTES = 1_024 ** 3;
const NO_DISK_BYTES = 50 * 1_024 ** 2;

/** The lock, the database, its disk and the admin port. */
export function examineMachine(patient: Patient): void {
  const { exam, config } = patient;
  void exam.check({
    id: "machine.lock",
    group: "machine",
    title: "lock on the key",
    needs: ["key.address"],
    run: () => lookAtLock(patient),
  });
  void exam.check({
    id: "machine.database",
    group: "machine",
    title: "database",
    run: () => lookAtDatabase(patient),
  });
  void exam.check({
    id: "machine.disk",
    group: "machine",
    title: "disk",
    run: () => lookAtDisk(config.db.path),
  });
  void exam.check({
    id: "machine.admin_port",
    group: "machine",
    title: "admin port",
    needs: ["machine.lock"],
    run: () => lookAtPort(patient),
  });
}

function lookAtLock({ config, io, wallet = "", node }: Patient): Outcome {
  const holder = keyHolder(keyLockOptions(config, wallet, io.env));
  node.isRunning = holder !== undefined;
  return ok(
    holder === undefined ? "free: the node is not running" : `the node is running: ${describeHolder(holder)}`,
  );
}

function lookAtDatabase({ config, wallet }: Patient): Outcome {
  const { path } = config.db;
  if (!existsSync(path)) return ok(`${path} is not there yet; the node makes it at its first start`);
  let inspector: StoreInspector;
  try {
    inspector = new StoreInspector(path);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    const advice =
      error.code === "SCHEMA_VERSION"
        ? `run the version of wcp that wrote it, or move the file away (mv ${path} ${path}.old): the node rebuilds from the chain what it holds`
        : "run this as the node's user; if it is damaged, see docs/runbooks/lost-database.md";
    return fail(reasonOf(error), advice);
  }
  using opened = inspector;
  const damage = opened.damage();
  if (damage.length > 0) {
    return fail(
      `${path} is damaged: ${damage.join("; ")}`,
      "stop the node and follow docs/runbooks/lost-database.md: move the file away, the node rebuilds from the chain what it holds",
    );
  }
  const { chainId, wallet: owner } = opened.identity;
  const isOurs = wallet === undefined || owner.toLowerCase() === wallet.toLowerCase();
  if (!isOurs || chainId !== BigInt(config.ethereum.chain_id)) {
    return fail(
      `${path} belongs to wallet ${owner} on chain ${chainId}`,
      `this configuration is for ${wallet ?? "another wallet"} on chain ${config.ethereum.chain_id}: set db.path to another file, or give back the old key`,
    );
  }
  const underWay = opened.transactions(false).length;
  return ok(`sound, ${formatBytes(statSync(path).size)}, ${underWay} transactions under way`);
}

function lookAtDisk(path: string): Outcome {
  const dir = existingFolder(dirname(path));
  try {
    accessSync(dir, constants.W_OK);
  } catch (error) {
    return fail(
      `${dir} cannot be written (${reasonOf(error)})`,
      "the node keeps its database there: give the folder to the node's user (chown), or point db.path elsewhere",
    );
  }
  const { bavail, bsize } = statfsSync(dir);
  const free = bavail * bsize;
  const detail = `${formatBytes(free)} free in ${dir}`;
  if (free < NO_DISK_BYTES) {
    return fail(detail, "a full disk stops the node in the middle of its work: free some, or move db.path");
  }
  return free < LOW_DISK_BYTES ? warn(detail, "free some space, or lower db.retention") : ok(detail);
}

/** The node makes the folders below it. */
function existingFolder(dir: string): string {
  return existsSync(dir) || dirname(dir) === dir ? dir : existingFolder(dirname(dir));
}

async function lookAtPort({ config, node }: Patient): Promise<Outcome> {
  const { host, port } = config.admin;
  if (port === 0) return ok("a free one at each start (admin.port is 0)");
  const problem = await bindProblem(host, port);
  if (problem === undefined) {
    return node.isRunning
      ? warn(
          `${host}:${port} is free although the node is running`,
          "the running node was started with another configuration; restart it if that was not meant",
        )
      : ok(`${host}:${port} is free`);
  }
  if (node.isRunning && problem === "EADDRINUSE")
    return ok(`${host}:${port} is in use, by the node as it seems`);
  return fail(
    `${host}:${port} cannot be bound (${problem})`,
    "another program has it, or this address is not this machine's; set admin.port to a free port, or to 0",
  );
}

function bindProblem(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen(port, host, () => server.close(() => resolve(undefined)));
  });
}
