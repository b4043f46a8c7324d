import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { EXIT, StartupError } from "@subnet-worker/kit";
import { flagOption, type Invocation, textOption } from "./command.ts";
import { activityOf, formatEvent, type TailEvent } from "./tail-format.ts";

export interface TailOptions {
  /** Of the WEP's health server. */
  readonly url: string;
  /** Only messages about this activity, named by its id or the start of it. Default: all. */
  readonly activity: string | undefined;
  /** The events as they came, one JSON text a line, in place of lines for people. */
  readonly isJson: boolean;
}

/** Where lines go; resolves when there is room for more. */
export type WriteLine = (line: string) => Promise<void>;

/**
 * `wep tail`: shows what goes over the streams of a running WEP, until `signal` aborts.
 *
 * @throws {StartupError} 75 when the WEP is not there or has gone, 78 for a URL that is none, 1 for a refusal
 */
export async function tail(options: TailOptions, write: WriteLine, signal: AbortSignal): Promise<void> {
  const events = await open(options, signal);
  try {
    for await (const line of linesOf(events)) {
      const event = JSON.parse(line) as TailEvent;
      if (isWanted(event, options.activity)) await write(options.isJson ? line : formatEvent(event));
    }
  } catch (error) {
    if (!signal.aborted) throw gone(options.url, error);
  }
  if (!signal.aborted) throw gone(options.url, undefined);
}

/** Not through node:readline, which raises what comes after its reader has gone, and ends the process. */
async function* linesOf(events: IncomingMessage): AsyncGenerator<string> {
  events.on("error", () => undefined); // the loop hears of it too, unless it has ended
  let rest = "";
  for await (const chunk of events.setEncoding("utf8")) {
    const lines = (rest + String(chunk)).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}

function isWanted(event: TailEvent, activity: string | undefined): boolean {
  return (
    activity === undefined || event.lost !== undefined || activityOf(event)?.startsWith(activity) === true
  );
}

async function open({ url, activity }: TailOptions, signal: AbortSignal): Promise<IncomingMessage> {
  const target = targetOf(url);
  // Not what is asked for yet, but no more than that: the WEP need not send the rest.
  if (activity !== undefined) target.searchParams.set("contains", activity);
  const ask = request(target, { signal, headers: { accept: "application/x-ndjson" } });
  ask.end();
  try {
    const [answer] = (await once(ask, "response")) as [IncomingMessage];
    if (answer.statusCode !== 200) throw await refused(url, answer);
    return answer;
  } catch (error) {
    throw error instanceof StartupError ? error : notThere(url, error as NodeJS.ErrnoException);
  }
}

function targetOf(url: string): URL {
  if (!URL.canParse(url) || new URL(url).protocol !== "http:") {
    throw new StartupError(
      EXIT.badConfig,
      `--url: "${url}" is not a URL; write it like http://127.0.0.1:7071`,
    );
  }
  return new URL("/tail", url);
}

async function refused(url: string, answer: IncomingMessage): Promise<StartupError> {
  let text = "";
  for await (const chunk of answer.setEncoding("utf8")) text += String(chunk);
  if (answer.statusCode === 404) {
    return new StartupError(
      EXIT.fault,
      `${url} serves no events: it is no WEP's health server, or that of an older WEP; the WEP tells its own at the start, as health_url`,
    );
  }
  return new StartupError(EXIT.fault, `${url} refuses: ${errorIn(text)}`);
}

function errorIn(text: string): string {
  try {
    return String((JSON.parse(text) as { readonly error?: unknown }).error);
  } catch {
    return text.slice(0, 200); // not ours: as it came
  }
}

function notThere(url: string, error: NodeJS.ErrnoException): StartupError {
  if (error.code?.startsWith("HPE_") === true) {
    return new StartupError(
      EXIT.fault,
      `${url} answers, but not with HTTP/1.1; give the port of the WEP's health server (7071 unless set), not that of its gRPC server`,
      { cause: error },
    );
  }
  return new StartupError(
    EXIT.tryLater,
    `no WEP answers at ${url} (${error.message}); start it, or give the address that it tells at its start as health_url with --url`,
    { cause: error },
  );
}

function gone(url: string, cause: unknown): StartupError {
  return new StartupError(
    EXIT.tryLater,
    `the WEP at ${url} has ended the stream of events; it has stopped, or was restarted`,
    {
      cause,
    },
  );
}

/**
 * `wep tail`: {@link tail} to standard output, at the pace of whoever reads it; ends without a word when
 * nobody does any more.
 */
export async function tailCommand(invocation: Invocation): Promise<number> {
  const unread = new AbortController();
  const stopped = AbortSignal.any([invocation.signal, unread.signal]);
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    unread.abort();
  });
  const write: WriteLine = async (line) => {
    if (!process.stdout.write(`${line}\n`)) await once(process.stdout, "drain", { signal: stopped });
  };
  await tail(
    {
      url: textOption(invocation, "url") ?? "http://127.0.0.1:7071",
      activity: textOption(invocation, "activity"),
      isJson: flagOption(invocation, "json"),
    },
    write,
    stopped,
  );
  return EXIT.ok;
}
