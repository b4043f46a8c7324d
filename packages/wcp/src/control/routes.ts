import type { ControlDesk } from "./desk.ts";

/** What is sent back: a body of JSON. */
export interface Reply {
  readonly status: number;
  readonly body: unknown;
}

type Answer = (desk: ControlDesk, name: string) => Reply | Promise<Reply>;

const ok = (body: unknown): Reply => ({ status: 200, body });
const problem = (status: number, error: string): Reply => ({ status, body: { error } });

/** By method and path; `*` is the name of a WEP or a queue, percent-encoded. */
const ROUTES: Readonly<Record<string, Answer>> = {
  "GET /v1/weps": ({ weps }) => ok(weps.executors()),
  "GET /v1/weps/*": ({ weps }, url) => {
    const view = weps.executors().find((each) => each.url === url);
    return view === undefined ? noWep({ weps }, url) : ok(view);
  },
  "POST /v1/weps/*/drain": (desk, url) => drain(desk, url, true),
  "POST /v1/weps/*/undrain": (desk, url) => drain(desk, url, false),
  "POST /v1/weps/*/ping": (desk, url) => ping(desk, url),
  "GET /v1/queues": ({ queues }) => ok(queues.queues()),
  "POST /v1/queues/*/pause": (desk, name) => pause(desk, name, true),
  "POST /v1/queues/*/resume": (desk, name) => pause(desk, name, false),
};

/** Answers one request. What is asked for and not there is told together with what there is. */
export async function answer(
  desk: ControlDesk,
  request: { readonly method: string; readonly path: string },
): Promise<Reply> {
  const [, version, kind, encoded, ...rest] = request.path.split("/");
  const pattern = ["", version, kind, ...(encoded === undefined ? [] : ["*"]), ...rest].join("/");
  const route = ROUTES[`${request.method} ${pattern}`];
  if (route === undefined) return noRoute(request, pattern);
  const name = decode(encoded ?? "");
  if (name === undefined)
    return problem(400, `"${encoded}" is not percent-encoded as a name in a URL must be`);
  return route(desk, name);
}

function noRoute(
  { method, path }: { readonly method: string; readonly path: string },
  pattern: string,
): Reply {
  const others = Object.keys(ROUTES).filter((route) => route.endsWith(` ${pattern}`));
  if (others.length > 0) return problem(405, `${path} takes ${others[0]?.split(" ", 1)[0]}, not ${method}`);
  return problem(404, `${method} ${path} is not served here; there are ${Object.keys(ROUTES).join(", ")}`);
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined; // told to the caller, with what it sent
  }
}

function drain({ weps }: ControlDesk, url: string, isDraining: boolean): Reply {
  if (!weps.setDraining(url, isDraining)) return noWep({ weps }, url);
  return ok(weps.executors().find((each) => each.url === url));
}

async function ping({ weps }: ControlDesk, url: string): Promise<Reply> {
  if (!weps.executors().some((each) => each.url === url)) return noWep({ weps }, url);
  try {
    return ok({ url, round_trip_ms: await weps.ping(url) });
  } catch (error) {
    return problem(504, error instanceof Error ? error.message : String(error));
  }
}

async function pause({ queues }: ControlDesk, name: string, isPaused: boolean): Promise<Reply> {
  if (await queues.pauseQueue(name, isPaused)) return ok(queues.queues().find((each) => each.name === name));
  const names = queues.queues().map((each) => each.name);
  return problem(404, `this node watches no queue ${name}; it watches ${listOf(names)}`);
}

function noWep({ weps }: Pick<ControlDesk, "weps">, url: string): Reply {
  const urls = weps.executors().map((each) => each.url);
  return problem(404, `this node has no WEP ${url}; it has ${listOf(urls)}`);
}

function listOf(names: readonly string[]): string {
  return names.length === 0 ? "none" : names.join(", ");
}
