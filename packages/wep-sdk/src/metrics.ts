import { Counter, Gauge, Histogram, type Registry } from "@subnet-worker/kit";

/** What the gauges read when they are scraped. */
export interface MetricSources {
  readonly slots: () => { readonly busy: number; readonly free: number };
  /** The same by class; empty where there are no classes. */
  readonly classSlots: () => readonly ClassSlots[];
  readonly streams: () => number;
  readonly unacknowledged: () => number;
  /** `undefined` where no handler runs in a thread. */
  readonly threads: (() => ThreadCounts) | undefined;
}

export interface ThreadCounts {
  readonly busy: number;
  readonly idle: number;
  /** By cause, since the beginning; causes without any are there too. */
  readonly losses: ReadonlyMap<string, number>;
}

export interface ClassSlots {
  readonly name: string;
  readonly busy: number;
  readonly free: number;
}

export interface RunMetrics {
  /** One run got its outcome. */
  runEnded(run: { readonly kind: string; readonly status: string; readonly durationMs: number }): void;
}

/** Registers the metrics of a server. */
export function createWepMetrics(registry: Registry, sources: MetricSources): RunMetrics {
  const registers = [registry];
  const runs = new Counter({
    name: "wep_runs_total",
    help: "Runs that got their outcome, by kind and status (SUCCESS, SKIPPED, or the name of the error code).",
    labelNames: ["kind", "status"],
    registers,
  });
  const durations = new Histogram({
    name: "wep_run_duration_seconds",
    help: "Time from the start of a run to its outcome.",
    labelNames: ["kind"],
    buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 600, 1800],
    registers,
  });
  registerGauges(registers, sources);
  if (sources.threads !== undefined) registerThreads(registers, sources.threads);
  // Looking up labels costs more than counting, and there are few of them.
  const counted = memo((kind) => memo((status) => runs.labels({ kind, status })));
  const timed = memo((kind) => durations.labels({ kind }));
  return {
    runEnded({ kind, status, durationMs }) {
      counted(kind)(status).inc();
      timed(kind).observe(durationMs / 1_000);
    },
  };
}

/** Tells when the certificate that worker clients are shown ends, where there is one. */
export function registerCertificate(
  registry: Registry,
  source: { readonly certificateExpiresAtMs: number | undefined },
): void {
  if (source.certificateExpiresAtMs === undefined) return;
  void new Gauge({
    name: "wep_tls_certificate_expiry_timestamp_seconds",
    help: "When the certificate ends that worker clients are shown, in Unix time; absent without TLS.",
    registers: [registry],
    collect() {
      this.set((source.certificateExpiresAtMs ?? Number.NaN) / 1_000);
    },
  });
}

function registerGauges(registers: Registry[], sources: MetricSources): void {
  void new Gauge({
    name: "wep_slots",
    help: "Slots for runs, by state: busy or free. None is free while draining.",
    labelNames: ["state"],
    registers,
    collect() {
      const { busy, free } = sources.slots();
      this.set({ state: "busy" }, busy);
      this.set({ state: "free" }, free);
    },
  });
  void new Gauge({
    name: "wep_class_slots",
    help: "Slots for runs by class of work (cpu, gpu, io) and state: busy or free.",
    labelNames: ["class", "state"],
    registers,
    collect() {
      for (const { name, busy, free } of sources.classSlots()) {
        this.set({ class: name, state: "busy" }, busy);
        this.set({ class: name, state: "free" }, free);
      }
    },
  });
  void new Gauge({
    name: "wep_streams",
    help: "Worker clients connected; 0 means nobody sends work.",
    registers,
    collect() {
      this.set(sources.streams());
    },
  });
  void new Gauge({
    name: "wep_completions_unacknowledged",
    help: "Completions kept because no worker client has acknowledged them.",
    registers,
    collect() {
      this.set(sources.unacknowledged());
    },
  });
}

function registerThreads(registers: Registry[], read: () => ThreadCounts): void {
  void new Gauge({
    name: "wep_handler_threads",
    help: "Threads that run handlers, by state: busy or idle.",
    labelNames: ["state"],
    registers,
    collect() {
      const { busy, idle } = read();
      this.set({ state: "busy" }, busy);
      this.set({ state: "idle" }, idle);
    },
  });
  void new Counter({
    name: "wep_handler_threads_lost_total",
    help: "Threads that ended otherwise than being let go, by cause: forced (its handler ignored its signal), exit (process.exit), exception, out_of_memory, unusable (the modules could not be loaded again).",
    labelNames: ["cause"],
    registers,
    collect() {
      this.reset();
      for (const [cause, count] of read().losses) this.inc({ cause }, count);
    },
  });
}

function memo<T>(make: (name: string) => T): (name: string) => T {
  const made = new Map<string, T>();
  return (name) => {
    const known = made.get(name);
    if (known !== undefined) return known;
    const value = make(name);
    made.set(name, value);
    return value;
  };
}
