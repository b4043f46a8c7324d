import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { parse } from "yaml";

/** A schema, or a part of one, as far as the tests look at it. */
export interface Schema {
  readonly $ref?: string;
  readonly description?: string;
  readonly pattern?: string;
  readonly enum?: readonly unknown[];
  readonly maximum?: number;
  readonly additionalProperties?: boolean;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly $defs: Readonly<Record<string, Schema>>;
}

const FILE = new URL("../schema.json", import.meta.url);
export const SCHEMA = JSON.parse(readFileSync(FILE, "utf8")) as Schema;

const validate = new Ajv2020({ allowUnionTypes: true }).compile(SCHEMA);

/** Whether an editor that follows the schema finds nothing wrong with a file. */
export function isValid(text: string): boolean {
  return validate(parse(text));
}

/** The part of the schema by its name. */
export function definition(name: string): Schema {
  const found = SCHEMA.$defs[name];
  if (found === undefined) throw new Error(`schema.json has no $defs/${name}`);
  return found;
}

/** What a part refers to, with what it says itself. */
export function resolved(schema: Schema): Schema {
  return schema.$ref === undefined
    ? schema
    : { ...definition(schema.$ref.replace("#/$defs/", "")), ...schema };
}
