import type { Clock } from "@subnet-worker/kit";
import type { Task } from "../src/domain/task.ts";
import type {
  ClaimOutcome,
  HeartbeatOutcome,
  RecoveredTask,
  RunResult,
  SettleOutcome,
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
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  onClaim: (task: Task) => Promise<ClaimOutcome> = async () => ({ kind: "won", lease: this.lease() });
  onInputs: (task: Task) => Promise<TaskInputs> = async () => ({ inputs: [], workflowInputs: [] });
  onEncode: (task: Task, result: RunResult) => string = (_task, { json }) =>
    `0x${Buffer.from(json).toString("hex")}`;
  onHeartbeat: (task: Task, percent: number) => Promise<HeartbeatOutcome> = async () => ({
    kind: "extended",
    lease: this.lease(),
  });
  onSettle: (task: Task) => Promise<SettleOutcome> = async () => ({ kind: "settled" });

  /** A fresh lease from now. */
  lease(durationMs: number = LEASE_MS): { readonly expiresAtMs: number; readonly durationMs: number } {
    return { expiresAtMs: this.#clock.nowMs() + durationMs, durationMs };
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

  encodeResult(task: Task, result: RunResult): string {
    return this.onEncode(task, result);
  }

  heartbeat(task: Task, percent: number): Promise<HeartbeatOutcome> {
    this.calls.push(`heartbeat ${short(task)} ${percent}`);
    return this.onHeartbeat(task, percent);
  }

  complete(task: Task, resultHex: string): Promise<SettleOutcome> {
    this.calls.push(`complete ${short(task)} ${resultHex}`);
    return this.onSettle(task);
  }

  fail(task: Task, reason: string): Promise<SettleOutcome> {
    this.calls.push(`fail ${short(task)} ${reason}`);
    return this.onSettle(task);
  }

  async recover(): Promise<readonly RecoveredTask[]> {
    return this.held;
  }
}

/** `1` for `0x00..01`. */
function short({ id }: Task): string {
  return id.replace(/^0x0*/, "");
}
