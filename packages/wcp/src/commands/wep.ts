import { EXIT, StartupError } from "@subnet-worker/kit";
import { ControlClient } from "../control/control-client.ts";
import type { ExecutorView } from "../ports.ts";
import { type Invocation, loadCommandConfig, type RunCommand } from "./command.ts";
import { formatAge, formatFields, formatTable } from "./table.ts";

/** Run ids are UUIDs; their first part tells the runs of one WEP apart. */
const SHORT_RUN_LENGTH = 8;

/** `wcp wep ls`: the WEPs of the running node. */
export const listWeps: RunCommand = async (invocation) => {
  const { io, options } = invocation;
  const weps = await clientOf(invocation).get<readonly ExecutorView[]>("/v1/weps");
  if (options["json"] === true) {
    io.out(`${JSON.stringify(weps, undefined, 2)}\n`);
    return EXIT.ok;
  }
  const head = ["URL", "STATE", "FOR", "SLOTS USED", "RUNS", "RTT", "FROM"];
  io.out(formatTable(head, weps.map(toRow)));
  for (const { url, reason } of weps) if (reason !== "") io.out(`\n${url}: ${reason}\n`);
  return EXIT.ok;
};

function toRow(wep: ExecutorView): readonly string[] {
  const { url, state, sinceMs, classes, runs, roundTripMs, origin } = wep;
  return [
    url,
    state,
    formatAge(sinceMs),
    classes.length === 0 ? "-" : classes.map(usedOf).join(" "),
    String(runs.length),
    formatRoundTrip(roundTripMs),
    origin,
  ];
}

/** `cpu 2/4`, or `2/4` where there are no classes. */
function usedOf({ name, slots, free }: ExecutorView["classes"][number]): string {
  return `${name === "" ? "" : `${name} `}${slots - free}/${slots}`;
}

function formatRoundTrip(ms: number | undefined): string {
  if (ms === undefined) return "-";
  return ms < 10 ? `${ms.toFixed(1)}ms` : `${Math.round(ms)}ms`;
}

/** `wcp wep show`: all about one WEP, and what runs there. */
export const showWep: RunCommand = async (invocation) => {
  const { io, options } = invocation;
  const { wep } = await findWep(invocation);
  io.out(options["json"] === true ? `${JSON.stringify(wep, undefined, 2)}\n` : textOf(wep));
  return EXIT.ok;
};

function textOf(wep: ExecutorView): string {
  const { url, state, reason, origin, version, agent, instanceId, sinceMs, roundTripMs, kinds } = wep;
  const orDash = (text: string) => (text === "" ? "-" : text);
  const fields = formatFields([
    ["url", url],
    ["state", `${state}, for ${formatAge(sinceMs)}`],
    ...(reason === "" ? [] : ([["because", reason]] as const)),
    ["from", origin],
    ["agent", orDash(agent)],
    ["protocol", orDash(version)],
    ["instance", orDash(instanceId)],
    ["round trip", formatRoundTrip(roundTripMs)],
    ["kinds", kinds.length === 0 ? "any" : (kinds[0] ?? "")],
    ...kinds.slice(1).map((kind) => ["", kind] as const),
  ]);
  const classes = wep.classes.map(({ name, slots, free, tags }) => [
    orDash(name),
    String(slots),
    String(free),
    orDash(tags.join(" ")),
  ]);
  const runs = wep.runs.map(({ taskId, runId, percent, forMs }) => [
    runId.slice(0, SHORT_RUN_LENGTH),
    `${percent}%`,
    formatAge(forMs),
    taskId,
  ]);
  return [
    fields,
    classes.length === 0 ? "" : `\n${formatTable(["CLASS", "SLOTS", "FREE", "TAGS"], classes)}`,
    runs.length === 0
      ? "\nNothing runs there.\n"
      : `\n${formatTable(["RUN", "DONE", "FOR", "ACTIVITY"], runs)}`,
  ].join("");
}

/** `wcp wep drain`: assigns nothing new there; with `--undo` again. */
export const drainWep: RunCommand = async (invocation) => {
  const { io, options } = invocation;
  const isUndo = options["undo"] === true;
  const { client, path } = await findWep(invocation);
  const wep = await client.post<ExecutorView>(`${path}/${isUndo ? "undrain" : "drain"}`);
  if (options["json"] === true) {
    io.out(`${JSON.stringify(wep, undefined, 2)}\n`);
    return EXIT.ok;
  }
  const { url, runs } = wep;
  const left = runs.length === 0 ? "Nothing runs there" : "What runs there goes on to its end";
  io.out(
    isUndo
      ? `${url} is assigned to again.\n`
      : `${url} gets no new activities. ${left}; wcp wep show ${url} tells. It lasts until wcp wep drain --undo, or a restart of this node.\n`,
  );
  return EXIT.ok;
};

/** `wcp wep ping`: the round trip to a WEP and back, over the stream that is up. */
export const pingWep: RunCommand = async (invocation) => {
  const { io, options } = invocation;
  const { client, path, wep } = await findWep(invocation);
  const pong = await client.post<{ readonly round_trip_ms: number }>(`${path}/ping`);
  io.out(
    options["json"] === true
      ? `${JSON.stringify(pong, undefined, 2)}\n`
      : `${wep.url} answers after ${formatRoundTrip(pong.round_trip_ms)}\n`,
  );
  return EXIT.ok;
};

interface Found {
  readonly client: ControlClient;
  readonly wep: ExecutorView;
  /** Of this WEP in the control API. */
  readonly path: string;
}

/** The WEP that the argument names: its URL, or host and port. @throws {StartupError} 1 with those there are */
async function findWep(invocation: Invocation): Promise<Found> {
  const [given = ""] = invocation.args;
  const client = clientOf(invocation);
  const weps = await client.get<readonly ExecutorView[]>("/v1/weps");
  const wep =
    weps.find(({ url }) => url === given) ?? weps.find(({ url }) => addressOf(url) === addressOf(given));
  if (wep === undefined) {
    const urls = weps.map(({ url }) => url).join(", ");
    throw new StartupError(
      EXIT.fault,
      `this node has no WEP ${given}; it has ${urls === "" ? "none: look at wep_grpc_endpoint and wep_pool.endpoints_file" : urls}`,
    );
  }
  return { client, wep, path: `/v1/weps/${encodeURIComponent(wep.url)}` };
}

function addressOf(url: string): string {
  return url.replace(/^https?:\/\//, "").replace(/\/$/, "");
}

function clientOf(invocation: Invocation): ControlClient {
  return new ControlClient(loadCommandConfig(invocation).control.socket);
}
