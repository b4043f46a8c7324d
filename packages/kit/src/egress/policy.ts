import { isIP } from "node:net";
import { type Network, addressKind, parseNetwork } from "./address.ts";
import { EgressError, type EgressErrorCode } from "./egress-error.ts";

/** What untrusted programs may reach. Nothing that is not named here is. */
export interface EgressPolicy {
  /**
   * Hosts: names (`api.example.org`), all names below one (`*.example.org`, not `example.org` itself), addresses, or
   * `*` for all. Empty: none.
   */
  readonly hosts: readonly string[];
  /** Default: 443 alone. */
  readonly ports?: readonly number[];
  /** Default: `https` alone. */
  readonly schemes?: readonly ("http" | "https")[];
  /** Default: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS. CONNECT is never one. */
  readonly methods?: readonly string[];
  /**
   * Networks that may be reached though they are not public, such as `10.1.0.0/16`. Addresses where clouds keep
   * credentials are only granted by themselves, never as part of a wider network. Default: none.
   */
  readonly networks?: readonly string[];
  /** Redirects that are followed, each checked like a request of its own. 0: none, the redirect is the response. Default 5. */
  readonly maxRedirects?: number;
  /** Body of a request, bytes. Default 1 MiB. */
  readonly requestBytes?: number;
  /** Body of a response as it is on the wire, bytes. Default 8 MiB. */
  readonly responseBytes?: number;
  /** Headers of a response, bytes. Default 16 KiB. */
  readonly headerBytes?: number;
  /** From the call to the last byte, redirects included, milliseconds. Default 30,000. */
  readonly timeMs?: number;
}

/** A policy, checked and with its defaults. */
export interface EgressRules {
  readonly allowsHost: (hostname: string) => boolean;
  readonly ports: ReadonlySet<number>;
  readonly schemes: ReadonlySet<string>;
  readonly methods: ReadonlySet<string>;
  readonly networks: readonly Network[];
  readonly maxRedirects: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly headerBytes: number;
  readonly timeMs: number;
}

const MIB = 1024 * 1024;
const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
const HOST = /^(\*|(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*)$/;

/**
 * Reads a policy.
 *
 * @throws {EgressError} `BAD_REQUEST` for what is no host, network, port, method or number
 */
export function parsePolicy(policy: EgressPolicy): EgressRules {
  const methods = (policy.methods ?? METHODS).map((method) => method.toUpperCase());
  require(!methods.includes(
    "CONNECT",
  ), "methods has CONNECT, which would let a program speak whatever it wants");
  return {
    allowsHost: parseHosts(policy.hosts),
    ports: new Set((policy.ports ?? [443]).map((port) => whole("ports", port, 65_535))),
    schemes: new Set((policy.schemes ?? ["https"]).map((scheme) => `${scheme}:`)),
    methods: new Set(methods),
    networks: (policy.networks ?? []).map(network),
    maxRedirects: whole("maxRedirects", policy.maxRedirects ?? 5, 20),
    requestBytes: whole("requestBytes", policy.requestBytes ?? MIB),
    responseBytes: whole("responseBytes", policy.responseBytes ?? 8 * MIB),
    headerBytes: whole("headerBytes", policy.headerBytes ?? 16 * 1024),
    timeMs: whole("timeMs", policy.timeMs ?? 30_000),
  };
}

/**
 * Looks at a URL and a method; the address comes later.
 *
 * @throws {EgressError} `SCHEME_REFUSED`, `METHOD_REFUSED`, `HOST_REFUSED`, `PORT_REFUSED`, `BAD_REQUEST`
 */
export function checkTarget(rules: EgressRules, url: URL, method: string): void {
  const refuse = (code: EgressErrorCode, message: string): never => {
    throw new EgressError(code, { url: shownUrl(url), message });
  };
  if (!rules.schemes.has(url.protocol))
    refuse("SCHEME_REFUSED", `${url.protocol} is not allowed; allow the scheme`);
  if (url.username !== "" || url.password !== "") {
    refuse("BAD_REQUEST", "The URL has a name or a password in it; send them as a header");
  }
  if (!rules.methods.has(method)) refuse("METHOD_REFUSED", `${method} is not allowed; allow the method`);
  const host = hostOf(url);
  if (!rules.allowsHost(host)) refuse("HOST_REFUSED", `${host} is not on the list of hosts; put it there`);
  const port = portOf(url);
  if (!rules.ports.has(port))
    refuse("PORT_REFUSED", `Port ${port} of ${host} is not allowed; allow the port`);
}

/**
 * Looks at the addresses of a host. All must be allowed: a name that leads inside as well is no name of the outside.
 *
 * @throws {EgressError} `ADDRESS_REFUSED`
 */
export function checkAddresses(rules: EgressRules, url: URL, addresses: readonly string[]): void {
  for (const address of addresses) {
    const kind = addressKind(address);
    if (kind === "public") continue;
    const isGranted = rules.networks.some(
      (granted) => granted.includes(address) && (kind !== "metadata" || granted.isSingle),
    );
    if (isGranted) continue;
    throw new EgressError("ADDRESS_REFUSED", {
      url: shownUrl(url),
      message: `${hostOf(url)} has the address ${address}, which is ${kind}; grant its network if programs may reach it`,
    });
  }
}

/** The host of a URL, without the brackets of IPv6 and the dot at its end. */
export function hostOf(url: URL): string {
  const { hostname } = url;
  return hostname.startsWith("[") ? hostname.slice(1, -1) : hostname.replace(/\.$/, "");
}

export function portOf(url: URL): number {
  if (url.port !== "") return Number(url.port);
  return url.protocol === "https:" ? 443 : 80;
}

/** A URL for messages: what follows `?` may be a secret. */
export function shownUrl(url: URL): string {
  return `${url.origin}${url.pathname}`;
}

function parseHosts(hosts: readonly string[]): (hostname: string) => boolean {
  const exact = new Set<string>();
  const suffixes: string[] = [];
  let isAny = false;
  for (const host of hosts.map((text) => text.toLowerCase())) {
    if (isIP(host) !== 0)
      exact.add(hostOf(new URL(isIP(host) === 6 ? `http://[${host}]` : `http://${host}`)));
    else
      require(HOST.test(
        host,
      ), `${JSON.stringify(host)} is no host; name one as api.example.org or *.example.org`);
    if (host === "*") isAny = true;
    else if (host.startsWith("*.")) suffixes.push(host.slice(1));
    else exact.add(host);
  }
  return (name) =>
    isAny || exact.has(name) || (isIP(name) === 0 && suffixes.some((suffix) => name.endsWith(suffix)));
}

function network(text: string): Network {
  const parsed = parseNetwork(text);
  if (parsed === undefined) {
    throw badPolicy(`${JSON.stringify(text)} is no network; write it as 10.0.0.0/8 or as one address`);
  }
  return parsed;
}

function whole(name: string, value: number, most: number = Number.MAX_SAFE_INTEGER): number {
  require(Number.isSafeInteger(value) &&
    value >= 0 &&
    value <= most, `${name} is ${value}; give a whole number to ${most}`);
  return value;
}

function require(isRight: boolean, message: string): asserts isRight {
  if (!isRight) throw badPolicy(message);
}

function badPolicy(message: string): EgressError {
  return new EgressError("BAD_REQUEST", { url: "", message: `The policy is wrong: ${message}` });
}
