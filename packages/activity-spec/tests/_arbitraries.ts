import * as fc from "fast-check";
import { type AbiType, type AbiValue, formatAbiType } from "../src/index.ts";

/** A type and a value of it, in the form that handlers see. */
export interface TypedCase {
  readonly type: AbiType;
  readonly value: AbiValue;
}

const bits = fc.integer({ min: 1, max: 32 }).map((bytes) => bytes * 8);

const elementary: fc.Arbitrary<AbiType> = fc.oneof(
  bits.map((size): AbiType => ({ kind: "uint", bits: size })),
  bits.map((size): AbiType => ({ kind: "int", bits: size })),
  fc.constantFrom<AbiType>({ kind: "bool" }, { kind: "address" }, { kind: "string" }, { kind: "bytes" }),
  fc.integer({ min: 1, max: 32 }).map((sizeBytes): AbiType => ({ kind: "fixed-bytes", sizeBytes })),
);

/** Any type, nested up to four deep. */
export const abiType: fc.Arbitrary<AbiType> = fc.letrec<{ type: AbiType }>((tie) => ({
  type: fc.oneof(
    { maxDepth: 4, depthSize: "small" },
    elementary,
    tie("type").map((item): AbiType => ({ kind: "list", item })),
    fc
      .record({ item: tie("type"), length: fc.integer({ min: 1, max: 3 }) })
      .map(({ item, length }): AbiType => ({ kind: "array", item, length })),
    fc.array(tie("type"), { minLength: 1, maxLength: 4 }).map((items): AbiType => ({ kind: "tuple", items })),
  ),
})).type;

function integerOf(type: AbiType & { kind: "uint" | "int" }): fc.Arbitrary<number | bigint> {
  const top = 1n << BigInt(type.kind === "uint" ? type.bits : type.bits - 1);
  const range = { min: type.kind === "uint" ? 0n : -top, max: top - 1n };
  const wide = fc.oneof(fc.bigInt(range), fc.constantFrom(range.min, range.max, 0n, 1n));
  return type.bits <= 53 ? wide.map(Number) : wide;
}

/** Any value of a type. */
export function valueOf(type: AbiType): fc.Arbitrary<AbiValue> {
  switch (type.kind) {
    case "uint":
    case "int":
      return integerOf(type);
    case "bool":
      return fc.boolean();
    case "address":
      return bytesOf(20, 20).map((bytes) => `0x${Buffer.from(bytes).toString("hex")}`);
    case "string":
      return fc.string({ unit: "binary", maxLength: 40 });
    case "bytes":
      return bytesOf(0, 70);
    case "fixed-bytes":
      return bytesOf(type.sizeBytes, type.sizeBytes);
    case "list":
      return fc.array(valueOf(type.item), { maxLength: 3 });
    case "array":
      return fc.array(valueOf(type.item), { minLength: type.length, maxLength: type.length });
    case "tuple":
      return fc.tuple(...type.items.map(valueOf));
  }
}

function bytesOf(minLength: number, maxLength: number): fc.Arbitrary<Uint8Array> {
  return fc.uint8Array({ minLength, maxLength });
}

const typedCase: fc.Arbitrary<TypedCase> = abiType.chain((type) =>
  valueOf(type).map((value) => ({ type, value })),
);

/** Up to four values of any types. */
export const typedCases: fc.Arbitrary<TypedCase[]> = fc.array(typedCase, { maxLength: 4 });

/** `[2][]uint8` for what Solidity calls `uint8[][2]`. */
export function bracketsInFront(type: AbiType): string {
  switch (type.kind) {
    case "list":
      return `[]${bracketsInFront(type.item)}`;
    case "array":
      return `[${type.length}]${bracketsInFront(type.item)}`;
    case "tuple":
      return `(${type.items.map(bracketsInFront).join(", ")})`;
    default:
      return formatAbiType(type);
  }
}

/**
 * Runs a property. A failure prints its seed and path; `FC_SEED=... FC_PATH=...`
 * replays it, and `FC_RUNS=...` runs more.
 */
export function check<T>(arbitrary: fc.Arbitrary<T>, runs: number, predicate: (value: T) => void): void {
  const { FC_SEED: seed, FC_PATH: path, FC_RUNS: moreRuns } = process.env;
  fc.assert(fc.property(arbitrary, predicate), {
    numRuns: moreRuns === undefined ? runs : Number(moreRuns),
    ...(seed === undefined ? {} : { seed: Number(seed) }),
    ...(path === undefined ? {} : { path }),
  });
}

/** So many types and values, for tests that take them all at once; the same seed gives the same. */
export function sampleCases(count: number, seed: number): readonly TypedCase[] {
  return fc.sample(typedCase, { numRuns: count, seed });
}

/** The seed of a test that samples: that of `FC_SEED`, else another each time. */
export function sampleSeed(): number {
  return Number(process.env["FC_SEED"] ?? Math.trunc(Math.random() * 0x7f_ff_ff_ff));
}
