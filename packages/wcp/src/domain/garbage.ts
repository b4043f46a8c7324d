import { parseRunKey, RUNS_AREA, type RunKey, shortId, workflowSegment } from "./object-key.ts";
import { FINAL_STATES, type Outcome, type TaskStateKind } from "./task.ts";

/** What of a task decides what becomes of its objects. */
export interface KnownTask {
  readonly id: string;
  readonly workflowInstanceId: string;
  readonly state: TaskStateKind;
  /** Of a task that is done, or about to be. */
  readonly outcome?: Outcome | undefined;
  /** When it came into its state. */
  readonly updatedAtMs: number;
}

/** Where a task is in keys. */
export type TaskName = Pick<KnownTask, "id" | "workflowInstanceId">;

/** A task without its result, of which only the names are kept: a database may know very many. */
interface RememberedTask {
  readonly id: string;
  readonly workflowInstanceId: string;
  readonly state: TaskStateKind;
  readonly updatedAtMs: number;
  /** `undefined`: it has no outcome here. */
  readonly status: Outcome["status"] | undefined;
  /** Of the run that gave the result. */
  readonly runId: string | undefined;
}

export interface GarbageOptions {
  /** Read once. */
  readonly tasks: Iterable<KnownTask>;
  readonly nowMs: number;
  /** Objects and tasks that changed within this are left alone. */
  readonly minAgeMs: number;
  /** The same for objects of tasks that nobody knows; `undefined`, the default, leaves all of them. */
  readonly unknownAgeMs?: number | undefined;
}

/** Why an object stays. */
export type KeptReason =
  /** Its activity is not over. */
  | "open"
  /** A result names it, or another object of its run; or its run gave the result. */
  | "result"
  /** It, or its activity, changed a moment ago. */
  | "recent"
  /** This database knows nothing of its activity. */
  | "unknown"
  /** No run has written it. */
  | "foreign";

/** Why an object is of no use. */
export type GarbageReason =
  /** Its activity failed. */
  | "failed"
  /** Another run of its activity gave the result. */
  | "superseded"
  /** Its activity was lost, ran out, or was given up. */
  | "given_up"
  /** Its activity is known to nobody any more. */
  | "unknown"
  /** An upload in parts that nobody will complete. */
  | "incomplete";

export interface Fate {
  readonly isGarbage: boolean;
  readonly why: KeptReason | GarbageReason;
  /** Activities that it may be of: ids in keys are cut short. Empty when none is known. */
  readonly taskIds: readonly string[];
}

/**
 * Says which objects of runs are of no use any more.
 *
 * Invariants
 *  G1  Nothing of a task that is open, here or with another worker, whatever its age.
 *  G2  Nothing of a run that a result names an object of, or that gave the result: what one object names,
 *      like the segments of a playlist, no result tells.
 *  G3  Nothing of tasks that are not known, unless that is asked for, with an age.
 *  G4  Where ids cut short leave several tasks, an object is garbage only when it is by all of them.
 */
export class GarbageRules {
  readonly #options: GarbageOptions;
  /** By the two segments of ids in keys. */
  readonly #tasks = new Map<string, RememberedTask[]>();
  /** Workflow segments of open tasks, whose inputs nobody here knows. */
  readonly #busyWorkflows = new Set<string>();
  /** `workflow/task/run` of runs that results name. */
  readonly #namedRuns = new Set<string>();
  /** What results name that is more than one run's. */
  readonly #namedAreas: string[] = [];

  constructor(options: GarbageOptions) {
    this.#options = options;
    for (const task of options.tasks) this.#add(task);
  }

  /** Tasks without an outcome that an object may be of: the network may have one all the same. */
  withoutOutcome(objectKey: string): readonly TaskName[] {
    const key = parseRunKey(objectKey);
    if (key === undefined) return [];
    const tasks = this.#tasks.get(`${key.workflow}/${key.task}`) ?? [];
    return tasks.filter(({ status }) => status === undefined);
  }

