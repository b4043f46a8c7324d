/** What a module's top level cannot declare, and what the generated module imports. */
const RESERVED = new Set(
  (
    "arguments await break case catch class const continue debugger default delete do else enum eval " +
    "export extends false finally for function globalThis if implements import in instanceof interface let " +
    "new null package private protected public return static super switch this throw true try typeof " +
    "undefined var void while with yield " +
    // Of CommonJS, which a partner may compile to.
    "exports module require " +
    "defineActivity InputFile ObjectOutput"
  ).split(" "),
);

/** The names that one activity has in a generated module. */
export interface ActivityNames {
  /** `audioPreprocess`. */
  readonly value: string;
  /** `AudioPreprocessInput`. */
  readonly input: string;
  /** `AudioPreprocessOutput`. */
  readonly output: string;
}

/**
 * Names for activities by their ids, in their order: `audio_preprocess` and
 * `audio.preprocess` become `audioPreprocess`. A name that is taken or reserved
 * becomes `deleteActivity`, then `deleteActivity2`; one that would start with a
 * digit gets `activity` before it.
 */
export function activityNames(ids: readonly string[]): readonly ActivityNames[] {
  const taken = new Set<string>(RESERVED);
  return ids.map((id) => {
    const value = camelCase(id);
    let names = namesOf(value);
    for (let number = 1; isTaken(names, taken); number += 1) {
      names = namesOf(`${value}Activity${number === 1 ? "" : number}`);
    }
    for (const name of Object.values(names) as string[]) taken.add(name);
    return names;
  });
}

function isTaken(names: ActivityNames, taken: ReadonlySet<string>): boolean {
  return taken.has(names.value) || taken.has(names.input) || taken.has(names.output);
}

function namesOf(value: string): ActivityNames {
  return { value, input: `${upperFirst(value)}Input`, output: `${upperFirst(value)}Output` };
}

function camelCase(id: string): string {
  const words = id.split(/[^A-Za-z0-9]+/).filter((word) => word !== "");
  const joined = words.map(upperFirst).join("");
  return /^\d/.test(joined) ? `activity${joined}` : `${joined.slice(0, 1).toLowerCase()}${joined.slice(1)}`;
}

function upperFirst(word: string): string {
  return `${word.slice(0, 1).toUpperCase()}${word.slice(1)}`;
}
