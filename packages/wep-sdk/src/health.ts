import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { Execution } from "@subnet-worker/protocol";
import { type Health, ServingStatus } from "@subnet-worker/protocol/grpc";

export interface HealthDeps {
  /** Why nothing is taken now; empty when all is well. */
  readonly notReady: () => readonly string[];
  /** Calls `listener` whenever that may have changed, until disposed. */
  readonly onReadiness: (listener: () => void) => Disposable;
  /** Aborts when the server closes. */
  readonly closing: AbortSignal;
}

/** The server as a whole, and the one service that has a health of its own. */
const SERVICES: ReadonlySet<string> = new Set(["", Execution.typeName]);

/** grpc.health.v1: what load balancers and probes ask. NOT_SERVING while the server drains. */
export function createHealth({ notReady, onReadiness, closing }: HealthDeps): ServiceImpl<typeof Health> {
  const statusOf = (service: string) => {
    if (!SERVICES.has(service)) return ServingStatus.SERVICE_UNKNOWN;
    return notReady().length === 0 ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
  };
  return {
    check({ service }) {
      const status = statusOf(service);
      if (status !== ServingStatus.SERVICE_UNKNOWN) return { status };
      throw new ConnectError(`no service ${service} here; ask for ${Execution.typeName}`, Code.NotFound);
    },
    async *watch({ service }, { signal }) {
      const ended = AbortSignal.any([signal, closing]);
      let told: ServingStatus | undefined;
      while (!ended.aborted) {
        // Listening before looking: a change in between would be missed.
        using changed = nextChange(onReadiness, ended);
        const status = statusOf(service);
        if (status !== told) yield { status };
        told = status;
        if (statusOf(service) === told) await changed.promise;
      }
      if (closing.aborted) throw new ConnectError("the server closes", Code.Unavailable);
    },
  };
}

function nextChange(
  onReadiness: HealthDeps["onReadiness"],
  ended: AbortSignal,
): Disposable & { readonly promise: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = () => resolve();
  const listener = onReadiness(done);
  ended.addEventListener("abort", done, { once: true });
  return {
    promise,
    [Symbol.dispose]() {
      listener[Symbol.dispose]();
      ended.removeEventListener("abort", done);
    },
  };
}
