import { rmSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "@subnet-worker/kit";
import type { Moment } from "./_chaos-plan.ts";
import { type Life, startLife } from "./_life.ts";
import type { FaultyRpc } from "./_rpc-faults.ts";
import type { WcpHome } from "./_wcp.ts";

/** A moment that never comes, such as an eighth transaction when there is no work, ends here. */
const LONGEST_LIFE_MS = 9_000;

export interface MortalNodeOptions {
  readonly home: WcpHome;
  readonly env: Readonly<Record<string, string>>;
  readonly endpoints: readonly FaultyRpc[];
  readonly database: string;
  readonly logDir: string;
}

/** How a life ended. */
export type Death =
  | { readonly kind: "killed"; readonly at: Moment["kind"] | "timeout" }
  /** By itself: nobody asked for it. */
  | { readonly kind: "crashed"; readonly how: number | NodeJS.Signals; readonly logPath: string };

/** A WCP with one database and one wallet, and as many lives as wanted. */
export class MortalNode {
  readonly #options: MortalNodeOptions;
  #lives = 0;

  constructor(options: MortalNodeOptions) {
    this.#options = options;
  }

  /** Starts it; it goes on until it is told otherwise. */
  start(onLine: (line: string) => void = () => {}): Life {
    this.#lives += 1;
    const { home, env, logDir } = this.#options;
    return startLife({
      program: "wcp",
      args: ["run", "--config", home.configPath],
      env,
      cwd: home.dir,
      logPath: join(logDir, `wcp-${String(this.#lives).padStart(3, "0")}.log`),
      onLine,
    });
  }

  /** Starts it and kills it at the moment. */
  async liveUntil(moment: Moment): Promise<Death> {
    let left = moment.kind === "after" ? Number.POSITIVE_INFINITY : moment.nth;
    let at: Moment["kind"] | "timeout" | undefined;
    const kill = (reason: Moment["kind"] | "timeout") => {
      at ??= reason;
      life.signal("SIGKILL"); // at once: the next thing it does must not happen
    };
    const countDown = () => {
      left -= 1;
      if (left === 0) kill(moment.kind);
    };
    const life = this.start(() => {
      if (moment.kind === "line") countDown();
    });
    for (const endpoint of this.#options.endpoints) {
      endpoint.onSend = (phase) => {
        if (moment.kind === "send" && moment.phase === phase) countDown();
      };
    }
    using _timer = systemClock.timer(moment.kind === "after" ? moment.ms : LONGEST_LIFE_MS, () =>
      kill(moment.kind === "after" ? "after" : "timeout"),
    );
    const how = await life.ended;
    return at === undefined ? { kind: "crashed", how, logPath: life.logPath } : { kind: "killed", at };
  }

  /** As an operator might, or a disk. Only while it is dead. */
  deleteDatabase(): void {
    for (const suffix of ["", "-wal", "-shm"]) rmSync(`${this.#options.database}${suffix}`, { force: true });
  }
}
