import { createLogger, EXIT, StartupError } from "@subnet-worker/kit";
import type { Activity } from "@subnet-worker/contracts";
import { StoreInspector } from "../adapters/sqlite/inspect.ts";
import type { RecordEntry } from "../adapters/sqlite/inspect-records.ts";
import type { Config } from "../config.ts";
import { type Fate, GarbageRules, type KnownTask, type TaskName } from "../domain/garbage.ts";
import { parseRunKey, RUNS_AREA, shortId, workflowSegment } from "../domain/object-key.ts";
import type { Outcome, TaskStateKind } from "../domain/task.ts";
import { openStorage } from "../open-storage.ts";
import { type OpenMultipart, type StorageBroker, StorageError, type StoredObject } from "../storage-ports.ts";
import { readActivity } from "./activity-reader.ts";
import type { Invocation } from "./command.ts";
import { Spool } from "./spool.ts";

/** Some of what is stored under `runs/`, and what becomes of it. */
export interface SurveyPage {
  readonly objects: readonly Judged<StoredObject>[];
  readonly uploads: readonly Judged<OpenMultipart>[];
}

export type Judged<T> = T & { readonly fate: Fate };

/** As many as one request of S3 lists, and removes. */
const PAGE_LENGTH = 1_000;

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

/**
 * Looks at everything under `runs/`, at the database, and at the chain for what the database does not know to be
 * settled; then tells of all objects, page by page, and of all unfinished uploads. What is stored may be very
 * much, and is kept in a file meanwhile; what is kept in memory is what the database knows of tasks.
 */
export async function* survey(
  invocation: Invocation,
  {
    config,
    storage,
    options,
  }: { readonly config: Config; readonly storage: StorageBroker; readonly options: SurveyOptions },
): AsyncGenerator<SurveyPage> {
  // First what is stored, all of it: whatever is written afterwards is not in the list, and so is not judged.
  const { signal } = invocation;
  const listed = untilStopped(storage.list(RUNS_AREA), signal);
  await using objects = await askStorage(() => Spool.of(listed));
  const begun = untilStopped(storage.listMultiparts(RUNS_AREA), signal);
  await using uploads = await askStorage(() => Spool.of(begun));
  using inspector = new StoreInspector(config.db.path);
  const rules = new GarbageRules({
    ...options,
    tasks: knownTasks(inspector),
    nowMs: invocation.io.clock.nowMs(),
  });
  const { wallet } = inspector.identity;
  // A result may name objects of any run, so all of them are known before the first is judged.
  const lateMs = invocation.io.clock.nowMs() - options.minAgeMs;
  const names = await withoutOutcome(rules, [objects, uploads]);
  await askChain(names, { invocation, config, wallet, rules, lateMs });
  for await (const page of untilStopped(objects.pages(PAGE_LENGTH), signal)) {
    const judged = page.map((each) => ({
      ...each,
      fate: rules.fateOfObject(each.objectKey, each.modifiedAtMs),
    }));
    yield { objects: judged, uploads: [] };
  }
  for await (const page of untilStopped(uploads.pages(PAGE_LENGTH), signal)) {
    const judged = page.map((each) => ({
      ...each,
      fate: rules.fateOfUpload(each.objectKey, each.startedAtMs),
    }));
    yield { objects: [], uploads: judged };
  }
}

/** @throws {StartupError} exit code 75 once the command is to stop */
async function* untilStopped<T>(items: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  for await (const item of items) {
    if (signal.aborted) {
      throw new StartupError(EXIT.tryLater, "stopped before the end; run it again");
    }
    yield item;
  }
}

/** Tasks with something stored that have no outcome here, each once. */
async function withoutOutcome(
  rules: GarbageRules,
  spools: readonly Spool<{ readonly objectKey: string }>[],
): Promise<readonly TaskName[]> {
  const found = new Map<string, TaskName>();
  for (const spool of spools) {
    for await (const page of spool.pages(PAGE_LENGTH)) {
      for (const task of page.flatMap(({ objectKey }) => rules.withoutOutcome(objectKey))) {
        found.set(task.id, task);
      }
    }
  }
  return [...found.values()];
}

