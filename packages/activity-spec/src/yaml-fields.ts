import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Pair,
  parseDocument,
  type YAMLMap,
} from "yaml";
import { type SpecProblem } from "./spec-error.ts";
import { nearest } from "./suggest.ts";

/** A YAML document being read, and what is wrong with it so far. */
export class YamlSource {
  readonly problems: SpecProblem[] = [];
  readonly #fileName: string;
  readonly #lines = new LineCounter();
  readonly #document: Document;

  constructor(text: string, fileName: string) {
    this.#fileName = fileName;
    this.#document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false });
    for (const error of this.#document.errors) {
      this.report(
        { offset: error.pos[0] },
        { field: "", message: error.message, remedy: "correct the YAML" },
      );
    }
  }

  /** The document's top level, or undefined when it is no mapping: that is then reported. */
  root(keys: (found: ReadonlySet<string>) => readonly string[]): YamlFields | undefined {
    if (this.problems.length > 0) return undefined;
    const node = this.resolve(this.#document.contents);
    if (isMap(node)) return new YamlFields(this, { node, field: "", keys: keys(keysOf(node)) });
    this.report(
      { offset: 0 },
      { field: "", message: "the file is not a mapping", remedy: "start with `name:` and `version:`" },
    );
    return undefined;
  }

  report(at: { readonly offset: number }, problem: Omit<SpecProblem, "file" | "line">): void {
    const line = Math.max(1, this.#lines.linePos(at.offset).line);
    this.problems.push({ file: this.#fileName, line, ...problem });
  }

  /** Follows an alias to what it stands for. */
  resolve(node: unknown): unknown {
    return isAlias(node) ? node.resolve(this.#document) : node;
  }
}

interface FieldsOptions {
  readonly node: YAMLMap;
  /** Where the mapping sits; empty at the top. */
  readonly field: string;
  /** Every key that may occur. */
  readonly keys: readonly string[];
}

export interface TextRule {
  /** Default: any text. */
  readonly pattern?: RegExp;
  /** What to write instead, as a full clause. */
  readonly remedy: string;
}

interface Entry {
  readonly value: unknown;
  readonly offset: number;
  readonly field: string;
}

/** One mapping, read key by key. Reports what is wrong and answers undefined for it. */
export class YamlFields {
  readonly offset: number;
  readonly #source: YamlSource;
  readonly #node: YAMLMap;
  readonly #field: string;

  constructor(source: YamlSource, { node, field, keys }: FieldsOptions) {
    this.#source = source;
    this.#node = node;
    this.#field = field;
    this.offset = node.range?.[0] ?? 0;
    for (const pair of node.items) this.#checkKey(pair, keys);
  }

  /** Says that something is wrong with `key`. */
  report(key: string, message: string, remedy: string): void {
    const offset = this.#entry(key)?.offset ?? this.offset;
    this.#source.report({ offset }, { field: this.#path(key), message, remedy });
  }

  /** Text that must be there. */
  requiredText(key: string, rule: TextRule): string | undefined {
    if (this.#entry(key) === undefined) {
      this.report(key, "it is missing or empty", rule.remedy);
      return undefined;
    }
    return this.text(key, rule);
  }

  text(key: string, rule: TextRule): string | undefined {
    const entry = this.#entry(key);
    if (entry === undefined) return undefined;
    if (typeof entry.value !== "string") {
      const remedy = isContainer(entry.value) ? rule.remedy : `${rule.remedy}, in quotes`;
      this.report(key, `expected text, found ${describe(entry.value)}`, remedy);
      return undefined;
    }
    if (rule.pattern?.test(entry.value) === false) {
      this.report(key, `${JSON.stringify(entry.value.slice(0, 60))} will not do`, rule.remedy);
      return undefined;
    }
    return entry.value;
  }

  flag(key: string): boolean | undefined {
    const entry = this.#entry(key);
    if (entry === undefined || typeof entry.value === "boolean") return entry?.value as boolean | undefined;
    this.report(
      key,
      `expected true or false, found ${describe(entry.value)}`,
      "write true or false, without quotes",
    );
    return undefined;
  }

  /** A whole number of at least 1. */
  count(key: string): number | undefined {
    const entry = this.#entry(key);
    if (entry === undefined) return undefined;
    if (typeof entry.value === "number" && Number.isSafeInteger(entry.value) && entry.value >= 1)
      return entry.value;
    this.report(
      key,
      `expected a whole number, found ${describe(entry.value)}`,
      "write a number of at least 1",
    );
    return undefined;
  }

  /** The mappings of a list; empty when the key is missing. */
  list(key: string, keys: readonly string[]): YamlFields[] {
    const entry = this.#entry(key);
    if (entry === undefined) return [];
    if (!isSeq(entry.value)) {
      this.report(key, `expected a list, found ${describe(entry.value)}`, "write one `- ` entry for each");
      return [];
    }
    return entry.value.items.flatMap((item, index) => {
      const fields = this.#child(item, { field: `${entry.field}[${index}]`, offset: entry.offset, keys });
      return fields === undefined ? [] : [fields];
    });
  }

  map(key: string, keys: readonly string[]): YamlFields | undefined {
    const entry = this.#entry(key);
    return entry === undefined ? undefined : this.#child(entry.value, { ...entry, keys });
  }

  #child(
    item: unknown,
    at: { field: string; offset: number; keys: readonly string[] },
  ): YamlFields | undefined {
    const node = this.#source.resolve(item);
    if (isMap(node)) return new YamlFields(this.#source, { node, field: at.field, keys: at.keys });
    const offset = isNode(item) ? (item.range?.[0] ?? at.offset) : at.offset;
    this.#source.report(
      { offset },
      {
        field: at.field,
        message: `expected a mapping, found ${describe(valueOf(node))}`,
        remedy: `its keys are ${at.keys.join(", ")}`,
      },
    );
    return undefined;
  }

  /** A key's value; undefined also when it is there but empty. */
  #entry(key: string): Entry | undefined {
    const pair = this.#node.items.find((item) => keyOf(item) === key);
    if (pair === undefined) return undefined;
    const value = valueOf(this.#source.resolve(pair.value));
    if (value === null || value === undefined) return undefined;
    return { value, offset: offsetOf(pair), field: this.#path(key) };
  }

  #checkKey(pair: Pair, keys: readonly string[]): void {
    const key = keyOf(pair);
    if (keys.includes(key)) return;
    const near = nearest(key, keys);
    const remedy =
      near === undefined ? `remove it; the keys here are ${keys.join(", ")}` : `did you mean ${near}?`;
    this.#source.report(
      { offset: offsetOf(pair) },
      { field: this.#path(key.slice(0, 60)), message: "there is no such key", remedy },
    );
  }

  #path(key: string): string {
    return this.#field === "" ? key : `${this.#field}.${key}`;
  }
}

function keysOf(node: YAMLMap): ReadonlySet<string> {
  return new Set(node.items.map(keyOf));
}

function keyOf(pair: Pair): string {
  return isScalar(pair.key) ? String(pair.key.value) : "?";
}

function offsetOf(pair: Pair): number {
  return isNode(pair.key) ? (pair.key.range?.[0] ?? 0) : 0;
}

/** A scalar's value, or the collection itself. */
function valueOf(node: unknown): unknown {
  return isScalar(node) ? node.value : node;
}

function isContainer(value: unknown): boolean {
  return isMap(value) || isSeq(value);
}

function describe(value: unknown): string {
  if (isMap(value)) return "a mapping";
  if (isSeq(value)) return "a list";
  if (typeof value === "string") return JSON.stringify(value.slice(0, 60));
  return typeof value === "number" || typeof value === "boolean" ? `the ${typeof value} ${value}` : "nothing";
}
