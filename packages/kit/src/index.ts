export { type Backoff, type BackoffOptions, createBackoff } from "./backoff.ts";
export { type Clock, systemClock } from "./clock.ts";
export {
  createLogger,
  LOG_LEVELS,
  type Logger,
  type LoggerOptions,
  type LogLevel,
  relayLine,
} from "./logger.ts";
export { Counter, createRegistry, Gauge, Histogram, Registry } from "./metrics.ts";
export { listenOps, type OpsServer, type OpsServerDeps, type OpsServerOptions } from "./ops-server.ts";
export { EXIT, runProcess, type RunProcessOptions, StartupError } from "./process.ts";
export { runServices, type Service } from "./service.ts";