const OPEN_RECORDS = ["claim_job:", "inflight:"];
const TASK_RECORDS = [...OPEN_RECORDS, "done:"];

function* knownTasks(inspector: StoreInspector): Generator<KnownTask> {
  for (const record of inspector.tasks()) yield toKnown(record);
}

function toKnown({ value }: RecordEntry): KnownTask {
  return {
    id: String(value["activity_id"]),
    workflowInstanceId: String(value["workflow_instance_id"]),
    state: value["state"] as TaskStateKind,
    outcome: value["outcome"] as Outcome | undefined,
    updatedAtMs: Number(value["updated_at_ms"]),
  };
}

const READS_AT_ONCE = 16;

interface Asking {
  readonly invocation: Invocation;
  readonly config: Config;
  readonly wallet: string;
  readonly rules: GarbageRules;
  /** A lease that ended after this is not over yet for long enough. */
  readonly lateMs: number;
}

/**
 * Tells the rules what the chain knows of tasks: their results, and which of them somebody works on. Where that is
 * another worker, what its run has written lies beside ours when both have one bucket.
 */
async function askChain(tasks: readonly TaskName[], asking: Asking): Promise<void> {
  const { invocation, config, rules } = asking;
  for (let start = 0; start < tasks.length; start += READS_AT_ONCE) {
    const some = tasks.slice(start, start + READS_AT_ONCE);
    await Promise.all(
      some.map(async (task) => {
        const activity = await readActivity(task.id, invocation, config);
        if (activity?.isCompleted === true) rules.addResult(activity.resultData);
        else if (activity !== undefined && isHeld(activity, asking)) rules.hold(task);
      }),
    );
  }
}

function isHeld({ assignedWorker, isAssigned, expiresAt }: Activity, { wallet, lateMs }: Asking): boolean {
  // The node takes it up again.
  if (assignedWorker.toLowerCase() === wallet.toLowerCase()) return true;
  return isAssigned && Number(expiresAt) * 1_000 > lateMs;
}

/** Of tasks that are open now: where they write, and their workflows, as segments of keys. */
function busyPlaces(inspector: StoreInspector): ReadonlySet<string> {
  const places = new Set<string>();
  for (const record of OPEN_RECORDS.flatMap((name) => [...inspector.records(name)])) {
    const { id, workflowInstanceId } = toKnown(record);
    const workflow = workflowSegment(workflowInstanceId);
    places.add(`${workflow}/${shortId(id)}`);
    if (workflowInstanceId !== "") places.add(workflow);
  }
  return places;
}

type Removable = Pick<StoredObject, "objectKey"> & { readonly fate: Fate };

/** Looks at tasks again, a moment before something of theirs is removed. */
export class Revisit implements Disposable {
  readonly #inspector: StoreInspector;
  readonly #sinceMs: number;
  readonly #known = new Map<string, boolean>();
  /** Looked up when the first is asked for. */
  #busy: ReadonlySet<string> | undefined;

  constructor({ db }: Config, sinceMs: number) {
    this.#inspector = new StoreInspector(db.path);
    this.#sinceMs = sinceMs;
  }

  /**
   * Whether the tasks of an object are all over, and nothing has become of them since. What is nobody's may be what a
   * task of its workflow works on that was taken since.
   */
  readonly isOver = ({ objectKey, fate }: Removable): boolean => {
    if (fate.taskIds.length > 0) return fate.taskIds.every((id) => this.#isOver(id));
    this.#busy ??= busyPlaces(this.#inspector);
    const { workflow = "", task = "" } = parseRunKey(objectKey) ?? {};
    return !this.#busy.has(workflow) && !this.#busy.has(`${workflow}/${task}`);
  };

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