  /** The network says that somebody works on a task, whatever its state here: this node, which takes it up again, or another. */
  hold({ id, workflowInstanceId }: TaskName): void {
    const workflow = workflowSegment(workflowInstanceId);
    const place = `${workflow}/${shortId(id)}`;
    const tasks = this.#tasks.get(place) ?? [];
    this.#tasks.set(
      place,
      tasks.map((task) => (task.id === id ? { ...task, state: "claimed" } : task)),
    );
    if (workflowInstanceId !== "") this.#busyWorkflows.add(workflow);
  }

  /** `atMs`: when it was written. */
  fateOfObject(objectKey: string, atMs: number): Fate {
    const key = parseRunKey(objectKey);
    if (key === undefined) return { isGarbage: false, why: "foreign", taskIds: [] };
    const tasks = this.#tasks.get(`${key.workflow}/${key.task}`) ?? [];
    const taskIds = tasks.map(({ id }) => id);
    if (tasks.some(isOpen)) return { isGarbage: false, why: "open", taskIds };
    if (this.#isNamed(objectKey, key)) return { isGarbage: false, why: "result", taskIds };
    if (tasks.length === 0) return { ...this.#ofNobody(key, atMs), taskIds };
    if (tasks.some((task) => this.#mayBeOf(task, key))) return { isGarbage: false, why: "result", taskIds };
    return { ...this.#ofOver(tasks, atMs), taskIds };
  }

  /** The same for an upload in parts that was begun and has not ended. An object of that name stays. */
  fateOfUpload(objectKey: string, startedAtMs: number): Fate {
    const key = parseRunKey(objectKey);
    if (key === undefined) return { isGarbage: false, why: "foreign", taskIds: [] };
    const tasks = this.#tasks.get(`${key.workflow}/${key.task}`) ?? [];
    const taskIds = tasks.map(({ id }) => id);
    if (tasks.some(isOpen)) return { isGarbage: false, why: "open", taskIds };
    const fate = tasks.length === 0 ? this.#ofNobody(key, startedAtMs) : this.#ofOver(tasks, startedAtMs);
    return { ...fate, ...(fate.isGarbage ? { why: "incomplete" } : {}), taskIds };
  }

  #add(task: KnownTask): void {
    const workflow = workflowSegment(task.workflowInstanceId);
    const place = `${workflow}/${shortId(task.id)}`;
    const { id, workflowInstanceId, state, updatedAtMs, outcome } = task;
    const runId = outcome?.status === "success" ? outcome.runId : undefined;
    const remembered = { id, workflowInstanceId, state, updatedAtMs, status: outcome?.status, runId };
    this.#tasks.set(place, [...(this.#tasks.get(place) ?? []), remembered]);
    if (isOpen(task) && task.workflowInstanceId !== "") this.#busyWorkflows.add(workflow);
    if (task.outcome?.status === "success") this.addResult(task.outcome.resultHex);
  }

  /**
   * A result, as 0x hex, that the network has beside those of the tasks. Whatever in it could be the beginning of a
   * run's key counts, in whichever place and form of text.
   */
  addResult(resultHex: string): void {
    for (const [name] of textOf(resultHex).matchAll(/runs\/[A-Za-z0-9._/-]*/g)) {
      const [workflow, task, runId] = name.slice(RUNS_AREA.length).split("/");
      if (workflow === "") continue; // the word alone, which would keep everything
      if (runId === undefined || runId === "") this.#namedAreas.push(name);
      else this.#namedRuns.add(`${workflow}/${task}/${runId}`);
    }
  }

  #isNamed(objectKey: string, { workflow, task, runId }: RunKey): boolean {
    return (
      this.#namedRuns.has(`${workflow}/${task}/${runId}`) ||
      this.#namedAreas.some((area) => objectKey.startsWith(area))
    );
  }

  /** G2: the run that gave the result; where nobody wrote down which that was, any run. */
  #mayBeOf({ status, runId }: RememberedTask, key: RunKey): boolean {
    if (status !== "success") return false;
    return runId === undefined || runId === key.runId;
  }

  #ofNobody({ workflow }: RunKey, atMs: number): Omit<Fate, "taskIds"> {
    const { unknownAgeMs, nowMs } = this.#options;
    // G3; and what the steps of a workflow under way work on was written by steps before them.
    if (unknownAgeMs === undefined || this.#busyWorkflows.has(workflow)) {
      return { isGarbage: false, why: "unknown" };
    }
    if (nowMs - atMs < unknownAgeMs) return { isGarbage: false, why: "recent" };
    return { isGarbage: true, why: "unknown" };
  }

  #ofOver(tasks: readonly RememberedTask[], atMs: number): Omit<Fate, "taskIds"> {
    const { nowMs, minAgeMs } = this.#options;
    const changedAtMs = Math.max(atMs, ...tasks.map(({ updatedAtMs }) => updatedAtMs));
    if (nowMs - changedAtMs < minAgeMs) return { isGarbage: false, why: "recent" };
    return { isGarbage: true, why: reasonOf(tasks) };
  }
}

function isOpen({ state }: Pick<RememberedTask, "state">): boolean {
  return !FINAL_STATES.has(state);
}

function reasonOf(tasks: readonly RememberedTask[]): GarbageReason {
  const [status] = tasks.map((task) => task.status);
  if (status === undefined) return "given_up";
  return status === "success" ? "superseded" : "failed";
}

/** One character for each byte: keys are plain ASCII. */
function textOf(hex: string): string {
  let text = "";
  for (let at = 2; at + 1 < hex.length; at += 2)
    text += String.fromCharCode(Number.parseInt(hex.slice(at, at + 2), 16));
  return text;
}
