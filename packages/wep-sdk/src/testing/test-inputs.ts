import { toJson } from "@subnet-worker/activity-spec/abi-value";
import type { ActivityDefinition, ActivityParam } from "../activity.ts";
import { WepError } from "../errors.ts";
import type { InputFile } from "../input-file.ts";
import type { ObjectOutput } from "../values.ts";
import type { MemoryStore, TestContent } from "./memory-store.ts";

/** Names of the inputs that are objects in storage. */
type FileNames<I> = { [K in keyof I]-?: InputFile extends I[K] ? K : never }[keyof I];

/** Inputs of a handler in a test, those of an activity's: objects are given as their content. */
export type ActivityInputs<I> = {
  readonly [K in keyof I]: InputFile extends I[K] ? TestContent : I[K];
};

/** Inputs of a handler in a test, by name; what is an object is given in `files`. */
export type PlainInputs<I> = [I] extends [never]
  ? Readonly<Record<string, unknown>>
  : unknown extends I
    ? Readonly<Record<string, unknown>>
    : { readonly [K in keyof I as K extends FileNames<I> ? never : K]: I[K] };

/** What a handler of an activity gave: the values as its types have them, and keys of objects. */
export type ActivityOutputs<O> = {
  readonly [K in keyof O]: ObjectOutput extends O[K]
    ? string
    : // Where a handler may return either, the type is wide.
      number | bigint extends O[K]
      ? bigint
      : O[K];
};

/** What a handler gave, as it travels: `bigint` as a decimal string, bytes as 0x hex. */
export type PlainOutputs<O> = unknown extends O
  ? Record<string, unknown>
  : { readonly [K in keyof O]: JsonOf<O[K]> };

type JsonOf<T> = T extends bigint | Uint8Array
  ? string
  : T extends string | number | boolean | null | undefined
    ? T
    : T extends readonly (infer Item)[]
      ? readonly JsonOf<Item>[]
      : T extends object
        ? { readonly [K in keyof T]: JsonOf<T[K]> }
        : T;

/** One input on its way to a handler. */
export interface SentInput {
  readonly name: string;
  readonly mediaType: string;
  /** Solidity type; empty: none is told. */
  readonly abiType: string;
  readonly objectKey: string;
  /** Presigned URL; empty where there is none. */
  readonly ref: string;
  readonly inlineJson: string;
  readonly inlineBytes: Uint8Array;
  /** 0: no limit. */
  readonly maxBytes: number;
}

export interface GivenInputs {
  readonly values: Readonly<Record<string, unknown>>;
  readonly files: Readonly<Record<string, TestContent>>;
  /** ABI types by name, for inputs of which no activity says. */
  readonly types: Readonly<Record<string, string>>;
  readonly activity: ActivityDefinition | undefined;
}

const NOTHING = new Uint8Array();

/** Inputs as a worker client sends them. Objects are put into the store. */
export async function sentInputs(given: GivenInputs, store: MemoryStore): Promise<SentInput[]> {
  const params = new Map(given.activity?.inputs.map((param) => [param.name, param]));
  const files: Record<string, TestContent> = { ...given.files };
  const sent: SentInput[] = [];
  for (const [name, value] of Object.entries(given.values)) {
    const param = params.get(name);
    if (param?.isObjectKey === true && isContent(value)) files[name] = value;
    else sent.push(valueInput({ name, type: given.types[name] ?? param?.type ?? "" }, value));
  }
  for (const [name, content] of Object.entries(files)) {
    sent.push(await fileInput(params.get(name) ?? { name, type: "" }, content, store));
  }
  return sent;
}

/** An object as an input, put into the store under a key of the test's. */
async function fileInput(param: ActivityParam, content: TestContent, store: MemoryStore): Promise<SentInput> {
  const { name, mediaType = "application/octet-stream", maxBytes = 0 } = param;
  const objectKey = `inputs/${name}`;
  store.put(objectKey, content, mediaType);
  return {
    ...emptyInput(name),
    mediaType: store.get(objectKey)?.mediaType ?? mediaType,
    abiType: param.type,
    objectKey,
    ref: await store.url(objectKey),
    maxBytes,
  };
}

function valueInput(
  { name, type }: { readonly name: string; readonly type: string },
  value: unknown,
): SentInput {
  const input = emptyInput(name);
  if (type !== "") {
    const json = jsonOf(type, value);
    // What does not fit its type arrives as it is, as from a sender whose spec is another version.
    if (json !== undefined) return { ...input, abiType: type, inlineJson: json };
  }
  if (value instanceof Uint8Array) return { ...input, inlineBytes: value };
  if (typeof value === "bigint") {
    return { ...input, abiType: value < 0n ? "int256" : "uint256", inlineJson: `"${value}"` };
  }
  return { ...input, inlineJson: plainJson(name, value) };
}

function jsonOf(type: string, value: unknown): string | undefined {
  try {
    return JSON.stringify(toJson(type, value));
  } catch (error) {
    if ((error as { code?: unknown }).code === "BAD_VALUE") return undefined;
    throw error;
  }
}

function plainJson(name: string, value: unknown): string {
  const json = JSON.stringify(value, (_, part: unknown) => {
    if (typeof part !== "bigint" && !(part instanceof Uint8Array)) return part;
    throw new WepError(
      "INVALID_OPTION",
      `inputs.${name} has a ${typeof part === "bigint" ? "bigint" : "Uint8Array"} in it, and nothing says its type; ` +
        `give it as in types: { ${name}: "uint256[]" }`,
    );
  }) as string | undefined;
  if (json !== undefined) return json;
  throw new WepError(
    "INVALID_OPTION",
    `inputs.${name} is ${typeof value}, which cannot travel; leave it out`,
  );
}

function emptyInput(name: string): SentInput {
  return {
    name,
    mediaType: "application/json",
    abiType: "",
    objectKey: "",
    ref: "",
    inlineJson: "",
    inlineBytes: NOTHING,
    maxBytes: 0,
  };
}

function isContent(value: unknown): value is TestContent {
  if (typeof value === "string" || value instanceof Uint8Array) return true;
  return (
    typeof value === "object" && value !== null && typeof (value as { path?: unknown }).path === "string"
  );
}
