import type { ControlDesk } from "../src/control/desk.ts";
import type { QueueView } from "../src/domain/scheduler/queue-policy.ts";
import type { ExecutorView } from "../src/ports.ts";

/** A WEP that is well, but for what the test says. */
export function wepView(changes: Partial<ExecutorView> = {}): ExecutorView {
  return {
    url: "http://127.0.0.1:7070",
    state: "ready",
    origin: "config",
    reason: "",
    version: "1.1.0",
    agent: "subnet-worker-wep/0.1.0",
    instanceId: "0f8b8a52-7a43-4d4e-9a3c-1f5f3f0b9f11",
    sinceMs: 300_000,
    classes: [
      { name: "cpu", slots: 4, free: 3, tags: [] },
      { name: "gpu", slots: 1, free: 1, tags: ["gpu", "avx512"] },
    ],
    kinds: ["audio_preprocess 1.0.0", "audio_validate 1.0.0"],
    runs: [
      {
        taskId: `0x${"ab".repeat(32)}`,
        runId: "5b1c7e0a-9d6f-8c11-a2f3-0d4b6a7c8e9f",
        percent: 40,
        forMs: 12_000,
      },
    ],
    roundTripMs: 1.26,
    ...changes,
  };
}

export function queueView(changes: Partial<QueueView> = {}): QueueView {
  return {
    name: "audio/1.0.0/processing",
    isPaused: false,
    weight: 1,
    priority: 0,
    waiting: 17,
    inflight: 2,
    ...changes,
  };
}

/** A pool and queues that do what they are told. */
export class FakeDesk implements ControlDesk {
  all: ExecutorView[] = [
    wepView(),
    wepView({ url: "https://wep-2.example:7070", state: "away", reason: "gone" }),
  ];
  line: QueueView[] = [
    queueView(),
    queueView({ name: "audio/1.0.0/validation", maxInflight: 4, ratePerS: 2.5 }),
  ];
  /** How a ping ends: a round trip, or why there is none. */
  pong: number | Error = 3.21;

  readonly weps: ControlDesk["weps"] = {
    executors: () => this.all,
    setDraining: (url, isDraining) => {
      const known = this.all.some((each) => each.url === url);
      const state = isDraining ? "draining" : "ready";
      this.all = this.all.map((each) => (each.url === url ? { ...each, state } : each));
      return known;
    },
    ping: async () => {
      if (this.pong instanceof Error) throw this.pong;
      return this.pong;
    },
  };

  readonly queues: ControlDesk["queues"] = {
    queues: () => this.line,
    pauseQueue: async (name, isPaused) => {
      const known = this.line.some((each) => each.name === name);
      this.line = this.line.map((each) => (each.name === name ? { ...each, isPaused } : each));
      return known;
    },
  };
}
