/**
 * The operator's way into the running node: JSON over HTTP on a Unix socket.
 *
 *  C1  Only the owner of the process can reach it: the socket is made with mode 0600, and never has another.
 *  C2  A socket that a dead process left behind is replaced; one that answers never is.
 */
import { lstatSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { connect } from "node:net";
import { EXIT, type Logger, StartupError } from "@subnet-worker/kit";
import type { ControlDesk } from "./desk.ts";
import { answer } from "./routes.ts";

export interface ControlServer extends AsyncDisposable {
  readonly path: string;
}

/** Bytes that `sockaddr_un` has for a path, its final zero left out. */
const LONGEST_PATH_BYTES = process.platform === "darwin" ? 103 : 107;
const PRIVATE_UMASK = 0o177;
const REQUEST_TIMEOUT_MS = 10_000;

/**
 * Serves the control socket at `path`, until disposed.
 *
 * @throws {StartupError} exit code 78 for a path that cannot be used, 75 while another process serves it
 */
export async function listenControl(
  path: string,
  desk: ControlDesk,
  deps: { readonly logger: Logger },
): Promise<ControlServer> {
  refuseLongPath(path);
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
    void serve(request, response, { ...deps, desk });
  });
  try {
    await listen(server, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw unusable(path, error);
    await removeStale(path);
    await listen(server, path).catch((second: unknown) => {
      throw unusable(path, second);
    });
  }
  return {
    path,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

function refuseLongPath(path: string): void {
  const length = Buffer.byteLength(path);
  if (length <= LONGEST_PATH_BYTES) return;
  throw new StartupError(
    EXIT.badConfig,
    `control.socket: ${path} has ${length} bytes, and this system takes ${LONGEST_PATH_BYTES} for a Unix socket; set control.socket to a shorter path, such as /run/user/${process.getuid?.() ?? 1_000}/wcp.sock`,
  );
}

/** C1: the mask holds while the socket is made, which happens before `listen` returns. */
function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    const before = process.umask(PRIVATE_UMASK);
    try {
      server.listen(path, () => {
        server.off("error", reject);
        resolve();
      });
    } finally {
      process.umask(before);
    }
  });
}

/** C2. @throws {StartupError} when somebody answers, or something else has the name */
async function removeStale(path: string): Promise<void> {
  if (!lstatSync(path, { throwIfNoEntry: false })?.isSocket()) {
    throw new StartupError(
      EXIT.badConfig,
      `control.socket: ${path} is there and is no socket; set control.socket to a path of its own, or move that file away`,
    );
  }
  if (await isServed(path)) {
    throw new StartupError(
      EXIT.tryLater,
      `control.socket: another process serves ${path}; stop that one first, or set control.socket to a path of its own for each node`,
    );
  }
  rmSync(path, { force: true });
}

function isServed(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ECONNREFUSED" || error.code === "ENOENT") resolve(false);
      else reject(unusable(path, error));
    });
  });
}

function unusable(path: string, error: unknown): StartupError {
  const reason = error instanceof Error ? error.message : String(error);
  return new StartupError(
    EXIT.badConfig,
    `control.socket: ${path} cannot be made (${reason}); set control.socket to a path in a folder that this user may write`,
    { cause: error },
  );
}

interface ServeDeps {
  readonly desk: ControlDesk;
  readonly logger: Logger;
}

async function serve(request: IncomingMessage, response: ServerResponse, deps: ServeDeps): Promise<void> {
  const { method = "GET", url = "/" } = request;
  request.resume(); // no request has a body that counts
  try {
    const { status, body } = await answer(deps.desk, { method, path: url.split("?", 1)[0] ?? "/" });
    if (method === "POST" && status === 200) deps.logger.info({ request: url }, "the operator asked");
    send(response, status, body);
  } catch (error) {
    deps.logger.error({ request: url, err: error }, "a request of the operator failed");
    send(response, 500, { error: "the node failed at this; its log says why" });
  }
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(`${JSON.stringify(body)}\n`);
}
