import { DevnetError } from "./errors.ts";
import { readLogTail } from "./processes/log-tail.ts";
import { acceptReadyz } from "./processes/readiness.ts";
import type { DevnetState } from "./state-file.ts";

const ANSWER_WITHIN_MS = 2_000;
const LOG_LINES = 4;

/** Runs `work`; when it stalls, asks the node's processes how they are and adds that to the message. */
export async function explainingStalls<T>(state: DevnetState, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof DevnetError) || error.code !== "STALLED") throw error;
    // A WEP that ran already has neither a log here nor a health server that is known.
    const hasWep = state.processes.some(({ name }) => name === "wep");
    const reports = await Promise.all([
      report("wcp", `${state.wcp.adminUrl}/readyz`, state),
      ...(hasWep ? [report("wep", `${state.wep.healthUrl}/readyz`, state)] : []),
    ]);
    throw new DevnetError("STALLED", [error.message.replace(/^\[\w+\] /, ""), ...reports].join("\n"), {
      cause: error,
    });
  }
}

async function report(name: "wcp" | "wep", url: string, state: DevnetState): Promise<string> {
  const log = state.processes.find((child) => child.name === name)?.log;
  const tail = log === undefined ? [] : await readLogTail(log, LOG_LINES);
  return [
    `  The ${name} says: ${await howItIs(url)}. Its log, ${log}, ends:`,
    ...tail.map((line) => `    ${line}`),
  ].join("\n");
}

async function howItIs(url: string): Promise<string> {
  try {
    const answer = await acceptReadyz(await fetch(url, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) }));
    return answer === true ? "ready" : `not ready: ${answer}`;
  } catch (error) {
    return `nothing, ${url} does not answer (${(error as Error).message})`;
  }
}
