import { text as readAll } from "node:stream/consumers";
import { AbiError, decodeParams, encodeParams, type Param } from "@subnet-worker/activity-spec";
import { EXIT, StartupError } from "@subnet-worker/kit";
import { type Invocation, type Io, misuse } from "./command.ts";
import { argumentAt, findActivityByName, readSpecFile, readText } from "./spec-file.ts";

/** The process's standard input, to its end. */
type ReadStdin = () => Promise<string>;

const processStdin: ReadStdin = () => readAll(process.stdin);

/**
 * `wep spec encode`: the ABI bytes of an activity's inputs or outputs, as hex, from a JSON
 * object keyed by parameter name.
 *
 * @throws {StartupError} exit code 1 for a spec with problems, or values that do not fit;
 *   78 for what is not there
 */
export async function encodeCommand(
  invocation: Invocation,
  stdin: ReadStdin = processStdin,
): Promise<number> {
  const params = paramsOf(invocation);
  const { text, from } = await dataOf(invocation, stdin);
  const values = parseValues(text, from);
  invocation.io.out(`${orRefuse(from, () => encodeParams(params, values))}\n`);
  return EXIT.ok;
}

/**
 * `wep spec decode`: the values in ABI bytes of an activity's inputs or outputs, as JSON.
 *
 * @throws {StartupError} as for {@link encodeCommand}
 */
export async function decodeCommand(
  invocation: Invocation,
  stdin: ReadStdin = processStdin,
): Promise<number> {
  const params = paramsOf(invocation);
  const { text, from } = await dataOf(invocation, stdin);
  const values = orRefuse(from, () => decodeParams(params, text.trim()));
  invocation.io.out(`${JSON.stringify(values, undefined, 2)}\n`);
  return EXIT.ok;
}

function paramsOf({ args, io }: Invocation): readonly Param[] {
  const [path, name, side] = [argumentAt(args, 0), argumentAt(args, 1), argumentAt(args, 2)];
  if (side !== "inputs" && side !== "outputs") throw misuse(`${side} is neither inputs nor outputs`);
  return findActivityByName(readSpecFile(io, path), path, name)[side];
}

interface Data {
  readonly text: string;
  /** For messages: where it was found. */
  readonly from: string;
}

/** The last argument itself, the file after its `@`, or standard input for `-` or nothing. */
async function dataOf({ args, io }: { args: readonly string[]; io: Io }, stdin: ReadStdin): Promise<Data> {
  const data = args[3] ?? "-";
  if (data === "-") return { text: await stdin(), from: "standard input" };
  if (!data.startsWith("@")) return { text: data, from: `argument '${shortened(data)}'` };
  const path = data.slice(1);
  return { text: readText(io, path), from: path };
}

const MOST_SHOWN_CHARS = 40;

function shortened(text: string): string {
  return text.length <= MOST_SHOWN_CHARS ? text : `${text.slice(0, MOST_SHOWN_CHARS)}…`;
}

function parseValues(text: string, from: string): Readonly<Record<string, unknown>> {
  let values: unknown;
  try {
    values = JSON.parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw refused(
      `[BAD_VALUE] ${from}: the values are not JSON: ${why}; write an object, like {"name": "value"}`,
      error,
    );
  }
  if (typeof values === "object" && values !== null && !Array.isArray(values)) {
    return values as Readonly<Record<string, unknown>>;
  }
  throw refused(
    `[BAD_VALUE] ${from}: the values are not an object; write one key for each parameter`,
    undefined,
  );
}

function orRefuse<T>(from: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof AbiError)) throw error;
    throw refused(`[${error.code}] ${from}: ${error.problems.join("\n  ")}`, error);
  }
}

function refused(message: string, cause: unknown): StartupError {
  return new StartupError(EXIT.fault, message, { cause });
}
