import { Counter, createRegistry, Gauge, Histogram, type Registry } from "@subnet-worker/kit";
import type { Intent } from "./domain/intent.ts";
import type { ObjectRefusal } from "./domain/object-key.ts";
import type { Task } from "./domain/task.ts";
import type { Transaction } from "./domain/transaction.ts";

/** What the gauges read at scrape time. */
export interface Readings {
  readonly inflight: () => number;
  readonly lane: () => { readonly outstanding: number; readonly queued: number };
  readonly oldestTransactionMs: () => number;
  /** Wei; `undefined` while it is not known. */
  readonly balanceWei: () => bigint | undefined;
  readonly endpoints: () => readonly {
    readonly healthy: boolean;
    readonly latencyMs: number | undefined;
  }[];
  readonly weps: () => {
    readonly connected: number;
    readonly slotsInUse: number;
    readonly slotsFree: number;
    readonly roundTripMs?: number | undefined;
  };
  /** Activities that wait for storage to answer. */
  readonly waitingForStorage: () => number;
}

/** What became of a run's request for an object. */
type StorageGrantEvent =
  | { readonly kind: "granted"; readonly what: string }
  | { readonly kind: "refused"; readonly reason: ObjectRefusal }
  | { readonly kind: "failed" };

/** Everything the WCP counts. Labels are bounded: states, kinds, methods. */
export class Metrics {
  readonly registry: Registry = createRegistry();
  /** By state. Counted here and told when asked: thousands of tasks a second go through several. */
  readonly #transitions = new Map<string, number>();
  readonly #transactions: Counter<"kind" | "outcome">;
  readonly #gas: Counter<"kind">;
  readonly #confirmation: Histogram<"kind">;
  readonly #rpc: Counter<"method" | "outcome">;
  readonly #mined: Counter<"kind">;
  readonly #laneEvents: Counter<"event">;
  readonly #repairs: Counter<"kind">;
  readonly #wepEvents: Counter<"event"> = new Counter({
    name: "wcp_wep_events_total",
    help: "What happened to WEPs: connected, disconnected, lost (away for too long), run_interrupted (lost with its WEP).",
    labelNames: ["event"],
    registers: [this.registry],
  });
  readonly #gasPrice: Gauge;
  readonly #grants: Counter<"kind"> = new Counter({
    name: "wcp_storage_grants_total",
    help: "Requests of runs for objects that were granted, by kind (upload, download, multipart).",
    labelNames: ["kind"],
    registers: [this.registry],
  });
  readonly #refusals: Counter<"reason"> = new Counter({
    name: "wcp_storage_refusals_total",
    help: "Objects that were refused to runs, by reason (bad_name, outside, bad_request, too_many, no_run, no_storage).",
    labelNames: ["reason"],
    registers: [this.registry],
  });
  readonly #grantFailures: Counter = new Counter({
    name: "wcp_storage_failures_total",
    help: "Requests of runs for objects that storage itself did not answer or refused.",
    registers: [this.registry],
  });
  readonly #givenUp: Counter<"what" | "why"> = new Counter({
    name: "wcp_storage_given_up_total",
    help: "Activities that waited for storage for as long as they may: what for (input, result), and why no longer (patience, deadline).",
    labelNames: ["what", "why"],
    registers: [this.registry],
  });
  readonly #checks: Counter<"verdict"> = new Counter({
    name: "wcp_storage_verifications_total",
    help: "Results with objects that were held against storage, by verdict (verified, missing, different, outside, too_large).",
    labelNames: ["verdict"],
    registers: [this.registry],
  });

  constructor() {
    const registers = [this.registry];
    this.#countTransitions();
    this.#transactions = new Counter({
      name: "wcp_transactions_total",
      help: "Transaction intents that ended, by kind (claim, heartbeat, complete, fail, resume) and outcome (mined, reverted, refused, dropped).",
      labelNames: ["kind", "outcome"],
      registers,
    });
    this.#gas = new Counter({
      name: "wcp_gas_used_total",
      help: "Gas paid for, by kind of intent; a batch is shared evenly.",
      labelNames: ["kind"],
      registers,
    });
    this.#confirmation = new Histogram({
      name: "wcp_transaction_duration_seconds",
      help: "From the intent being stored to its receipt.",
      labelNames: ["kind"],
      buckets: [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
      registers,
    });
    this.#rpc = new Counter({
      name: "wcp_rpc_calls_total",
      help: "JSON-RPC calls, by method and outcome (ok, error, unavailable).",
      labelNames: ["method", "outcome"],
      registers,
    });
    this.#mined = new Counter({
      name: "wcp_transactions_mined_total",
      help: "Transactions that a block has, by kind (single, batch, noop, delegation).",
      labelNames: ["kind"],
      registers,
    });
    this.#laneEvents = new Counter({
      name: "wcp_lane_events_total",
      help: "What transactions needed besides being sent: bumped, resent, given_up, displaced, reorged, gap_filled, batch_reverted.",
      labelNames: ["event"],
      registers,
    });
    this.#repairs = new Counter({
      name: "wcp_repairs_total",
      help: "Differences between the database and the chain that were repaired, by kind.",
      labelNames: ["kind"],
      registers,
    });
    this.#gasPrice = new Gauge({
      name: "wcp_effective_gas_price_wei",
      help: "What the last mined transaction paid per gas.",
      registers,
    });
  }

  /** Connects the gauges to what they read. Called once, when everything is built. */
  observe(readings: Readings): void {
    this.#gauge("wcp_tasks_inflight", "Tasks being driven.", readings.inflight);
    this.#gauge(
      "wcp_lane_outstanding",
      "Transactions with a nonce and no receipt.",
      () => readings.lane().outstanding,
    );
    this.#gauge("wcp_wallet_balance_wei", "The wallet's balance; NaN while it is not known.", () =>
      Number(readings.balanceWei() ?? Number.NaN),
    );
    this.#endpoints(readings.endpoints);
    this.#gauge(
      "wcp_lane_oldest_seconds",
      "Age of the oldest transaction that is in no block; 0 without one.",
      () => readings.oldestTransactionMs() / 1_000,
    );
    this.#gauge("wcp_lane_queued", "Intents waiting for a nonce.", () => readings.lane().queued);
    this.#gauge("wcp_weps_connected", "WEPs with a session.", () => readings.weps().connected);
    this.#gauge(
      "wcp_slots_in_use",
      "Slots taken on connected and lost WEPs.",
      () => readings.weps().slotsInUse,
    );
    this.#gauge("wcp_slots_free", "Slots that a claim could use.", () => readings.weps().slotsFree);
    this.#gauge(
      "wcp_storage_waiting",
      "Activities that wait for storage to answer, their leases kept.",
      readings.waitingForStorage,
    );
    this.#gauge(
      "wcp_wep_round_trip_seconds",
      "The longest of the last pings of connected WEPs; NaN before any.",
      () => (readings.weps().roundTripMs ?? Number.NaN) / 1_000,
    );
  }

  /** Tells when the certificate that WEPs are shown ends, where there is one. Called once. */
  observeCertificate(source: { readonly certificateExpiresAtMs: number | undefined }): void {
    if (source.certificateExpiresAtMs === undefined) return;
    this.#gauge(
      "wcp_tls_certificate_expiry_timestamp_seconds",
      "When the certificate ends that WEPs are shown, in Unix time; absent without one.",
      () => (source.certificateExpiresAtMs ?? Number.NaN) / 1_000,
    );
  }

  #countTransitions(): void {
    const transitions = this.#transitions;
    const counter = new Counter<"state">({
      name: "wcp_task_transitions_total",
      help: "Tasks that entered a state: claimed, done, lost, expired ...",
      labelNames: ["state"],
      registers: [],
      collect() {
        this.reset();
        for (const [state, count] of transitions) this.inc({ state }, count);
      },
    });
    this.registry.registerMetric(counter);
  }

  onTaskState(task: Task): void {
    const { kind } = task.state;
    this.#transitions.set(kind, (this.#transitions.get(kind) ?? 0) + 1);
  }

  onIntent(intent: Intent, nowMs: number): void {
    const { kind, state } = intent;
    this.#transactions.inc({ kind, outcome: state.kind });
    if (state.kind !== "mined" && state.kind !== "reverted") return;
    this.#gas.inc({ kind }, Number(state.receipt.gasUsed));
    this.#confirmation.observe({ kind }, (nowMs - intent.createdAtMs) / 1_000);
  }

  onTransaction({ kind, state }: Transaction): void {
    this.#mined.inc({ kind });
    if ("receipt" in state) this.#gasPrice.set(Number(state.receipt.effectiveGasPriceWei));
  }

  onLaneEvent(event: string): void {
    this.#laneEvents.inc({ event });
  }

  onRepair(kind: string): void {
    this.#repairs.inc({ kind });
  }

  onWepEvent(event: string): void {
    this.#wepEvents.inc({ event });
  }

  onGrant(event: StorageGrantEvent): void {
    if (event.kind === "granted") this.#grants.inc({ kind: event.what });
    else if (event.kind === "refused") this.onStorageRefusal(event.reason);
    else this.#grantFailures.inc();
  }

  onStorageRefusal(reason: ObjectRefusal): void {
    this.#refusals.inc({ reason });
  }

  onStorageGivenUp(what: string, why: string): void {
    this.#givenUp.inc({ what, why });
  }

  onResultChecked(verdict: string): void {
    this.#checks.inc({ verdict });
  }

  onRpcCall(method: string, outcome: string): void {
    this.#rpc.inc({ method, outcome });
  }

  /** By position in `ethereum.rpc_url`: the URLs may hold keys. */
  #endpoints(read: Readings["endpoints"]): void {
    const registers = [this.registry];
    const labelNames = ["endpoint"] as const;
    const latency: Gauge<"endpoint"> = new Gauge({
      name: "wcp_rpc_endpoint_latency_seconds",
      help: "Moving average of an endpoint's answers, by its position in ethereum.rpc_url.",
      labelNames,
      registers,
    });
    const up: Gauge<"endpoint"> = new Gauge({
      name: "wcp_rpc_endpoint_up",
      help: "1 for an endpoint that is used, 0 for one that is left alone for now, by its position in ethereum.rpc_url.",
      labelNames,
      registers,
      collect: () => {
        for (const [index, { healthy, latencyMs }] of read().entries()) {
          up.set({ endpoint: String(index) }, healthy ? 1 : 0);
          if (latencyMs !== undefined) latency.set({ endpoint: String(index) }, latencyMs / 1_000);
        }
      },
    });
  }

  #gauge(name: string, help: string, read: () => number): void {
    const gauge: Gauge = new Gauge({
      name,
      help,
      registers: [this.registry],
      collect: () => gauge.set(read()),
    });
  }
}
