/** What of an output decides where its value comes from. */
interface ResultOutput {
  readonly name: string;
  readonly isObjectKey: boolean;
}

/** A result as an executor gave it. */
interface RawResult {
  /** JSON text; empty for none. */
  readonly json: string;
  /** Object key of the result; empty for none. */
  readonly ref: string;
}

/**
 * The values a run returned, by output name. A result that came by reference
 * fills the output that holds an object key, when there is just one of them:
 * all that the simplest executors send.
 *
 * @throws {SyntaxError} when the result is not a JSON object
 */
export function parseResult(result: RawResult, outputs: readonly ResultOutput[]): Record<string, unknown> {
  const values = result.json === "" ? {} : parseObject(result.json);
  const keyed = outputs.filter((output) => output.isObjectKey);
  const only = keyed[0];
  if (result.ref !== "" && keyed.length === 1 && only !== undefined && !Object.hasOwn(values, only.name)) {
    return { ...values, [only.name]: result.ref };
  }
  return values;
}

function parseObject(json: string): Record<string, unknown> {
  const value: unknown = JSON.parse(json);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new SyntaxError("it must be a JSON object with one key per output");
  }
  return value as Record<string, unknown>;
}
