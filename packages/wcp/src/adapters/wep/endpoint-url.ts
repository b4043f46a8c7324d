import { isIP } from "node:net";

/**
 * The form in which an endpoint is named everywhere, the store included: scheme, host and port, nothing else.
 *
 * @throws {Error} with what is wrong, for people
 */
export function parseEndpointUrl(text: string): string {
  if (!URL.canParse(text)) throw new Error(`"${text}" is not a URL; write it like http://127.0.0.1:7070`);
  const { protocol, origin, username, pathname, search } = new URL(text);
  if (protocol !== "http:" && protocol !== "https:") {
    throw new Error(`"${text}" must begin with http:// or https://`);
  }
  if (username !== "" || pathname !== "/" || search !== "") {
    throw new Error(`"${text}" must have a host and a port and nothing else, like http://127.0.0.1:7070`);
  }
  return origin;
}

/** The form an endpoint has in the list, of one that is written in another; itself when it is none. */
export function endpointName(text: string): string {
  return URL.canParse(text) ? new URL(text).origin : text;
}

/** The host, where it is a name that addresses stand for; `undefined` for an address and for this machine. */
export function hostNameOf(url: string): string | undefined {
  const { hostname } = new URL(url);
  const isAddress = hostname.startsWith("[") || isIP(hostname) !== 0;
  return isAddress || hostname === "localhost" || hostname.endsWith(".localhost") ? undefined : hostname;
}

/** The same endpoint at one address of its name. */
export function atAddress(url: string, address: string): string {
  const at = new URL(url);
  at.hostname = isIP(address) === 6 ? `[${address}]` : address;
  return at.origin;
}
