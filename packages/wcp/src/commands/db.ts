import { existsSync, renameSync, rmSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { EXIT, StartupError } from "@subnet-worker/kit";
import { StoreInspector } from "../adapters/sqlite/inspect.ts";
import type { RecordEntry } from "../adapters/sqlite/inspect-records.ts";
import { type Io, loadCommandConfig, type RunCommand } from "./command.ts";
import { formatAge, formatBytes } from "./table.ts";

/** `wcp db ls`: records by name; with `--json` one to a line. */
export const listRecords: RunCommand = async (invocation) => {
  const { io, args, options } = invocation;
  const [prefix = ""] = args;
  using inspector = new StoreInspector(loadCommandConfig(invocation).db.path);
  let count = 0;
  for (const entry of inspector.records(prefix)) {
    io.out(options["json"] === true ? `${JSON.stringify(entry)}\n` : recordLine(entry, io));
    count += 1;
  }
  if (count === 0 && options["json"] !== true) {
    io.err(
      prefix === ""
        ? "The database is empty.\n"
        : `No record begins with "${prefix}"; the names are claim_job:, inflight:, done:, tx: and nonce:last.\n`,
    );
  }
  return EXIT.ok;
};

/** `wcp db show`: one record as JSON. */
export const showRecord: RunCommand = async (invocation) => {
  const { io, args } = invocation;
  const [key = ""] = args;
  using inspector = new StoreInspector(loadCommandConfig(invocation).db.path);
  const entry = inspector.record(key);
  if (entry === undefined) {
    throw new StartupError(EXIT.fault, `there is no record "${key}"; wcp db ls lists what there is`);
  }
  io.out(`${JSON.stringify(entry.value, undefined, 2)}\n`);
  return EXIT.ok;
};

/** `wcp db backup`: a copy of the database as it is at one moment, made while the node runs or not. */
export const backUp: RunCommand = async (invocation) => {
  const { io, args } = invocation;
  const path = resolve(io.cwd, args[0] ?? "");
  if (existsSync(path)) {
    throw new StartupError(EXIT.fault, `${path} is there already and is not overwritten; give another name`);
  }
  // Under its name only once it is whole and sound.
  const partial = `${path}.partial`;
  try {
    using inspector = new StoreInspector(loadCommandConfig(invocation).db.path);
    rmSync(partial, { force: true });
    await inspector.backup(partial);
    checkCopy(partial);
    renameSync(partial, path);
  } finally {
    for (const suffix of ["", "-wal", "-shm"]) rmSync(`${partial}${suffix}`, { force: true });
  }
  io.out(`${path}: ${formatBytes(statSync(path).size)}, complete and sound\n`);
  return EXIT.ok;
};

function checkCopy(path: string): void {
  using copy = new StoreInspector(path);
  const damage = copy.damage();
  if (damage.length > 0) {
    throw new StartupError(
      EXIT.fault,
      `the copy is damaged (${damage.join("; ")}); run wcp doctor and see what it says of the database`,
    );
  }
}

function recordLine({ key, value }: RecordEntry, { clock }: Io): string {
  const age = (ms: unknown) => `${formatAge(clock.nowMs() - Number(ms))} ago`;
  if (key.startsWith("tx:")) {
    const intents = value["intents"] as readonly { readonly kind: string; readonly state: string }[];
    return `${key}  ${intents.map(({ kind, state }) => `${kind} ${state}`).join(", ")}\n`;
  }
  if (key === "nonce:last") return `${key}  ${String(value["nonce"])}  ${age(value["updated_at_ms"])}\n`;
  return `${key}  ${String(value["state"])}  ${String(value["queue_name"])}  ${age(value["updated_at_ms"])}\n`;
}
