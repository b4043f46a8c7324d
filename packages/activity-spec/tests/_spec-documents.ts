import * as fc from "fast-check";
import { formatAbiType } from "../src/index.ts";
import { abiType } from "./_arbitraries.ts";

/** A spec file as data. */
export type SpecDocument = Readonly<Record<string, unknown>>;

type Fields = Readonly<Record<string, fc.Arbitrary<unknown>>>;

const text = fc.oneof(fc.constantFrom("A", "Prepares a recording", "*/ ${x}"), fc.string({ maxLength: 12 }));
const slug = fc.stringMatching(/^[A-Za-z0-9][\w.-]{0,8}$/);
const version = fc.constantFrom("1.0.0", "0.12.3", "10.0.999999999");
const duration = fc.constantFrom("500ms", "1.5s", "5m", "2h", "1d");
const size = fc.oneof(fc.constantFrom("1B", "50MB", "1.5 GiB", "3KB"), fc.integer({ min: 1, max: 10_000 }));
const media = { description: text, media_type: fc.constantFrom("audio/wav", "image/svg+xml", "video/*") };
const TYPES = ["string", "bool", "uint64", "uint8", "[]string", "bytes[2]", "(bool,(bytes32, uint)[])"];

const objectKey = record(
  { name: fc.stringMatching(/^[a-z]{1,6}_(?:object_key|file_path)$/), type: fc.constant("string") },
  { ...media, object_key: fc.constant(true), max_size: size },
);
const plain = record(
  {
    name: fc.stringMatching(/^[A-Za-z_]\w{0,9}$/),
    type: fc.oneof(fc.constantFrom(...TYPES), abiType.map(formatAbiType)),
  },
  { ...media, object_key: fc.constant(false) },
);
const params = fc.uniqueArray(fc.oneof(objectKey, plain), { maxLength: 3, selector: ({ name }) => name });

const retry = record(
  {},
  { max_attempts: fc.integer({ min: 1, max: 1_000 }), initial: fc.constant("500ms"), max: duration },
);
const OPTIONS: Fields = {
  name: text,
  description: text,
  num_workers: fc.integer({ min: 2, max: 5 }),
  quorum: fc.constant(1),
  skip_on_prev_success: fc.boolean(),
  require_gpu: fc.boolean(),
  artifact: record({}, { upload_to_storage: fc.boolean() }),
  class: fc.constantFrom("gpu", "gpu", "cpu", "io"),
  limits: record({}, { timeout: duration, memory_mb: fc.integer({ min: 1, max: 65_536 }) }),
  deadline: duration,
  retry,
  result: fc.constantFrom("auto", "inline", "reference"),
};

const activity = record(
  { id: slug, worker: slug },
  { kind: slug, input_params: params, output_params: params, ...OPTIONS },
);
const workflow = record(
  {
    version: fc.tuple(slug, version).map((parts) => parts.join("/")),
    activities: fc.uniqueArray(activity, { minLength: 1, maxLength: 3, selector: ({ id }) => id }),
  },
  { name: text, description: text },
);
const single = record(
  { task_kind: slug, task_version: version },
  { inputs: params, outputs: params, ...OPTIONS },
);

/** Well-formed files of both forms; a few contradict themselves. */
export const goodDocuments: fc.Arbitrary<SpecDocument> = fc.oneof(workflow, single);

/** Such files with up to two things replaced, taken out or put in. */
export const oddDocuments: fc.Arbitrary<SpecDocument> = fc
  .tuple(goodDocuments, fc.array(fc.record({ at: fc.nat(), edit: editOf() }), { maxLength: 2 }))
  .map(([document, edits]) => {
    const copy = structuredClone(document);
    for (const { at, edit } of edits) {
      const places = placesIn(copy);
      const place = places[at % places.length];
      if (place !== undefined) edit(place);
    }
    return copy;
  });

interface Place {
  readonly holder: Record<string, unknown>;
  readonly key: string;
}

type Edit = (place: Place) => void;

function editOf(): fc.Arbitrary<Edit> {
  const value = fc.oneof(
    fc.constantFrom<unknown>(null, "no", "", "0s", "25d", "1 m", "5121GiB", "a b", "2", "cpu", "1.0.0"),
    fc.constantFrom<unknown>(0, -1, 1, 1.5, 2 ** 53, true, false, {}, [], [{}], { name: "x" }),
    fc.string({ maxLength: 6 }),
  );
  return fc.oneof(
    value.map(
      (given): Edit =>
        ({ holder, key }) =>
          void (holder[key] = given),
    ),
    fc.constant<Edit>(({ holder, key }) => void delete holder[key]),
    fc.constantFrom("tags", "inputs", "activities", "<<", "deadline", "max_size", "name").map(
      (key): Edit =>
        ({ holder }) =>
          void (holder[key] = "1s"),
    ),
  );
}

/** Every key of every mapping. */
function placesIn(node: unknown): Place[] {
  if (Array.isArray(node)) return node.flatMap(placesIn);
  if (typeof node !== "object" || node === null) return [];
  const holder = node as Record<string, unknown>;
  return Object.entries(holder).flatMap(([key, value]) => [{ holder, key }, ...placesIn(value)]);
}

function record<R extends Fields>(
  required: R,
  optional: Fields,
): fc.Arbitrary<{ [K in keyof R]: R[K] extends fc.Arbitrary<infer T> ? T : never }> {
  return fc.record<Record<string, unknown>>(
    { ...required, ...optional },
    { requiredKeys: Object.keys(required), noNullPrototype: true },
  ) as fc.Arbitrary<{ [K in keyof R]: R[K] extends fc.Arbitrary<infer T> ? T : never }>;
}

/** So many well-formed files, for tests that take them all at once; the same seed gives the same. */
export function sampleDocuments(count: number, seed: number): readonly SpecDocument[] {
  return fc.sample(goodDocuments, { numRuns: count, seed });
}
