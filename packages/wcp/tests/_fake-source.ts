import type { Clock } from "@subnet-worker/kit";
import type { Lease, Task } from "../src/domain/task.ts";
import type {
  ClaimOutcome,
  HeartbeatOutcome,
  RecoveredTask,
  RunPlan,
  RunResult,
  SettleOutcome,
  Standing,
  TaskInputs,
  TaskSource,
} from "../src/ports.ts";

export const LEASE_MS = 60_000;

/** A network that does what the test says; by default everything that is asked of it. */
export class FakeSource implements TaskSource {
  readonly name = "fake";
  /** What was asked of it, in order: `claim 0x..01`, `heartbeat 0x..01 40`, `complete 0x..01 0xbeef`. */
  readonly calls: string[] = [];
  held: readonly RecoveredTask[] = [];
  /** Names the claims that it grants. */
  token = "1";
  /** Why nothing should be claimed. */
  trouble: string | undefined;
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  onClaim: (task: Task) => Promise<ClaimOutcome> = async () => ({ kind: "won", lease: this.lease() });
  onInputs: (task: Task) => Promise<TaskInputs> = async () => ({ inputs: [], workflowInputs: [] });
  /** What the spec says; `undefined`: there is none. */
  spec: RunPlan | undefined;
  onEncode: (task: Task, result: RunResult) => string = (_task, { json }) =>
    `0x${Buffer.from(json).toString("hex")}`;
  onHeartbeat: (task: Task, percent: number) => Promise<HeartbeatOutcome> = async () => ({
    kind: "extended",
    lease: this.lease(),
  });
  onSettle: (task: Task, onIncluded?: () => void) => Promise<SettleOutcome> = async () => ({
    kind: "settled",
  });
  onInspect: (id: string) => Standing = () => ({ kind: "unknown" });

  /** A fresh lease from now. */
  lease(durationMs: number = LEASE_MS): Lease {
    return { expiresAtMs: this.#clock.nowMs() + durationMs, durationMs, token: this.token };
  }

  /** How often calls began like this. */
  count(prefix: string): number {
    return this.calls.filter((call) => call.startsWith(prefix)).length;
  }

  watch(): Promise<void> {
    throw new Error("tests offer by themselves");
  }

  claim(task: Task): Promise<ClaimOutcome> {
    this.calls.push(`claim ${short(task)}`);
    return this.onClaim(task);
  }

  inputs(task: Task): Promise<TaskInputs> {
    return this.onInputs(task);
  }

  plan(): RunPlan | undefined {
    return this.spec;
  }

  encodeResult(task: Task, result: RunResult): string {
    return this.onEncode(task, result);
  }

  heartbeat(task: Task, percent: number): Promise<HeartbeatOutcome> {
    this.calls.push(`heartbeat ${short(task)} ${percent}`);
    return this.onHeartbeat(task, percent);
  }

  complete(task: Task, resultHex: string, onIncluded?: () => void): Promise<SettleOutcome> {
    this.calls.push(`complete ${short(task)} ${resultHex}`);
    return this.onSettle(task, onIncluded);
  }

  fail(task: Task, reason: string, onIncluded?: () => void): Promise<SettleOutcome> {
    this.calls.push(`fail ${short(task)} ${reason}`);
    return this.onSettle(task, onIncluded);
  }

  async recover(): Promise<readonly RecoveredTask[]> {
    return this.held;
  }

  /** What the test says of each; a task that is held is held. */
  async inspect(ids: readonly string[]): Promise<readonly Standing[]> {
    return ids.map((id) => {
      const held = this.held.find(({ offer }) => offer.id === id);
      return held === undefined ? this.onInspect(id) : { kind: "held", lease: held.lease };
    });
  }

  notReady(): readonly string[] {
    return this.trouble === undefined ? [] : [this.trouble];
  }
}

/** `1` for `0x00..01`. */
function short({ id }: Task): string {
  return id.replace(/^0x0*/, "");
}
