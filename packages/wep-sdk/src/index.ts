/**
 * Write handlers for a subnet worker node: `@subnet-worker/wep-sdk`.
 *
 * @module wep-sdk
 */
export {
  type Activity,
  type ActivityDefinition,
  type ActivityParam,
  defineActivity,
  isActivity,
} from "./activity.ts";
export type { ProgressOptions, RunContext, UploadBody, UploadedObject, UploadOptions } from "./context.ts";
export {
  CancelledError,
  type CancelReason,
  isCancelledError,
  isRetryableError,
  isTerminalError,
  RetryableError,
  type RetryableErrorOptions,
  type TaskErrorName,
  TerminalError,
  type TerminalErrorOptions,
  WepError,
  type WepErrorCode,
} from "./errors.ts";
export { currentRun, maybeCurrentRun } from "./current-run.ts";
export {
  type ActivityHandler,
  defineHandler,
  type Handler,
  type HandlerDefinition,
  type HandlerWork,
  isHandler,
  type SchemaHandlerDefinition,
} from "./handler.ts";
export {
  defineMiddleware,
  isMiddleware,
  type Middleware,
  type MiddlewareRun,
  type Next,
} from "./middleware.ts";
export type {
  SchemaInput,
  SchemaIssue,
  SchemaOutput,
  SchemaResult,
  StandardSchema,
} from "./standard-schema.ts";
export {
  createInputFile,
  DEFAULT_MAX_BYTES,
  type InputFile,
  isInputFile,
  type ReadOptions,
  type TransferProgress,
} from "./input-file.ts";
export type { InputValue, ObjectOutput, OutputValue } from "./values.ts";
export { TASK_ERROR, type TaskErrorCode } from "@subnet-worker/protocol/task-error";
export type {
  HandlerCounter,
  HandlerGauge,
  HandlerHistogram,
  HandlerMetrics,
  HistogramOptions,
  MetricOptions,
} from "./handler-metrics.ts";
export { retry, type RetryOptions, type RetryPolicy } from "./retry.ts";
export { serve } from "./serve.ts";
export type { HandlerInfo, HealthOptions, ServeOptions, TlsOptions, WepServer } from "./server-options.ts";
export type { EnvelopeEvent } from "./envelope-log.ts";
export type { ClassOptions, WorkClass } from "./classes.ts";
export type { SettingsOptions, Tuning } from "./settings.ts";
export { loadHandlerModules } from "./threads/load-modules.ts";
export type { ThreadOptions } from "./threads/thread-pool.ts";
export type { TransferSettings } from "./transfer-retry.ts";
export type { Logger } from "@subnet-worker/kit";
