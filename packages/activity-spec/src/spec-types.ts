import { parseAbiType } from "./abi-type.ts";
import type { ActivitySpec, Param, WorkflowSpec } from "./spec.ts";
import { type ActivityNames, activityNames } from "./ts-identifier.ts";
import { type Side, tsType } from "./ts-type.ts";

/** What the header of a generated module says. */
export interface SpecTypesOptions {
  /** The spec's path, as somebody beside the generated file would write it: `../specs/audio.yaml`. */
  readonly source: string;
  /** What writes the file again. Default `wep spec types <source>`. */
  readonly command?: string;
}

const SDK = "@subnet-worker/wep-sdk";
const WIDEST_LINE = 100;
/** Of a line of text in a comment. */
const WIDEST_TEXT = 90;

/**
 * A TypeScript module for handlers of a workflow: for each activity the interfaces
 * `<Name>Input` and `<Name>Output`, and the activity itself as `<name>`, for
 * `defineHandler` of `@subnet-worker/wep-sdk`. The same spec gives the same text.
 *
 * `<name>` is the activity's id, `audio_preprocess` as `audioPreprocess`. Inputs have
 * the types of {@link AbiValue}, or `InputFile` for an object in storage. Outputs may be
 * a number for an integer of any width, and hex for bytes.
 *
 * @example
 * ```ts
 * import { parseSpec, specTypes } from "@subnet-worker/activity-spec";
 *
 * const text = "task_kind: echo\ntask_version: 1.0.0\ninputs: [{name: text, type: string}]";
 * const module = specTypes(parseSpec(text, { fileName: "echo.yaml" }), { source: "echo.yaml" });
 * ```
 */
export function specTypes(spec: WorkflowSpec, options: SpecTypesOptions): string {
  const names = activityNames(spec.activities.map(({ id }) => id));
  const parts = spec.activities.map((activity, index) => activityModule(activity, nameAt(names, index)));
  return [header(options), imports(spec), ...parts].join("\n");
}

function nameAt(names: readonly ActivityNames[], index: number): ActivityNames {
  const found = names[index];
  if (found === undefined) throw new RangeError(`no name for activity ${index}`);
  return found;
}

function header({ source, command = `wep spec types ${source}` }: SpecTypesOptions): string {
  return [
    `// Types of the activities in ${oneLine(source)}, written by this command, run in this directory:`,
    `//   ${oneLine(command)}`,
    "// Change the spec, not this file.",
    "/* eslint-disable */",
    "",
  ].join("\n");
}

function imports({ activities }: WorkflowSpec): string {
  const hasKey = (side: "inputs" | "outputs") =>
    activities.some((activity) => activity[side].some(({ isObjectKey }) => isObjectKey));
  const names = [
    "type Activity",
    "defineActivity",
    ...(hasKey("inputs") ? ["type InputFile"] : []),
    ...(hasKey("outputs") ? ["type ObjectOutput"] : []),
  ];
  return `import { ${names.join(", ")} } from ${JSON.stringify(SDK)};\n`;
}

function activityModule(activity: ActivitySpec, names: ActivityNames): string {
  const { id, name, description, inputs, outputs } = activity;
  const title = name === id ? "" : `${name}: `;
  return [
    ...interfaceOf({ about: `What ${id} is given.`, name: names.input, params: inputs, side: "input" }),
    ...interfaceOf({ about: `What ${id} returns.`, name: names.output, params: outputs, side: "output" }),
    ...comment(`${title}${description || id}`, ""),
    `export const ${names.value}: Activity<${names.input}, ${names.output}> = defineActivity({`,
    ...activityLines(activity),
    "});",
    "",
  ].join("\n");
}

function interfaceOf(of: {
  readonly about: string;
  readonly name: string;
  readonly params: readonly Param[];
  readonly side: Side;
}): readonly string[] {
  const { about, name, params, side } = of;
  if (params.length === 0) return [...comment(about, ""), `export interface ${name} {}`, ""];
  const fields = params.flatMap((param) => [
    ...comment(aboutParam(param), "  "),
    `  readonly ${param.name}: ${typeOf(param, side)};`,
  ]);
  return [...comment(about, ""), `export interface ${name} {`, ...fields, "}", ""];
}

function typeOf({ isObjectKey, type }: Param, side: Side): string {
  if (isObjectKey) return side === "input" ? "InputFile" : "ObjectOutput";
  return tsType(parseAbiType(type), side);
}

function aboutParam({ description, type, isObjectKey, mediaType, maxBytes }: Param): string {
  const facts = [
    isObjectKey ? "An object in storage" : `\`${type}\``,
    ...(mediaType === undefined ? [] : [mediaType]),
    ...(maxBytes === undefined ? [] : [`at most ${maxBytes} bytes`]),
  ].join(", ");
  const text = oneLine(description).trim();
  if (text === "") return `${facts}.`;
  return `${text}${/\p{P}$/u.test(text) ? "" : "."} ${facts}.`;
}

function activityLines(activity: ActivitySpec): readonly string[] {
  const { kind, version, resourceClass, inputs, outputs } = activity;
  return [
    `  kind: ${JSON.stringify(kind)},`,
    `  version: ${JSON.stringify(version)},`,
    `  class: ${JSON.stringify(resourceClass)},`,
    ...paramLines("inputs", inputs),
    ...paramLines("outputs", outputs),
  ];
}

function paramLines(key: string, params: readonly Param[]): readonly string[] {
  if (params.length === 0) return [`  ${key}: [],`];
  const literals = params.map(propertiesOf);
  const alone = `  ${key}: [{ ${literals[0]?.join(", ")} }],`;
  if (literals.length === 1 && alone.length <= WIDEST_LINE) return [alone];
  return [`  ${key}: [`, ...literals.flatMap(literalLines), "  ],"];
}

function propertiesOf({ name, type, isObjectKey, mediaType, maxBytes }: Param): readonly string[] {
  return [
    `name: ${JSON.stringify(name)}`,
    `type: ${JSON.stringify(type)}`,
    ...(isObjectKey ? ["isObjectKey: true"] : []),
    ...(mediaType === undefined ? [] : [`mediaType: ${JSON.stringify(mediaType)}`]),
    ...(maxBytes === undefined ? [] : [`maxBytes: ${maxBytes}`]),
  ];
}

function literalLines(properties: readonly string[]): readonly string[] {
  const line = `    { ${properties.join(", ")} },`;
  if (line.length <= WIDEST_LINE) return [line];
  return ["    {", ...properties.map((property) => `      ${property},`), "    },"];
}

/** A doc comment, wrapped, in which nothing ends it or is taken for a tag. */
function comment(text: string, indent: string): readonly string[] {
  const lines = wrap(oneLine(text).trim()).map(escapeComment);
  const [only, ...others] = lines;
  if (only !== undefined && others.length === 0) return [`${indent}/** ${only} */`];
  return [`${indent}/**`, ...lines.map((line) => `${indent} * ${line}`.trimEnd()), `${indent} */`];
}

function escapeComment(text: string): string {
  return text.replaceAll("*/", "*\\/").replace(/^@/, "\\@");
}

function oneLine(text: string): string {
  return text.replaceAll(/[\s\p{Cc}]+/gu, " ");
}

function wrap(text: string): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > WIDEST_TEXT) {
      lines.push(line);
      line = "";
    }
    line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
