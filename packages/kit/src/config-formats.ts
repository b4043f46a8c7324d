import convict from "convict";

const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/**
 * Reads a duration with its unit, `250ms`, `1.5s`, `10m`, `3h` or `1d`, as milliseconds.
 *
 * @throws {RangeError} when there is no unit or the text is something else
 */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text.trim());
  const unit = UNITS_MS[match?.[2] ?? ""];
  if (match === null || unit === undefined) {
    throw new RangeError(
      `"${text}" is not a duration; write a number and a unit, like "250ms", "1s", "10m" or "3h"`,
    );
  }
  return Math.round(Number(match[1]) * unit);
}

function wholeNumber(text: string): number {
  if (!/^\s*\d+\s*$/.test(text)) throw new RangeError(`"${text}" is not a whole number`);
  return Number(text);
}

function coerced(parse: (text: string) => unknown): (value: unknown) => unknown {
  return (value) => {
    if (typeof value !== "string") return value;
    try {
      return parse(value);
    } catch {
      return value; // stays a string, which `validate` then refuses with a full message
    }
  };
}

function splitList(text: string): string[] {
  return text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

function isListOf(value: unknown, protocols: readonly string[]): value is readonly string[] {
  const isUrl = (item: unknown) =>
    typeof item === "string" && URL.canParse(item) && protocols.includes(new URL(item).protocol);
  return Array.isArray(value) && value.every(isUrl);
}

function refuse(message: string): never {
  throw new Error(message);
}

/** Teaches convict the formats of this project. May be called again. */
export function registerFormats(): void {
  convict.addFormats(FORMATS);
}

const FORMATS: Record<string, convict.Format> = {
  duration: {
    coerce: coerced(parseDuration),
    validate(value: unknown) {
      if (typeof value === "string") parseDuration(value);
      if (typeof value !== "number" || !Number.isFinite(value) || value < 0) {
        refuse('must be a duration with a unit, like "250ms", "1s" or "3h"');
      }
    },
  },
  "non-empty": {
    validate(value: unknown) {
      if (typeof value !== "string" || value === "") refuse("is required and must not be empty");
    },
  },
  "http-urls": {
    coerce: coerced(splitList),
    validate(value: unknown) {
      if (!isListOf(value, ["http:", "https:"]) || value.length === 0)
        refuse("must be a URL that starts with http:// or https://, or a list of such");
    },
  },
  "ws-urls": {
    coerce: coerced(splitList),
    validate(value: unknown) {
      if (!isListOf(value, ["ws:", "wss:"]))
        refuse("must be a URL that starts with ws:// or wss://, or a list of such");
    },
  },
  address: {
    validate(value: unknown) {
      if (typeof value !== "string" || !/^0x[0-9a-fA-F]{40}$/.test(value)) {
        refuse("must be an address: 0x and 40 hex digits");
      }
    },
  },
  semver: {
    validate(value: unknown) {
      if (typeof value !== "string" || !/^\d+\.\d+\.\d+$/.test(value)) refuse("must be a version like 1.2.3");
    },
  },
  list: {
    coerce: coerced(splitList),
    validate(value: unknown) {
      if (!Array.isArray(value) || value.some((item) => typeof item !== "string")) {
        refuse("must be a list of strings (in the environment: separated by commas)");
      }
    },
  },
  ports: {
    coerce: coerced((text) => splitList(text).map(wholeNumber)),
    validate(value: unknown) {
      const isPort = (item: unknown) =>
        Number.isSafeInteger(item) && Number(item) >= 1 && Number(item) <= 65_535;
      if (!Array.isArray(value) || !value.every(isPort))
        refuse("must be a list of ports, 1 to 65535 (in the environment: separated by commas)");
    },
  },
  ratio: {
    coerce: coerced(Number),
    validate(value: unknown) {
      if (typeof value !== "number" || !(value >= 0 && value <= 1)) refuse("must be a number from 0 to 1");
    },
  },
  tables: {
    coerce: coerced((text) => JSON.parse(text) as unknown),
    validate(value: unknown) {
      const isTable = (item: unknown) => typeof item === "object" && item !== null && !Array.isArray(item);
      if (!Array.isArray(value) || !value.every(isTable))
        refuse("must be a list of tables (in the environment: as JSON)");
    },
  },
  "positive-int": {
    coerce: coerced(wholeNumber),
    validate(value: unknown) {
      if (!Number.isSafeInteger(value) || (value as number) < 1)
        refuse("must be a whole number of at least 1");
    },
  },
  count: {
    coerce: coerced(wholeNumber),
    validate(value: unknown) {
      if (!Number.isSafeInteger(value) || (value as number) < 0)
        refuse("must be a whole number of at least 0");
    },
  },
};
