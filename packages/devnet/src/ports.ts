import { createServer, type Server } from "node:net";
import { DevnetError } from "./errors.ts";

const HOST = "127.0.0.1";
const TRIES = 200;
// A guard holds the port this far above the reserved one. Both ends stay below
// the range from which systems hand out ports for outgoing connections.
const GUARD_OFFSET = 20_000;

/** The default port of each listener, as in the documentation of the node. */
export const DEFAULT_PORTS = {
  wep: 7070,
  wepHealth: 7071,
  wcpAdmin: 7080,
  chain: 8545,
  store: 9100,
  storageApi: 9101,
} as const;

type PortName = keyof typeof DEFAULT_PORTS;
/** Which part listens on which port. */
export type Ports = Readonly<Record<PortName, number>>;

/** Ports that no other devnet takes until this is disposed of. */
export interface PortReservation extends AsyncDisposable {
  readonly ports: Ports;
  /** The defaults that were taken. */
  readonly replaced: readonly { readonly name: PortName; readonly wanted: number; readonly got: number }[];
}

/**
 * Picks a free loopback port for each name: the default one, or else the next
 * free one above it.
 *
 * Invariant: between this call and disposal no two reservations on the machine
 * share a port, also when both began at the same moment. A probe cannot give
 * that, since the port is free again until the child has bound it; so each
 * reservation listens on a guard port next to it, and the system lets only one
 * process do so and lets go of it when that process dies.
 *
 * @throws {DevnetError} `NO_PORT`
 */
export async function reservePorts(defaults: Ports = DEFAULT_PORTS): Promise<PortReservation> {
  await using stack = new AsyncDisposableStack();
  const others = new Set<number>(Object.values(defaults));
  const ports: Partial<Record<PortName, number>> = {};
  const replaced: PortReservation["replaced"][number][] = [];
  for (const [name, wanted] of Object.entries(defaults) as [PortName, number][]) {
    const got = await reserveFrom(wanted, others, stack);
    others.add(got);
    ports[name] = got;
    if (got !== wanted) replaced.push({ name, wanted, got });
  }
  const guards = stack.move();
  return { ports: ports as Ports, replaced, [Symbol.asyncDispose]: () => guards.disposeAsync() };
}

async function reserveFrom(
  wanted: number,
  others: ReadonlySet<number>,
  stack: AsyncDisposableStack,
): Promise<number> {
  for (let port = wanted; port < wanted + TRIES; port += 1) {
    if (port !== wanted && others.has(port)) continue;
    const guard = await tryListen(port + GUARD_OFFSET);
    if (guard === undefined) continue;
    const probe = await tryListen(port);
    if (probe !== undefined) {
      stack.use(guard);
      await probe[Symbol.asyncDispose]();
      return port;
    }
    await guard[Symbol.asyncDispose]();
  }
  throw new DevnetError(
    "NO_PORT",
    `No free port from ${wanted} to ${wanted + TRIES - 1}; stop something that listens there.`,
  );
}

/** `undefined` when the port is taken. */
async function tryListen(port: number): Promise<Server | undefined> {
  const server = createServer((socket) => socket.destroy());
  const { promise, resolve, reject } = Promise.withResolvers<Server | undefined>();
  server.once("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EADDRINUSE" || error.code === "EACCES") resolve(undefined);
    else reject(error);
  });
  server.listen(port, HOST, () => resolve(server));
  return promise;
}
