import { AbiError } from "./abi-error.ts";
import { nearest } from "./suggest.ts";

/** A Solidity ABI type. `bits` is a multiple of 8 up to 256; a fixed array has at least one item. */
export type AbiType =
  | { readonly kind: "uint"; readonly bits: number }
  | { readonly kind: "int"; readonly bits: number }
  | { readonly kind: "bool" }
  | { readonly kind: "address" }
  | { readonly kind: "string" }
  | { readonly kind: "bytes" }
  | { readonly kind: "fixed-bytes"; readonly sizeBytes: number }
  | { readonly kind: "list"; readonly item: AbiType }
  | { readonly kind: "array"; readonly item: AbiType; readonly length: number }
  | { readonly kind: "tuple"; readonly items: readonly AbiType[] };

// A type is walked by recursion, here and in the codec: these two bound its depth.
const LONGEST_TYPE = 10_000;
const MOST_BRACKETS = 256;

const EXAMPLES = ["string", "bytes", "bool", "address", "uint256", "uint64", "uint32", "int256", "bytes32"];

/**
 * Reads a Solidity ABI type. Arrays may be written as Solidity does (`string[]`,
 * `uint8[3]`) or with the brackets in front (`[]string`, `[3]uint8`); tuples as
 * `(bool,string)` or `tuple(bool,string)`; `uint` and `int` mean 256 bits.
 *
 * @throws {AbiError} BAD_TYPE
 *
 * @example
 * ```ts
 * import { formatAbiType, parseAbiType } from "@subnet-worker/activity-spec";
 *
 * formatAbiType(parseAbiType("[](bool, uint)")); // "(bool,uint256)[]"
 * ```
 */
export function parseAbiType(text: string): AbiType {
  if (text.length > LONGEST_TYPE || text.replaceAll(/[^[(]/g, "").length > MOST_BRACKETS) {
    throw new AbiError("BAD_TYPE", [
      `a type may have up to ${LONGEST_TYPE} characters and ${MOST_BRACKETS} opening brackets; split it up`,
    ]);
  }
  return new TypeParser(text).parse();
}

/** Solidity's own notation, without spaces: `(bool,(uint256,string)[],string)`. */
export function formatAbiType(type: AbiType): string {
  switch (type.kind) {
    case "uint":
    case "int":
      return `${type.kind}${type.bits}`;
    case "fixed-bytes":
      return `bytes${type.sizeBytes}`;
    case "list":
      return `${formatAbiType(type.item)}[]`;
    case "array":
      return `${formatAbiType(type.item)}[${type.length}]`;
    case "tuple":
      return `(${type.items.map(formatAbiType).join(",")})`;
    default:
      return type.kind;
  }
}

/** The type itself, or the one a text describes. @throws {AbiError} BAD_TYPE */
export function asAbiType(type: AbiType | string): AbiType {
  return typeof type === "string" ? parseAbiType(type) : type;
}

/** Array dimensions as written; undefined is `[]`. */
type Dimension = number | undefined;

class TypeParser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): AbiType {
    const type = this.#type();
    if (this.#at < this.#text.length) this.#refuse(`there is more after the type: "${this.#rest()}"`);
    return type;
  }

  #type(): AbiType {
    const before = this.#dimensions();
    const core = this.#core();
    const after = this.#dimensions();
    if (before.length > 0 && after.length > 0) {
      this.#refuse(`brackets stand on both sides; write either "string[]" or "[]string"`);
    }
    // uint8[2][] is a list of pairs; [2][]uint8 is a pair of lists.
    return [...before.toReversed(), ...after].reduce<AbiType>(
      (item, length) => (length === undefined ? { kind: "list", item } : { kind: "array", item, length }),
      core,
    );
  }

  #core(): AbiType {
    const word = this.#match(/\s*([A-Za-z_][A-Za-z0-9_]*)?\s*/y) ?? "";
    if ((word === "" || word === "tuple") && this.#text[this.#at] === "(") return this.#tuple();
    if (word === "") this.#refuse(`a type is missing at "${this.#rest()}"`);
    return parseElementary(word) ?? this.#refuse(explainUnknown(word));
  }

  #tuple(): AbiType {
    const items: AbiType[] = [];
    do {
      this.#at += 1; // the opening bracket, later a comma
      items.push(this.#type());
    } while (this.#text[this.#at] === ",");
    if (this.#text[this.#at] !== ")") {
      this.#refuse(`expected "," or ")" at "${this.#rest()}"; a tuple lists types only, without names`);
    }
    this.#at += 1;
    return { kind: "tuple", items };
  }

  #dimensions(): Dimension[] {
    const dimensions: Dimension[] = [];
    this.#match(/(\s*)/y);
    while (this.#text[this.#at] === "[") {
      const digits =
        this.#match(/\[\s*(\d{0,9})\s*\]\s*/y) ?? this.#refuse(`bad array length at "${this.#rest()}"`);
      const length = digits === "" ? undefined : Number(digits);
      if (length === 0) this.#refuse("an array needs a length of at least 1");
      dimensions.push(length);
    }
    return dimensions;
  }

  /** The pattern's one group, or undefined when it does not match here. */
  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null) return undefined;
    this.#at = pattern.lastIndex;
    return match[1] ?? "";
  }

  #rest(): string {
    return clip(this.#text.slice(this.#at), 20);
  }

  #refuse(what: string): never {
    throw new AbiError("BAD_TYPE", [`"${clip(this.#text, 60)}" is not an ABI type: ${what}`]);
  }
}

function parseElementary(word: string): AbiType | undefined {
  if (word === "bool" || word === "address" || word === "string" || word === "bytes") return { kind: word };
  const match = /^(uint|int|bytes)([1-9]\d{0,2})?$/.exec(word);
  if (match === null) return undefined;
  const size = Number(match[2] ?? 256);
  if (match[1] === "bytes") return size <= 32 ? { kind: "fixed-bytes", sizeBytes: size } : undefined;
  return size <= 256 && size % 8 === 0
    ? { kind: match[1] === "int" ? "int" : "uint", bits: size }
    : undefined;
}

function explainUnknown(word: string): string {
  if (/^u?int\d+$/.test(word)) return "integers have 8 to 256 bits in steps of 8, like uint64";
  if (/^bytes\d+$/.test(word)) return "fixed bytes are bytes1 to bytes32";
  if (word === "function") return "write bytes24, which is how a function is encoded";
  if (/^u?fixed/.test(word))
    return "Solidity does not implement fixed-point numbers; use an integer with a unit";
  const near = nearest(word, EXAMPLES);
  return near === undefined
    ? `there is no type "${clip(word, 30)}"; see the Solidity ABI types`
    : `did you mean "${near}"?`;
}

function clip(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length)}...`;
}
