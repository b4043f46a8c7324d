import type { EgressRequest, EgressResponse } from "./egress.ts";

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** What must not follow a redirect to another place: it was meant for the first. */
const SECRETS: ReadonlySet<string> = new Set(["authorization", "cookie", "proxy-authorization"]);

/**
 * The request that a redirect asks for; `undefined` when the response is none. As Fetch does it: 303 asks with GET, 301
 * and 302 turn POST into GET, and credentials stay with the host they were for.
 */
export function nextRequest(request: EgressRequest, response: EgressResponse): EgressRequest | undefined {
  const location = response.headers.find(([name]) => name.toLowerCase() === "location")?.[1];
  if (!REDIRECTS.has(response.status) || location === undefined || !URL.canParse(location, request.url))
    return undefined;
  const url = new URL(location, request.url);
  const isElsewhere = url.origin !== new URL(request.url).origin;
  const headers = request.headers.filter(([name]) => !(isElsewhere && SECRETS.has(name.toLowerCase())));
  if (!becomesGet(request.method, response.status)) return { ...request, url: url.href, headers };
  return {
    method: "GET",
    url: url.href,
    headers: headers.filter(([name]) => !name.toLowerCase().startsWith("content-")),
    body: new Uint8Array(),
  };
}

function becomesGet(method: string, status: number): boolean {
  const name = method.toUpperCase();
  if (status === 303) return name !== "GET" && name !== "HEAD";
  return (status === 301 || status === 302) && name === "POST";
}
