import { randomUUID } from "node:crypto";
import { connect } from "node:net";
import { type Clock, createLogger } from "@subnet-worker/kit";
import type { Capabilities } from "@subnet-worker/protocol";
import { type PeerInfo, Session, SessionEnded } from "../../adapters/wep/session.ts";
import type { WepTransport } from "../../adapters/wep/transport.ts";
import type { Config } from "../../config.ts";
import { openWepTransport } from "../../open-wep.ts";
import { fail, ok, type Outcome, reasonOf, warn } from "./check.ts";
import type { Patient } from "./patient.ts";
import { examineCertificates } from "./wep-tls.ts";

const TCP_TIMEOUT_MS = 5_000;
const HANDSHAKE_TIMEOUT_MS = 5_000;

interface Met {
  readonly peer: PeerInfo;
  /** `undefined` for a peer of protocol 1.0.0, which does not tell. */
  readonly capabilities: Capabilities | undefined;
}

/** Every executor, and whether what the queues hold can be run by one. */
export async function examineWeps(patient: Patient): Promise<void> {
  const { exam, config } = patient;
  examineCertificates(patient);
  const met: Met[] = [];
  const looked = config.wep_grpc_endpoint.map((url, index) => examineWep(patient, { url, index, met }));
  await Promise.all(looked);
  void exam.check({
    id: "wep.usable",
    group: "wep",
    title: "usable WEPs",
    run: () => {
      const detail = `${met.length} of ${config.wep_grpc_endpoint.length}`;
      return met.length === 0
        ? fail(
            detail,
            "nothing can be run, so nothing is claimed: start one (wep run --handlers ./handlers.ts)",
          )
        : ok(detail);
    },
  });
  void exam.check({
    id: "wep.kinds",
    group: "wep",
    title: "handlers for the queues",
    needs: ["wep.usable", "configuration.specs"],
    run: () => lookAtKinds(patient, met),
  });
}

async function examineWep(
  patient: Patient,
  { url, index, met }: { readonly url: string; readonly index: number; readonly met: Met[] },
): Promise<void> {
  const { exam, io } = patient;
  const isOnly = patient.config.wep_grpc_endpoint.length === 1;
  const bad = (detail: string, advice: string): Outcome =>
    isOnly ? fail(detail, advice) : { ...warn(detail, advice), isBlocking: true };
  const common = { group: "wep", subject: new URL(url).host } as const;
  void exam.check({
    ...common,
    id: `wep[${index}].reachable`,
    title: "reachable",
    run: async () => {
      const problem = await tcpProblem(url, io.clock);
      return problem === undefined
        ? ok("reachable")
        : bad(
            problem,
            "no WEP listens there: start it (wep run --handlers ./handlers.ts), or correct wep_grpc_endpoint",
          );
    },
  });
  await exam.check({
    ...common,
    id: `wep[${index}].handshake`,
    title: "handshake",
    needs: [`wep[${index}].reachable`],
    run: async () => {
      const answer = await meet(patient, url);
      if (answer instanceof SessionEnded) return bad(reasonOf(answer), handshakeAdvice(answer));
      met.push(answer);
      return describePeer(answer);
    },
  });
}

function handshakeAdvice({ code }: SessionEnded): string {
  if (code === "REFUSED") return "the reason says which side must change; docs/runbooks/tls.md has them all";
  return code === "INCOMPATIBLE"
    ? "the two processes are too far apart: upgrade the older one"
    : "something else listens there, or the WEP hangs: check that wep_grpc_endpoint is the WEP's own port (7070) and not its health port (7071), then restart the WEP";
}

function describePeer({ peer, capabilities }: Met): Outcome {
  const agent = peer.agent === "" ? "a WEP" : peer.agent;
  if (capabilities === undefined) return ok(`${agent}, protocol ${peer.version}`);
  const { maxConcurrency, kinds } = capabilities;
  const detail = `${agent}, protocol ${peer.version}, ${maxConcurrency} slots, ${kinds.length} kinds`;
  return kinds.length === 0
    ? warn(detail, "it says no kind of work, so it is given any: check that it was started with its handlers")
    : ok(detail);
}

function tcpProblem(url: string, clock: Patient["io"]["clock"]): Promise<string | undefined> {
  const { hostname, port, protocol } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect({
      host: hostname.replace(/^\[|\]$/g, ""),
      port: Number(port) || (protocol === "https:" ? 443 : 80),
    });
    const end = (problem: string | undefined) => {
      timer[Symbol.dispose]();
      socket.destroy();
      resolve(problem);
    };
    const timer = clock.timer(TCP_TIMEOUT_MS, () => end(`no connection within ${TCP_TIMEOUT_MS / 1_000} s`));
    socket.once("connect", () => end(undefined));
    socket.once("error", (error) => end(error.message));
  });
}

/** What the certificates' keeper has to say is the doctor's own to tell. */
const SILENT = createLogger({ name: "doctor", level: "silent" });

function transportOf(config: Config, clock: Clock): WepTransport | SessionEnded {
  try {
    return openWepTransport(config, { clock, logger: SILENT });
  } catch (error) {
    return new SessionEnded("REFUSED", reasonOf(error));
  }
}

/** Shakes hands, hears what it can do, and hangs up. A WEP serves several clients; its runs are not touched. */
async function meet({ io, config }: Patient, url: string): Promise<Met | SessionEnded> {
  const opened = transportOf(config, io.clock);
  if (opened instanceof SessionEnded) return opened;
  using transport = opened;
  const done = new AbortController();
  let peer: PeerInfo | undefined;
  let capabilities: Capabilities | undefined;
  const session = new Session(
    {
      url,
      instanceId: randomUUID(),
      agent: "subnet-worker-doctor/0.1.0",
      handshakeTimeoutMs: HANDSHAKE_TIMEOUT_MS,
      pingIntervalMs: HANDSHAKE_TIMEOUT_MS,
      silenceMs: HANDSHAKE_TIMEOUT_MS,
    },
    {
      clock: io.clock,
      connect: transport.connect,
      events: {
        onReady: (ready) => {
          peer = ready;
          done.abort();
        },
        onCapabilities: (told) => (capabilities = told),
        onMessage: () => undefined,
      },
    },
  );
  const ended = await session.run(done.signal).catch((error: unknown) => error);
  if (peer !== undefined) return { peer, capabilities };
  return ended instanceof SessionEnded ? ended : new SessionEnded("UNREACHABLE", reasonOf(ended));
}

function lookAtKinds({ config, specs }: Patient, met: readonly Met[]): Outcome {
  const canRun = ({ kind, version }: { readonly kind: string; readonly version: string }) =>
    met.some(({ capabilities }) => {
      const kinds = capabilities?.kinds ?? [];
      return kinds.length === 0 || kinds.some((each) => each.kind === kind && each.version === version);
    });
  const wanted = specs
    .flatMap(({ activities }) => activities)
    .filter(({ queue }) => config.scheduler.queue_name.includes(queue));
  const missing = wanted.filter((activity) => !canRun(activity));
  if (missing.length === 0) return ok(`all ${wanted.length} kinds of the queues have one`);
  const names = [
    ...new Set(missing.map(({ kind, version, queue }) => `${kind} ${version} (queue ${queue})`)),
  ];
  const advice =
    "activities of these kinds are never claimed: deploy their handlers on a WEP, or take the queue out of scheduler.queue_name; kind and version must both be the same";
  return (missing.length === wanted.length ? fail : warn)(`no WEP runs ${names.join(", ")}`, advice);
}
