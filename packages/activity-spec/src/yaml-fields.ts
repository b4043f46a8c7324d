import {
  type Document,
  type Alias,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Pair,
  parseDocument,
  visit,
  type YAMLError,
  type YAMLMap,
} from "yaml";
import { type SpecProblem } from "./spec-error.ts";
import { nearest } from "./suggest.ts";

// Many times what a large workflow needs. The parser follows an alias by walking the
// whole document, so without bounds a file of a megabyte keeps it busy for minutes.
const LONGEST_TEXT = 200_000;
const MOST_ALIASES = 100;

/** A YAML document being read, and what is wrong with it so far. */
export class YamlSource {
  readonly problems: SpecProblem[] = [];
  readonly #fileName: string;
  readonly #lines = new LineCounter();
  readonly #document: Document;

  constructor(text: string, fileName: string) {
    this.#fileName = fileName;
    const isTooLong = text.length > LONGEST_TEXT;
    this.#document = parseDocument(isTooLong ? "" : text, {
      lineCounter: this.#lines,
      prettyErrors: false,
      // The parser compares every key with every other; YamlFields does it with a set.
      uniqueKeys: false,
    });
    if (isTooLong) {
      const message = `the file has more than ${LONGEST_TEXT} characters`;
      this.report({ offset: 0 }, { field: "", message, remedy: "give each workflow its own file" });
    }
    this.#reportSyntax(text);
    this.#reportAliases();
  }

  /** The document's top level, or undefined when there is no reading it: why is then reported. */
  root(keys: (found: ReadonlySet<string>) => readonly string[]): YamlFields | undefined {
    if (this.problems.length > 0) return undefined;
    const node = this.#document.contents;
    if (isMap(node)) return new YamlFields(this, { node, field: "", keys: keys(keysOf(node)) });
    const remedy = "start with `name:`, `version:` and `activities:`";
    this.report({ offset: 0 }, { field: "", message: "the file is empty or not a mapping", remedy });
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

  #reportSyntax(text: string): void {
    const lines = new Set<number>();
    for (const error of [...this.#document.errors, ...this.#document.warnings]) {
      const { line } = this.#lines.linePos(error.pos[0]);
      // What follows on the same line follows from the first error.
      if (lines.has(line)) continue;
      lines.add(line);
      this.report({ offset: error.pos[0] }, { field: "", ...explainSyntax(error, text) });
    }
  }

  #reportAliases(): void {
    if (this.problems.length > 0) return;
    const aliases: Alias[] = [];
    visit(this.#document, { Alias: (_key, node) => void aliases.push(node) });
    if (aliases.length > MOST_ALIASES) {
      const message = `there are more than ${MOST_ALIASES} aliases (*name)`;
      this.report({ offset: 0 }, { field: "", message, remedy: "write their content out" });
      return;
    }
    for (const alias of aliases.filter((each) => this.resolve(each) === undefined)) {
      const message = `*${alias.source} stands for nothing`;
      const remedy = `mark what it should stand for with &${alias.source}, further up`;
      this.report({ offset: alias.range?.[0] ?? 0 }, { field: "", message, remedy });
    }
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

/** A number, or text that stands for one. */
export interface AmountRule {
  /** For messages: `a duration`. */
  readonly what: string;
  /** Default: only text will do. */
  readonly isNumberAllowed?: boolean;
  /** `undefined`: the text stands for nothing. */
  readonly parse: (text: string) => number | undefined;
  readonly max: number;
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
    const seen = new Set<string>();
    for (const pair of node.items) {
      this.#checkKey(pair, keys);
      if (seen.has(keyOf(pair))) this.#reportPair(pair, "the key occurs twice", "keep one of them");
      seen.add(keyOf(pair));
    }
  }

  /** Says that something is wrong with `key`. */
  report(key: string, message: string, remedy: string): void {
    const offset = this.#entry(key)?.offset ?? this.offset;
    this.#source.report({ offset }, { field: this.#path(key), message, remedy });
  }

  /** Whether there is nothing under `key`, or an empty list. */
  isEmpty(key: string): boolean {
    const value = this.#entry(key)?.value;
    return value === undefined || (isSeq(value) && value.items.length === 0);
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

  /** A whole number from 1 to `max`. */
  count(key: string, max: number = Number.MAX_SAFE_INTEGER): number | undefined {
    const entry = this.#entry(key);
    if (entry === undefined) return undefined;
    const { value } = entry;
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 1 && value <= max) return value;
    const most = max === Number.MAX_SAFE_INTEGER ? "" : ` and at most ${max}`;
    this.report(
      key,
      `expected a whole number, found ${describe(value)}`,
      `write a number of at least 1${most}`,
    );
    return undefined;
  }

  /** A whole number of milliseconds, bytes or the like, from 1 to the rule's `max`. */
  amount(key: string, rule: AmountRule): number | undefined {
    const entry = this.#entry(key);
    if (entry === undefined) return undefined;
    const { value } = entry;
    const amount = typeof value === "string" ? rule.parse(value) : rule.isNumberAllowed && value;
    if (typeof amount === "number" && Number.isSafeInteger(amount) && amount >= 1 && amount <= rule.max)
      return amount;
    this.report(key, `expected ${rule.what}, found ${describe(value)}`, rule.remedy);
    return undefined;
  }

  /** One of a few words. */
  choice<T extends string>(key: string, words: readonly T[]): T | undefined {
    const entry = this.#entry(key);
    if (entry === undefined) return undefined;
    const word = words.find((each) => each === entry.value);
    if (word === undefined) {
      this.report(key, `there is no such choice as ${describe(entry.value)}`, `write ${words.join(" or ")}`);
    }
    return word;
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
    this.#reportPair(pair, "there is no such key", remedy);
  }

  #reportPair(pair: Pair, message: string, remedy: string): void {
    const field = this.#path(keyOf(pair).slice(0, 60));
    this.#source.report({ offset: offsetOf(pair) }, { field, message, remedy });
  }

  #path(key: string): string {
    return this.#field === "" ? key : `${this.#field}.${key}`;
  }
}

function explainSyntax(error: YAMLError, text: string): { message: string; remedy: string } {
  if (error.code === "MULTIPLE_DOCS") {
    return { message: "a second document starts here", remedy: "keep one document in each file" };
  }
  if (error.message.startsWith("Maximum call stack")) {
    return { message: "it is nested too deeply to be read", remedy: "a spec is five levels deep" };
  }
  const line = text.slice(text.lastIndexOf("\n", error.pos[0] - 1) + 1).split("\n", 1)[0] ?? "";
  const remedy = /type:[^"']*\[/.test(line) ? 'put the type in quotes, like "[]string"' : "correct the YAML";
  return { message: error.message, remedy };
}

function keysOf(node: YAMLMap): ReadonlySet<string> {
  return new Set(node.items.map(keyOf));
}

function keyOf(pair: Pair): string {
  return isScalar(pair.key) ? String(pair.key.value) : "(not text)";
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
