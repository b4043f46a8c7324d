import type { ServeOptions, WepServer } from "./server-options.ts";

/**
 * Serves handlers to worker clients, as gRPC on `host:port`.
 *
 * @throws {WepError} DUPLICATE_HANDLER, INVALID_HANDLER, INVALID_OPTION, ADDRESS_IN_USE or ADDRESS_UNUSABLE;
 *   NO_SUCH_MODULE, BAD_MODULE or NO_HANDLERS for `modules`
 * @example
 * ```ts
 * import { defineHandler, serve } from "@subnet-worker/wep-sdk";
 *
 * const greet = defineHandler<{ name: string }>({
 *   kind: "demo.greet",
 *   version: "1.0.0",
 *   run: ({ name }) => ({ greeting: `Hello, ${name}` }),
 * });
 * await using server = await serve({ handlers: [greet], port: 0, health: false });
 * console.log(server.address.port);
 * ```
 */
export async function serve(options: ServeOptions): Promise<WepServer> {
  // Modules of handlers import this package too, in each thread, and none of them serves.
  const server = await import("./server.ts");
  return await server.serve(options);
}
