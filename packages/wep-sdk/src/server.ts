import { randomUUID } from "node:crypto";
import type { Envelope } from "@subnet-worker/protocol";
import {
  type Clock,
  createRegistry,
  listenOps,
  type Logger,
  type OpsServer,
  type Registry,
  systemClock,
} from "@subnet-worker/kit";
import { type EnvelopeEvent, EnvelopeLog } from "./envelope-log.ts";
import { createHandlerMetricSink } from "./handler-metric-sink.ts";
import { MetricNames } from "./handler-metrics.ts";
import { HandlerRegistry } from "./handler-registry.ts";
import { createWepMetrics, registerCertificate, type ThreadCounts } from "./metrics.ts";
import { listenError } from "./listen-error.ts";
import { listenRpc, type RpcServerOptions } from "./rpc-server.ts";
import { RunTable } from "./run-table.ts";
import { Session, type SessionDeps, type Transport } from "./session.ts";
import type { HealthOptions, ServeOptions, WepServer } from "./server-options.ts";
import { resolveSettings, type Settings } from "./settings.ts";
import { infosOf } from "./threads/handler-info.ts";
import { type CompleteOptions, withModules } from "./threads/serve-modules.ts";
import type { ThreadPool } from "./threads/thread-pool.ts";
import { AGENT } from "./version.ts";

