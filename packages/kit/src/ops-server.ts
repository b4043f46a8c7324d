import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Registry } from "prom-client";
import { type EventTap, Tail } from "./tail.ts";

/** Where health and metrics are served. */
export interface OpsServerOptions {
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** 0 picks a free one. */
  readonly port: number;
}

/** What {@link listenOps} serves. */
export interface OpsServerDeps {
  /** Why the process is not ready; empty when it is. Each reason is a sentence. */
  readonly notReady: () => readonly string[];
  readonly metrics: Registry;
  /** Events of the process, for `GET /tail`. Default: none are served. */
  readonly tap?: EventTap;
}

/** The HTTP face of a process for its operator. */
export interface OpsServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
}

/**
 * Serves `GET /healthz` (200 while the event loop turns), `GET /readyz` (200, or
 * 503 with `{"ready":false,"reasons":[...]}`), `GET /metrics` (Prometheus text)
 * and, to readers on this machine, `GET /tail` (NDJSON).
 *
 * @throws when the address cannot be bound
 */
export async function listenOps(options: OpsServerOptions, deps: OpsServerDeps): Promise<OpsServer> {
  const host = options.host ?? "127.0.0.1";
  const { tap } = deps;
  const tail = tap === undefined ? undefined : new Tail((listener) => tap.call(deps, listener));
  const whatThereIs = `try /healthz, /readyz${tail === undefined ? " or /metrics" : ", /metrics or /tail"}`;
  const server = createServer((request, response) => {
    const path = request.url?.split("?", 1)[0];
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.setHeader("allow", "GET, HEAD");
      sendJson(response, 405, { error: "only GET is served here" });
    } else if (path === "/healthz") {
      sendJson(response, 200, { status: "ok" });
    } else if (path === "/readyz") {
      sendReadiness(response, deps.notReady);
    } else if (path === "/metrics") {
      void sendMetrics(response, deps.metrics);
    } else if (path === "/tail" && tail !== undefined) {
      tail.serve(request, response);
    } else {
      sendJson(response, 404, { error: whatThereIs });
    }
  });
  await listen(server, options.port, host);
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://${host.includes(":") ? `[${host}]` : host}:${port}`,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** A check that throws must not take the process with it: that is what the probe is there to find out. */
function sendReadiness(response: ServerResponse, notReady: OpsServerDeps["notReady"]): void {
  try {
    const reasons = notReady();
    sendJson(response, reasons.length === 0 ? 200 : 503, { ready: reasons.length === 0, reasons });
  } catch (error) {
    sendJson(response, 503, { ready: false, reasons: [`the readiness check failed: ${String(error)}`] });
  }
}

async function sendMetrics(response: ServerResponse, metrics: Registry): Promise<void> {
  try {
    const text = await metrics.metrics();
    response.writeHead(200, { "content-type": metrics.contentType }).end(text);
  } catch (error) {
    sendJson(response, 500, { error: String(error) });
  }
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(`${JSON.stringify(body)}\n`);
}
