import { createLogger, EXIT, StartupError } from "@subnet-worker/kit";
import { StoreInspector } from "../adapters/sqlite/inspect.ts";
import type { RecordEntry } from "../adapters/sqlite/inspect-records.ts";
import type { Config } from "../config.ts";
import { type Fate, GarbageRules, type KnownTask } from "../domain/garbage.ts";
import { parseRunKey, RUNS_AREA, shortId, workflowSegment } from "../domain/object-key.ts";
import type { Outcome, TaskStateKind } from "../domain/task.ts";
import { openStorage } from "../open-storage.ts";
import { type OpenMultipart, type StorageBroker, StorageError, type StoredObject } from "../storage-ports.ts";
import { readActivity } from "./activity-reader.ts";
import type { Invocation } from "./command.ts";

/** What is stored under `runs/`, and what becomes of it. */
export interface Survey {
  readonly objects: readonly Judged<StoredObject>[];
  readonly uploads: readonly Judged<OpenMultipart>[];
}

export type Judged<T> = T & { readonly fate: Fate };

export interface SurveyOptions {
  /** Garbage that changed within this is left alone. */
  readonly minAgeMs: number;
  /** The same for tasks that are not known; `undefined` leaves all of theirs alone. */
  readonly unknownAgeMs: number | undefined;
}

/**
 * The broker of the configuration, for a command.
 *
 * @throws {StartupError} exit code 78 when there is none
 */
export async function openCommandStorage(
  { io }: Invocation,
  config: Config,
  stack: AsyncDisposableStack,
): Promise<StorageBroker> {
  const logger = createLogger({ name: "wcp", level: "warn", destination: { write: (line) => io.err(line) } });
  // A folder is served by the node; a command looks at it beside that.
  const beside = { ...config, storage: { ...config.storage, folder_port: 0 } };
  const storage = await openStorage(beside, { clock: io.clock, logger, stack });
  if (storage !== undefined) return storage;
  throw new StartupError(
    EXIT.badConfig,
    "this node brokers no storage; set storage.bucket, storage.folder or subnet_api.grpc_endpoint",
  );
}

/** Asks storage; trouble ends the command with what to check. */
export async function askStorage<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    const exitCode = error.isRetryable ? EXIT.tryLater : EXIT.fault;
    throw new StartupError(exitCode, `${error.message} (wcp doctor looks at the storage settings)`, {
      cause: error,
    });
  }
}

/** Looks at everything under `runs/`, at the database, and at the chain for what the database does not know to be settled. */
export async function survey(
  invocation: Invocation,
  {
    config,
    storage,
    options,
  }: { readonly config: Config; readonly storage: StorageBroker; readonly options: SurveyOptions },
): Promise<Survey> {
  // First what is stored: whatever is written afterwards is not in the list, and so is not judged.
  const [objects, uploads] = await askStorage(async () => [
    await collect(storage.list(RUNS_AREA)),
    await collect(storage.listMultiparts(RUNS_AREA)),
  ]);
  const { tasks, wallet } = knownTasks(config);
  const told = await askChain(abandoned(tasks, [...objects, ...uploads]), { invocation, config, wallet });
  const rules = new GarbageRules({
    ...options,
    results: told.results,
    tasks: tasks.map((task) => (told.held.has(task.id) ? { ...task, state: "claimed" } : task)),
    nowMs: invocation.io.clock.nowMs(),
  });
  return {
    objects: objects.map((each) => ({
      ...each,
      fate: rules.fateOfObject(each.objectKey, each.modifiedAtMs),
    })),
    uploads: uploads.map((each) => ({ ...each, fate: rules.fateOfUpload(each.objectKey, each.startedAtMs) })),
  };
}

async function collect<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}

/** All that the database knows, while the node runs or not. */
function knownTasks({ db }: Config): { readonly tasks: readonly KnownTask[]; readonly wallet: string } {
  using inspector = new StoreInspector(db.path);
  const records = TASK_RECORDS.flatMap((name) => [...inspector.records(name)]);
  return { tasks: records.map(toKnown), wallet: inspector.identity.wallet };
}

const TASK_RECORDS = ["claim_job:", "inflight:", "done:"];

function toKnown({ value }: RecordEntry): KnownTask {
  return {
    id: String(value["activity_id"]),
    workflowInstanceId: String(value["workflow_instance_id"]),
    state: value["state"] as TaskStateKind,
    outcome: value["outcome"] as Outcome | undefined,
    updatedAtMs: Number(value["updated_at_ms"]),
  };
}

/** Tasks with something stored that ended without an outcome here: the network may have one all the same. */
function abandoned(
  tasks: readonly KnownTask[],
  stored: readonly { readonly objectKey: string }[],
): readonly KnownTask[] {
  const places = new Set(
    stored.map(({ objectKey }) => parseRunKey(objectKey)).map((key) => `${key?.workflow}/${key?.task}`),
  );
  return tasks.filter(
    ({ id, workflowInstanceId, outcome }) =>
      outcome === undefined && places.has(`${workflowSegment(workflowInstanceId)}/${shortId(id)}`),
  );
}

const READS_AT_ONCE = 16;

interface Told {
  /** Results that the chain has, as 0x hex. */
  readonly results: readonly string[];
  /** Activities that the wallet holds all the same: the node takes them up again. */
  readonly held: ReadonlySet<string>;
}

async function askChain(
  tasks: readonly KnownTask[],
  {
    invocation,
    config,
    wallet,
  }: { readonly invocation: Invocation; readonly config: Config; readonly wallet: string },
): Promise<Told> {
  const results: string[] = [];
  const held = new Set<string>();
  for (let start = 0; start < tasks.length; start += READS_AT_ONCE) {
    const some = tasks.slice(start, start + READS_AT_ONCE);
    const activities = await Promise.all(some.map(({ id }) => readActivity(id, invocation, config)));
    for (const activity of activities) {
      if (activity?.isCompleted === true) results.push(activity.resultData);
      else if (activity?.assignedWorker.toLowerCase() === wallet.toLowerCase()) held.add(activity.activityId);
    }
  }
  return { results, held };
}

/** Looks at tasks again, a moment before something of theirs is removed. */
export class Revisit implements Disposable {
  readonly #inspector: StoreInspector;
  readonly #sinceMs: number;
  readonly #known = new Map<string, boolean>();

  constructor({ db }: Config, sinceMs: number) {
    this.#inspector = new StoreInspector(db.path);
    this.#sinceMs = sinceMs;
  }

  /** Whether the tasks of an object are all over, and nothing has become of them since. */
  readonly isOver = ({ fate }: { readonly fate: Fate }): boolean =>
    fate.taskIds.every((id) => this.#isOver(id));

  #isOver(id: string): boolean {
    const known = this.#known.get(id) ?? this.#look(id);
    this.#known.set(id, known);
    return known;
  }

  #look(id: string): boolean {
    const records = TASK_RECORDS.map((name) => this.#inspector.record(`${name}${id}`));
    const record = records.find((each) => each !== undefined);
    if (record === undefined) return true; // forgotten since: it was over
    return record.key.startsWith("done:") && Number(record.value["updated_at_ms"]) < this.#sinceMs;
  }

  [Symbol.dispose](): void {
    this.#inspector[Symbol.dispose]();
  }
}
