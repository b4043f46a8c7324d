import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { type Clock, systemClock } from "../clock.ts";
import { EgressError } from "./egress-error.ts";
import { exchange } from "./exchange.ts";
import {
  checkAddresses,
  checkTarget,
  type EgressPolicy,
  type EgressRules,
  hostOf,
  parsePolicy,
  shownUrl,
} from "./policy.ts";
import { nextRequest } from "./redirect.ts";

/** A request. Headers that belong to the connection (`host`, `content-length`, `connection` ...) are made anew. */
export interface EgressRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array;
}

/** A response, whole. */
export interface EgressResponse {
  readonly status: number;
  /** As they came, in their order. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** As it was on the wire: compressed, where `content-encoding` says so. */
  readonly body: Uint8Array;
}

/** Makes requests for programs that are not trusted. */
export interface Egress {
  /**
   * Sends a request and gives the whole response, whatever its status.
   *
   * @throws {EgressError} with any of its codes
   */
  send(request: EgressRequest, signal?: AbortSignal): Promise<EgressResponse>;
}

/** One address of a host. */
export interface ResolvedAddress {
  readonly address: string;
  readonly family: number;
}

/** What an {@link Egress} has from outside. */
export interface EgressDeps {
  /** Default: the system's clock. */
  readonly clock?: Clock;
  /** All addresses of a name. Default: the system's resolver. */
  readonly resolve?: (hostname: string) => Promise<readonly ResolvedAddress[]>;
  /** Certificates of authorities in PEM, instead of those that Node trusts. */
  readonly certificateAuthorities?: readonly string[];
}

/**
 * Makes a client of HTTP for requests of untrusted programs: only hosts, ports, schemes and methods of the policy, and
 * only public addresses unless their network is granted. A name is resolved once for each request, and the connection
 * goes to the addresses that were checked, so that a name cannot lead elsewhere in between. Redirects are requests of
 * their own.
 *
 * @throws {EgressError} `BAD_REQUEST` when the policy makes no sense
 * @example
 *   const egress = createEgress({ policy: { hosts: ["api.example.org"] } });
 *   const response = await egress.send({ method: "GET", url: "https://api.example.org/", headers: [], body: none });
 */
export function createEgress({ policy }: { readonly policy: EgressPolicy }, deps: EgressDeps = {}): Egress {
  const rules = parsePolicy(policy);
  const clock = deps.clock ?? systemClock;
  const parts = { rules, deps };
  return {
    send: async (request, signal) => {
      const time = new AbortController();
      using _timer = clock.timer(rules.timeMs, () => time.abort());
      const both = signal === undefined ? time.signal : AbortSignal.any([time.signal, signal]);
      try {
        return await follow(parts, request, both);
      } catch (error) {
        throw whyStopped(error, {
          request,
          isTimeUp: time.signal.aborted,
          isCancelled: signal?.aborted === true,
        });
      }
    },
  };
}

interface Parts {
  readonly rules: EgressRules;
  readonly deps: EgressDeps;
}

async function follow(parts: Parts, first: EgressRequest, signal: AbortSignal): Promise<EgressResponse> {
  const { maxRedirects } = parts.rules;
  let request = first;
  for (let left = maxRedirects; ; left -= 1) {
    signal.throwIfAborted();
    const response = await sendOnce(parts, request, signal);
    const next = maxRedirects === 0 ? undefined : nextRequest(request, response);
    if (next === undefined) return response;
    if (left === 0) {
      throw new EgressError("TOO_MANY_REDIRECTS", {
        url: shown(request.url),
        message: `More than ${maxRedirects} redirects, the last from ${shown(request.url)}; ask for the last place at once`,
      });
    }
    request = next;
  }
}

async function sendOnce(parts: Parts, request: EgressRequest, signal: AbortSignal): Promise<EgressResponse> {
  const { rules, deps } = parts;
  if (!URL.canParse(request.url)) {
    throw new EgressError("BAD_REQUEST", {
      url: "",
      message: "The URL is none; give it with scheme and host",
    });
  }
  const url = new URL(request.url);
  const method = request.method.toUpperCase();
  checkTarget(rules, url, method);
  if (request.body.length > rules.requestBytes) {
    throw new EgressError("REQUEST_TOO_LARGE", {
      url: shownUrl(url),
      message: `The body has ${request.body.length} bytes, ${rules.requestBytes} are allowed; send less, or allow more`,
    });
  }
  const addresses = await unlessAborted(addressesOf(url, deps), signal);
  checkAddresses(
    rules,
    url,
    addresses.map(({ address }) => address),
  );
  return exchange({ ...request, method }, { url, addresses, rules, signal, ca: deps.certificateAuthorities });
}

async function addressesOf(url: URL, deps: EgressDeps): Promise<readonly ResolvedAddress[]> {
  const host = hostOf(url);
  const family = isIP(host);
  if (family !== 0) return [{ address: host, family }];
  const resolve = deps.resolve ?? ((name: string) => lookup(name, { all: true }));
  try {
    const found = await resolve(host);
    if (found.length > 0) return found;
  } catch (error) {
    throw new EgressError("NAME_NOT_FOUND", {
      url: shownUrl(url),
      message: `${host} cannot be resolved; look at the name, or try again later`,
      cause: error,
    });
  }
  throw new EgressError("NAME_NOT_FOUND", {
    url: shownUrl(url),
    message: `${host} has no address; look at the name`,
  });
}

/** The system's resolver cannot be told to stop; its answer is left. */
async function unlessAborted<T>(wanted: Promise<T>, signal: AbortSignal): Promise<T> {
  const stopped = Promise.withResolvers<never>();
  const stop = () => stopped.reject(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await Promise.race([wanted, stopped.promise]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

interface Stop {
  readonly request: EgressRequest;
  readonly isTimeUp: boolean;
  readonly isCancelled: boolean;
}

function whyStopped(error: unknown, { request, isTimeUp, isCancelled }: Stop): unknown {
  const url = shown(request.url);
  if (isCancelled) {
    return new EgressError("CANCELLED", {
      url,
      message: "The request was cancelled; send it again if it is still wanted",
      cause: error,
    });
  }
  if (isTimeUp) {
    return new EgressError("TIMED_OUT", {
      url,
      message: `${url} took too long; try again, or allow more time`,
      cause: error,
    });
  }
  return error;
}

function shown(url: string): string {
  return URL.canParse(url) ? shownUrl(new URL(url)) : "";
}
