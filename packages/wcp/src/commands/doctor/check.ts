import type { Clock } from "@subnet-worker/kit";

/** What a check came to. `fail` is what would stop the node, or keep it from working. */
export type Verdict = "ok" | "warn" | "fail" | "skipped";

export const GROUPS = [
  "configuration",
  "key",
  "machine",
  "rpc",
  "contracts",
  "wallet",
  "wep",
  "storage",
] as const;
export type Group = (typeof GROUPS)[number];

/** One finding, as `wcp doctor --json` has it. */
export interface Finding {
  /** Stable: `rpc[0].chain_id`. */
  readonly id: string;
  readonly group: Group;
  readonly title: string;
  /** What it is about, where there are several alike: an endpoint. Empty otherwise. */
  readonly subject: string;
  readonly verdict: Verdict;
  /** What was seen. */
  readonly detail: string;
  /** What it means and the next thing to do; empty when there is nothing to do. */
  readonly advice: string;
  /** Ids of the checks that must pass before this one makes sense; empty unless skipped. */
  readonly because: readonly string[];
  readonly ms: number;
}

/** What a check answers. */
export interface Outcome {
  readonly verdict: Exclude<Verdict, "skipped">;
  readonly detail: string;
  readonly advice?: string;
  /** What needs this cannot be looked at, although the node would do without. */
  readonly isBlocking?: boolean;
}

export const ok = (detail: string): Outcome => ({ verdict: "ok", detail });
export const warn = (detail: string, advice: string): Outcome => ({ verdict: "warn", detail, advice });
export const fail = (detail: string, advice: string): Outcome => ({ verdict: "fail", detail, advice });

export interface CheckSpec {
  readonly id: string;
  readonly group: Group;
  readonly title: string;
  readonly subject?: string;
  /** Checks without whose success this one is skipped. A warning is a success. */
  readonly needs?: readonly string[];
  /** What to do when it throws, which is when it could not look. */
  readonly onError?: string;
  readonly run: () => Outcome | Promise<Outcome>;
}

/** Runs checks and keeps what they find. A check waits for those it needs, and for nothing else. */
export class Examination {
  readonly #clock: Clock;
  readonly #findings: Promise<Finding>[] = [];
  readonly #byId = new Map<string, Promise<Finding>>();
  readonly #blocking = new Set<string>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Starts a check. Those it needs must have been started. */
  check(spec: CheckSpec): Promise<Finding> {
    const finding = this.#run(spec);
    this.#findings.push(finding);
    this.#byId.set(spec.id, finding);
    return finding;
  }

  /** Whether these have all passed. */
  async passed(...ids: readonly string[]): Promise<boolean> {
    return (await this.#failed(ids)).length === 0;
  }

  /** Everything, in the order in which it was started. */
  async all(): Promise<readonly Finding[]> {
    return Promise.all(this.#findings);
  }

  async #run(spec: CheckSpec): Promise<Finding> {
    const { id, group, title, subject = "", needs = [] } = spec;
    const because = await this.#failed(needs);
    const head = { id, group, title, subject };
    if (because.length > 0) {
      this.#blocking.add(id);
      return { ...head, verdict: "skipped", detail: "", advice: "", because, ms: 0 };
    }
    const startMs = this.#clock.monotonicMs();
    const { isBlocking = false, ...outcome } = await attempt(spec);
    if (isBlocking || outcome.verdict === "fail") this.#blocking.add(id);
    const ms = Math.round(this.#clock.monotonicMs() - startMs);
    return { ...head, advice: "", ...outcome, because: [], ms };
  }

  async #failed(ids: readonly string[]): Promise<readonly string[]> {
    for (const id of ids) await this.#byId.get(id);
    return ids.filter((id) => this.#blocking.has(id));
  }
}

async function attempt({ run, onError = "" }: CheckSpec): Promise<Outcome> {
  try {
    return await run();
  } catch (error) {
    return fail(reasonOf(error), onError);
  }
}

export function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  // The code is for machines: what follows says the same.
  return message.replace(/^\[[A-Z_]+\] /, "");
}
