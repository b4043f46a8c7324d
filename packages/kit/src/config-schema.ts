/** One setting of a schema. */
export interface Setting {
  readonly kind: "setting";
  /** `ethereum.rpc_url` */
  readonly path: string;
  /** `WCP__ETHEREUM__RPC_URL` */
  readonly env: string;
  /** As convict takes it; the default's type when the schema names none. */
  readonly format: unknown;
  readonly isSensitive: boolean;
}

/** A table of settings and further tables. */
export interface Section {
  readonly kind: "section";
  /** Empty for the whole schema. */
  readonly path: string;
  readonly children: ReadonlyMap<string, Section | Setting>;
}

/** Reads a convict schema as a tree, and names the environment variable of each setting. */
export function readSchema(schema: unknown, envPrefix: string): Section {
  return section(schema as object, [], envPrefix);
}

/** Every setting of a section, at any depth. */
export function settingsOf(node: Section): Setting[] {
  return [...node.children.values()].flatMap((child) =>
    child.kind === "setting" ? [child] : settingsOf(child),
  );
}

function section(node: object, path: readonly string[], envPrefix: string): Section {
  const children = Object.entries(node).map(([key, child]: [string, unknown]) => {
    const childPath = [...path, key];
    return [
      key,
      isSection(child) ? section(child, childPath, envPrefix) : setting(child, childPath, envPrefix),
    ] as const;
  });
  return { kind: "section", path: path.join("."), children: new Map(children) };
}

function isSection(node: unknown): node is object {
  return typeof node === "object" && node !== null && !Array.isArray(node) && !("default" in node);
}

function setting(node: unknown, path: readonly string[], envPrefix: string): Setting {
  const {
    format,
    default: fallback,
    sensitive,
  } = node as { format?: unknown; default?: unknown; sensitive?: unknown };
  return {
    kind: "setting",
    path: path.join("."),
    env: [envPrefix, ...path].join("__").toUpperCase(),
    format: format ?? typeof fallback,
    isSensitive: sensitive === true,
  };
}
