import type { WorkflowSpec } from "@subnet-worker/activity-spec";
import { type Clock, systemClock } from "@subnet-worker/kit";
import { newRun, type Run, type StepState } from "../domain/run.ts";
import { stepNames } from "./report.ts";
import type { Screen } from "./screen.ts";
import { durationText, printable, shortHex } from "./text.ts";

const REDRAW_MS = 100;
const BAR_CELLS = 20;

/** Shows how a run goes. Disposal leaves the last state on screen. */
export interface LiveView extends Disposable {
  update(run: Run): void;
}

/** On a terminal one line per step, redrawn in place; elsewhere a line per change. */
export function showLive(spec: WorkflowSpec, screen: Screen, clock: Clock = systemClock): LiveView {
  const names = stepNames(spec);
  const width = Math.max(...names.map((name) => name.length));
  const stopped = new AbortController();
  let run = newRun(names.length);
  const shown = new Map<number, string>();

  const draw = () => {
    const nowMs = clock.monotonicMs();
    screen.live(
      run.steps.map(
        (step, index) => `  ${(names[index] ?? "").padEnd(width)}  ${liveText(step, nowMs, screen)}`,
      ),
    );
  };
  const say = () => {
    for (const [index, step] of run.steps.entries()) {
      const text = plainText(step);
      if (text === "" || shown.get(index) === text) continue;
      shown.set(index, text);
      screen.line(`  ${(names[index] ?? "").padEnd(width)}  ${text}`);
    }
  };
  const show = screen.isLive ? draw : say;
  const redraw = async () => {
    while (!stopped.signal.aborted) {
      draw();
      await clock.sleep(REDRAW_MS, stopped.signal);
    }
  };
  if (screen.isLive) void redraw();
  return {
    update(next) {
      run = next;
      show();
    },
    [Symbol.dispose]() {
      stopped.abort();
      screen.settle();
    },
  };
}

function liveText(step: StepState, nowMs: number, screen: Screen): string {
  switch (step.kind) {
    case "pending":
      return screen.style("dim", "waiting");
    case "enqueued":
      return `enqueued, ${durationText(nowMs - step.enqueued.seenMs)}`;
    case "running": {
      const cells = Math.round((step.progressPercent / 100) * BAR_CELLS);
      const bar = "█".repeat(cells).padEnd(BAR_CELLS, "░");
      const elapsed = durationText(nowMs - step.claimed.seenMs);
      return `${bar} ${String(step.progressPercent).padStart(3)} %  claimed by ${shortHex(step.worker)}, ${elapsed}`;
    }
    case "completed":
      return screen.style("good", plainText(step));
    case "failed":
      return screen.style("bad", plainText(step));
    case "skipped":
      return "skipped";
  }
}

/** The same for where lines cannot be taken back; empty for what is not worth a line. */
function plainText(step: StepState): string {
  switch (step.kind) {
    case "pending":
      return "";
    case "enqueued":
      return "enqueued";
    case "running":
      return step.progressPercent === 0 ? `claimed by ${shortHex(step.worker)}` : `${step.progressPercent} %`;
    case "completed":
      return `completed in ${durationText(step.settled.seenMs - step.enqueued.seenMs)}`;
    case "failed":
      return `failed: ${printable(step.reason)}`;
    case "skipped":
      return "skipped";
  }
}
