import { readFileSync } from "node:fs";
import { parseSpec, specTypes } from "@subnet-worker/activity-spec";
import { ownVersion } from "../own-version.ts";

/** What the files of a project are called after. */
export interface ProjectNames {
  /** `demo.words` */
  readonly kind: string;
  /** Of its files: `words`. */
  readonly name: string;
  /** For people: the directory's. */
  readonly project: string;
  /** Of this package, and of those that go with it. */
  readonly version: string;
}

export interface ProjectFile {
  readonly name: string;
  readonly text: string;
  /** What it is, in some words. */
  readonly about: string;
  /** Left as it is where it is there: a project has one of its own. */
  readonly isOptional?: boolean;
}

const TEMPLATES = new URL("../../templates/", import.meta.url);

/** @param project the directory's own name */
export function projectNames(kind: string, project: string): ProjectNames {
  const last = kind.split(/[./-]/).findLast((part) => part !== "") ?? kind;
  // wep.yaml is the worker's own.
  const name = last.toLowerCase() === "wep" ? "wep-activity" : last;
  return { kind, name, project, version: ownVersion() };
}

/** All files of a project but `package.json`. */
export function projectFiles(names: ProjectNames): readonly ProjectFile[] {
  const { kind, name } = names;
  const specName = `${name}.yaml`;
  const spec = filled("spec.yaml", names);
  const types = specTypes(parseSpec(spec, { fileName: specName }), { source: specName });
  const activity = /^export const (\w+):/m.exec(types)?.[1] ?? "activity";
  const file = (template: string, as = template) => ({
    name: as,
    text: filled(template, { ...names, activity }),
  });
  return [
    { name: specName, text: spec, about: `the spec: what ${kind} takes and gives` },
    { name: `${name}.activity.ts`, text: types, about: "its types; npm run types writes them again" },
    { ...file("handlers.ts"), about: `the handler that runs ${kind}` },
    { ...file("handlers.test.ts"), about: "its tests, which npm test runs" },
    { ...file("sample.json"), about: "inputs to try it with" },
    { ...file("sample.txt"), about: "a file among those" },
    { ...file("wep.yaml"), about: "settings of the worker" },
    { ...file("tsconfig.json"), about: "settings of the compiler", isOptional: true },
    { ...file("Dockerfile"), about: "an image that runs it", isOptional: true },
    { ...file("dockerignore", ".dockerignore"), about: "what stays out of the image", isOptional: true },
    { ...file("gitignore", ".gitignore"), about: "what stays out of git", isOptional: true },
    { ...file("README.md"), about: "commands, and what is where", isOptional: true },
  ];
}

/** A template with its `{{names}}` filled in. */
export function filled(template: string, values: ProjectNames & { readonly activity?: string }): string {
  const text = readFileSync(new URL(`${template}.tmpl`, TEMPLATES), "utf8");
  return text.replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => {
    const value = (values as unknown as Readonly<Record<string, string>>)[name];
    if (value === undefined) throw new Error(`template ${template} names {{${name}}}, which there is not`);
    return value;
  });
}
