/**
 * Run handlers in tests, without a worker: `@subnet-worker/wep-sdk/testing`.
 *
 * @module wep-sdk/testing
 */
export { FakeClock, type FakeClockOptions } from "@subnet-worker/kit/fake-clock";
export type { TestContent } from "./memory-store.ts";
export { type ReplayOptions, replayRun } from "./replay-run.ts";
export { runHandler, type RunHandlerOptions, type RunningTest } from "./run-handler.ts";
export type { TestLogLine, TestProgress } from "./test-host.ts";
export type { ActivityInputs, ActivityOutputs, PlainInputs, PlainOutputs } from "./test-inputs.ts";
export type { TestError, TestMetric, TestRun, TestUpload } from "./test-run.ts";
