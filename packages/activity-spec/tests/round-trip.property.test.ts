import * as fc from "fast-check";
import { expect, test, vi } from "vitest";
import {
  type AbiValue,
  type ActivitySpec,
  bytesToHex,
  decodeParams,
  encodeParams,
  formatAbiType,
  type Param,
  parseSpec,
  toJson,
  toTyped,
} from "../src/index.ts";
import { abiType, bracketsInFront, check, valueOf } from "./_arbitraries.ts";
import { ETHERS, forEthers } from "./_ethers.ts";

vi.setConfig({ testTimeout: 300_000 });

/** A spec takes more time than values do, so each is used for several runs. */
const SPECS = 2_500;
const RUNS_PER_SPEC = 4;

/** Parameters as a file writes them, and their values on chain in several runs. */
const echoes = fc
  .record({
    types: fc.array(abiType, { minLength: 1, maxLength: 4 }),
    isInFront: fc.boolean(),
    suffix: fc.constantFrom("", "_object_key", "_file_path"),
  })
  .chain(({ types, isInFront, suffix }) =>
    fc.record({
      types: fc.constant(types),
      lines: fc.constant(
        types.map((type, index) => {
          const notation = isInFront ? bracketsInFront(type) : formatAbiType(type);
          return `  - { name: p${index}${suffix}, type: "${notation}" }`;
        }),
      ),
      runs: fc.array(fc.tuple(...types.map(valueOf)), {
        minLength: RUNS_PER_SPEC,
        maxLength: RUNS_PER_SPEC,
      }),
    }),
  );

/** The activity as its spec file has it, which gives what it takes. */
function activityOf(lines: readonly string[]): ActivitySpec {
  const text = ["task_kind: echo", "task_version: 1.0.0", "inputs: &all", ...lines, "outputs: *all"];
  const [activity] = parseSpec(text.join("\n"), { fileName: "echo.yaml" }).activities;
  if (activity === undefined) throw new Error("the spec has no activity");
  return activity;
}

/** The way of a decoded value to the handler: as JSON, then in the form of its type. */
function toHandler({ type }: Param, json: unknown): AbiValue {
  return toTyped(type, JSON.parse(JSON.stringify(json)));
}

/** The way of what a handler returned: in its JSON form, as text. */
function fromHandler({ type }: Param, returned: unknown): unknown {
  return JSON.parse(JSON.stringify(toJson(type, returned)));
}

/** The same value in another form that a handler may return. */
function otherForm(value: AbiValue): unknown {
  if (value instanceof Uint8Array) return bytesToHex(value).toUpperCase().replace("X", "x");
  if (typeof value === "number") return BigInt(value);
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : `${value}`;
  return typeof value === "object" ? value.map(otherForm) : value;
}

test("a value of every type goes from the chain through spec, handler and spec to the chain unchanged", () => {
  const seen = new Set<string>();
  check(echoes, SPECS, ({ types, lines, runs }) => {
    for (const { kind } of types) seen.add(kind);
    const { inputs, outputs } = activityOf(lines);
    const coder = types.map(formatAbiType);
    for (const values of runs) {
      const onChain = ETHERS.encode(coder, values.map(forEthers));
      const decoded = decodeParams(inputs, onChain);
      const handled = inputs.map((param) => toHandler(param, decoded[param.name]));
      expect(handled).toEqual(values);
      for (const form of [(value: AbiValue) => value, otherForm]) {
        const returned = outputs.map((param, index) => {
          const value = handled[index];
          if (value === undefined) throw new Error(`${param.name} did not arrive`);
          return [param.name, fromHandler(param, form(value))];
        });
        expect(encodeParams(outputs, Object.fromEntries(returned))).toBe(onChain);
      }
    }
  });
  const kinds = [
    "address",
    "array",
    "bool",
    "bytes",
    "fixed-bytes",
    "int",
    "list",
    "string",
    "tuple",
    "uint",
  ];
  expect([...seen].toSorted()).toEqual(kinds);
});
