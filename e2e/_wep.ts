import { once } from "node:events";
import { createServer, type ServerHttp2Session } from "node:http2";
import { createServer as createTcpServer, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { type Envelope, envelope, Execution, type Version } from "@subnet-worker/protocol";
import { programArgs, startProcess, type TestProcess } from "./_process.ts";

export interface WepProcess extends TestProcess {
  /** Where health is served; waits until it says. */
  healthUrl(): Promise<string>;
}

/** Runs `wep` with a module of handlers on a port. */
export async function startWep(options: {
  readonly handlers: string;
  readonly port: number;
  readonly env?: Readonly<Record<string, string>>;
}): Promise<WepProcess> {
  const { handlers, port, env = {} } = options;
  const args = ["run", "--handlers", handlers, "--port", String(port), "--health-port", "0"];
  const wep = await startProcess({
    command: process.execPath,
    args: [...programArgs("wep"), ...args],
    env,
    cwd: tmpdir(), // no wep.yaml there
  });
  return {
    ...wep,
    async healthUrl() {
      const line = await wep.find("the WEP to listen", ({ msg }) => msg === "wep listening");
      return String(line["health_url"]);
    },
  };
}

/** The same as it is installed, compiled: from its sources a process takes some 20 MB more. One run at a time. */
export async function startBuiltWep(options: {
  readonly handlers: string;
  readonly env?: Readonly<Record<string, string>>;
}): Promise<TestProcess> {
  const { handlers, env = {} } = options;
  const project = fileURLToPath(new URL(".", import.meta.resolve("@subnet-worker/wep/package.json")));
  const compiler = fileURLToPath(import.meta.resolve("typescript/package.json"));
  const tsc = join(dirname(compiler), "bin", "tsc");
  await using build = await startProcess({ command: process.execPath, args: [tsc, "-b", project], env: {} });
  if ((await build.ended) !== 0) throw new Error(`the WEP cannot be built:\n${build.stdout()}`);
  const args = [`${project}dist/main.js`, "run", "--handlers", handlers, "--port", "0", "--health-port", "0"];
  return await startProcess({
    command: process.execPath,
    args,
    env: { WEP__RUNTIME__MAX_CONCURRENCY: "1", ...env },
    cwd: tmpdir(), // no wep.yaml there
  });
}

/** Something that a WCP dials and that is no WEP of ours. */
export interface Impostor extends AsyncDisposable {
  readonly url: string;
  /** How often it was dialled. */
  tries(): number;
}

/** A WEP of which each answer is written down by the test. */
export interface ScriptedWep extends Impostor {
  /** The hellos it got. */
  readonly hellos: readonly Version[];
}

/** Serves `answers` to the first message of every stream, then keeps the stream open until the peer ends it. */
export async function startScriptedWep(
  answers: (hello: Version) => readonly Envelope[],
  port = 0,
): Promise<ScriptedWep> {
  const hellos: Version[] = [];
  async function* taskStream(requests: AsyncIterable<Envelope>): AsyncGenerator<Envelope> {
    for await (const { msg } of requests) {
      if (msg.case !== "hello") continue;
      hellos.push(msg.value);
      yield* answers(msg.value);
    }
  }
  const server = createServer(
    connectNodeAdapter({ routes: (router) => router.service(Execution, { taskStream }) }),
  );
  const sessions = new Set<ServerHttp2Session>();
  server.on("session", (session) => sessions.add(session));
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    hellos,
    tries: () => hellos.length,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      for (const session of sessions) session.destroy();
      await closed;
    },
  };
}

/** The answer of a WEP that speaks these versions only. */
export function helloAck(min: string, max: string): Envelope {
  return envelope("helloAck", { min, max });
}

/** Something that listens and is no WEP: it answers every connection with `bytes`. */
export async function startGarbageServer(bytes: string, port = 0): Promise<Impostor> {
  const sockets: Socket[] = [];
  const server = createTcpServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => {}); // a reset by the peer is what this provokes
    socket.write(bytes);
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    tries: () => sockets.length,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