/** What {@link serve} of serve.ts does, once it is asked to. */
export async function serve(options: ServeOptions): Promise<WepServer> {
  const { host = "127.0.0.1", port = 7070, health = { port: 7071 } } = options;
  await using stack = new AsyncDisposableStack();
  const all = await withModules(options, stack);
  const node = new Node(all);
  const ops = health === false ? undefined : stack.use(await listenHealth(health, node));
  const rpc = stack.use(await listenRpc({ host, port, ...node.transport }, node));
  registerCertificate(node.metrics, rpc);
  stack.use(node);
  const owned = stack.move();
  return {
    address: rpc.address,
    handlers: infosOf(all.handlers),
    healthUrl: ops?.url,
    drain: () => node.drain(),
    tap: (listener) => node.tap(listener),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function listenHealth(health: HealthOptions, node: Node): Promise<OpsServer> {
  try {
    return await listenOps(health, node);
  } catch (error) {
    throw listenError(error, `${health.host ?? "127.0.0.1"}:${health.port}`);
  }
}

/** What a server is made of, apart from its sockets. */
class Node implements AsyncDisposable {
  readonly log: Logger;
  readonly metrics: Registry;
  readonly #settings: Settings;
  readonly #clock: Clock;
  readonly #handlers: HandlerRegistry;
  readonly #runs: RunTable;
  readonly #identity = { instanceId: randomUUID(), agent: AGENT };
  readonly #sessions = new Set<Session>();
  readonly #envelopes: EnvelopeLog;
  readonly transport: Omit<RpcServerOptions, "host" | "port">;
  #drained: Promise<void> | undefined;

  constructor(options: CompleteOptions) {
    this.log = options.logger;
    this.metrics = options.metrics ?? createRegistry();
    this.#settings = resolveSettings(options);
    this.#clock = options.clock ?? systemClock;
    this.#envelopes = new EnvelopeLog({ log: this.log, clock: this.#clock });
    const { tls, allowPlaintext = false, pool } = options;
    const { maxMessageBytes } = this.#settings;
    this.transport = { allowPlaintext, maxMessageBytes, ...(tls === undefined ? {} : { tls }) };
    this.#handlers = new HandlerRegistry(options.handlers);
    const metrics = createWepMetrics(this.metrics, {
      slots: () => ({ busy: this.#runs.busySlots, free: this.#runs.freeSlots }),
      classSlots: () => this.#runs.classSlots,
      streams: () => [...this.#sessions].filter((session) => session.isOpen).length,
      unacknowledged: () => this.#runs.unacknowledged,
      threads: pool === undefined ? undefined : () => threadCounts(pool),
    });
    const handlerMetrics = {
      names: new MetricNames(),
      sink: createHandlerMetricSink(this.metrics, this.log),
    };
    this.#runs = new RunTable({ ...this.#parts, metrics, handlerMetrics });
  }

  readonly notReady = (): string[] => [
    ...(this.#runs.isDraining ? ["draining: no new assignments are taken"] : []),
    ...(this.#handlers.isEmpty ? ["no handlers are registered"] : []),
  ];

  readonly onReadiness = (listener: () => void): Disposable => {
    // Runs come and go by the thousand, and readiness hangs on draining alone.
    let wasDraining = this.#runs.isDraining;
    return this.#runs.onChange(() => {
      if (this.#runs.isDraining === wasDraining) return;
      wasDraining = this.#runs.isDraining;
      listener();
    });
  };

  readonly onStream = (requests: AsyncIterable<Envelope>, transport: Transport): AsyncIterable<Envelope> => {
    const session = new Session(this.#sessionDeps, transport);
    this.#sessions.add(session);
    void session.closed.then(() => this.#sessions.delete(session));
    return session.serve(requests);
  };

  tap(listener: (event: EnvelopeEvent) => void): Disposable {
    return this.#envelopes.add(listener);
  }

  drain(graceMs: number = this.#settings.shutdownGraceMs): Promise<void> {
    this.#drained ??= this.#drain(graceMs);
    return this.#drained;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain(0);
    const sessions = [...this.#sessions];
    for (const session of sessions) session.end();
    // Each is closed or reset within its farewell.
    await Promise.all(sessions.map((session) => session.closed));
  }

  get #sessionDeps(): SessionDeps {
    const onOpen = (session: Session) => this.#doubtOlder(session);
    return { ...this.#parts, runs: this.#runs, identity: this.#identity, envelopes: this.#envelopes, onOpen };
  }

  #doubtOlder(newest: Session): void {
    if (newest.nodeId === "") return;
    for (const other of this.#sessions) {
      if (other !== newest && other.nodeId === newest.nodeId) other.doubt();
    }
  }

  get #parts() {
    return { handlers: this.#handlers, settings: this.#settings, clock: this.#clock, log: this.log };
  }

  async #drain(graceMs: number): Promise<void> {
    const runs = this.#runs;
    const isQuiet = () => runs.openRuns === 0;
    runs.beginDrain();
    for (const session of this.#sessions) session.sendDrain("this worker shuts down");
    this.log.info({ grace_ms: graceMs, running: runs.openRuns }, "draining");
    await runs.waitUntil(isQuiet, graceMs);
    runs.stopAll("drain");
    // Every run settles within the abort grace, whatever its handler does.
    await runs.waitUntil(isQuiet, this.#settings.abortGraceMs + 1_000);
    // Who gives no grace waits for nobody who is away.
    await this.#deliver({ waitsForAway: graceMs > 0 });
    this.log.info({ unacknowledged: runs.unacknowledged }, "drained");
  }

  /** Resolves when every peer has the outcomes it is owed, or has had its time to take them. */
  async #deliver({ waitsForAway }: { readonly waitsForAway: boolean }): Promise<void> {
    const runs = this.#runs;
    const { ackWaitMs, returnWaitMs } = this.#settings;
    const startMs = this.#clock.monotonicMs();
    const present = [...this.#sessions].filter((session) => session.isOpen);
    const isAwaited = () =>
      runs.awaitsAcknowledgement(this.#sessions) || (waitsForAway && runs.isOwingToNode());
    await runs.waitUntil(() => !isAwaited(), ackWaitMs);
    if (!waitsForAway) return;
    // Who was here all the time and acknowledged nothing will not. A stream that is down just now comes back.
    const silent = new Set(present.filter((session) => session.isOpen).map(({ nodeId }) => nodeId));
    const leftMs = Math.max(0, returnWaitMs - (this.#clock.monotonicMs() - startMs));
    await runs.waitUntil(() => !runs.isOwingToNode(silent), leftMs);
  }
}

function threadCounts({ counts: { all, idle }, losses }: ThreadPool): ThreadCounts {
  return { busy: all - idle, idle, losses };
}
