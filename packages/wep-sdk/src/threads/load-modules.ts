import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { WepError, type WepErrorCode } from "../errors.ts";
import { type Handler, isHandler } from "../handler.ts";
import { isMiddleware, withMiddleware } from "../middleware.ts";
import { handlerName } from "../handler-registry.ts";

/**
 * Imports modules into this thread and collects the handlers they export: by name,
 * as a list called `handlers`, or as the default export (one or a list). Middleware that
 * a module exports is around its handlers.
 *
 * @param paths absolute
 * @throws {WepError} NO_SUCH_MODULE, BAD_MODULE, NO_HANDLERS or DUPLICATE_HANDLER, naming the file and what to do
 */
export async function loadHandlerModules(paths: readonly string[]): Promise<Handler[]> {
  const owners = new Map<string, string>();
  const handlers: Handler[] = [];
  for (const path of paths) {
    const found = handlersIn(await importModule(path));
    if (found.length === 0) {
      throw refuse("NO_HANDLERS", `${path} exports no handlers; export what defineHandler() returns`);
    }
    for (const handler of found) {
      const name = handlerName(handler);
      const owner = owners.get(name);
      if (owner !== undefined) {
        const files = owner === path ? `twice in ${path}` : `in ${owner} and in ${path}`;
        throw refuse("DUPLICATE_HANDLER", `${name} is defined ${files}; change the kind or version of one`);
      }
      owners.set(name, path);
      handlers.push(handler);
    }
  }
  return handlers;
}

/**
 * Everything with the handler brand, once each: a handler may be exported under several
 * names. What has the middleware brand is around each of them.
 */
function handlersIn(module: Readonly<Record<string, unknown>>): Handler[] {
  const exported = Object.values(module).flatMap((value) =>
    Array.isArray(value) ? (value as unknown[]) : [value],
  );
  const use = [...new Set(exported.filter(isMiddleware))];
  return [...new Set(exported.filter(isHandler))].map((handler) => withMiddleware(handler, use));
}

async function importModule(path: string): Promise<Readonly<Record<string, unknown>>> {
  if (!existsSync(path)) {
    throw refuse(
      "NO_SUCH_MODULE",
      `${path}: no such file; paths are relative to the configuration file, those of --handlers to the working directory`,
    );
  }
  try {
    return (await import(pathToFileURL(path).href)) as Readonly<Record<string, unknown>>;
  } catch (error) {
    throw refuse(
      "BAD_MODULE",
      `${path} cannot be imported: ${describe(error)}; ${adviceFor(error, path)}`,
      error,
    );
  }
}

function adviceFor(error: unknown, path: string): string {
  switch ((error as { code?: unknown } | null)?.code) {
    case "ERR_MODULE_NOT_FOUND":
      return `install what it imports (npm install in ${dirname(path)}), and write relative imports with their extension`;
    case "ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX":
      return "Node strips types and compiles nothing: replace enum, namespace and parameter properties, or compile to JavaScript";
    case "ERR_UNKNOWN_FILE_EXTENSION":
      return "use .js, .mjs or .ts";
    case "ERR_DLOPEN_FAILED":
      return "an addon that cannot be loaded in a thread needs runtime.isolation: none";
    default:
      return error instanceof SyntaxError ? `run "node ${path}" to see the place` : "fix it and start again";
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

function refuse(code: WepErrorCode, message: string, cause?: unknown): WepError {
  return new WepError(code, message, cause === undefined ? {} : { cause });
}
