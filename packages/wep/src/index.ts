export { type App, compose, type Overrides } from "./compose.ts";
export { type Config, type ConfigInput, readConfig } from "./config.ts";
export { loadHandlers } from "./handler-modules.ts";
