import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { findActivity, specFilesIn } from "../src/commands/find-spec.ts";
import { emptyFolder } from "./_commands.ts";

const single = (kind: string, version = "1.0.0") => `task_kind: ${kind}\ntask_version: ${version}\n`;
const any = (kind: string, version?: string) => ({ kind, version });

/** A folder with these files. */
async function folderOf(files: Readonly<Record<string, string>>) {
  const folder = await emptyFolder();
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder.path, name, ".."), { recursive: true });
    writeFileSync(join(folder.path, name), text);
  }
  return folder;
}

describe("the spec of a kind", () => {
  it("is found in the folder, in specs and in activity-specs, by kind and version", async () => {
    await using folder = await folderOf({
      "a.yaml": single("demo.a"),
      "specs/b.yml": single("demo.b"),
      "activity-specs/flow.yaml":
        "version: flow/2.0.0\nactivities:\n  - { id: one, kind: demo.c, worker: text }\n  - { id: two, worker: text }\n",
      "elsewhere/d.yaml": single("demo.d"),
      "compose.yaml": "services: {}\n",
      "empty.yaml": "",
    });
    const at = (kind: string, version?: string) => findActivity(folder.path, any(kind, version));
    expect(at("demo.a")?.path).toBe(join(folder.path, "a.yaml"));
    expect(at("demo.b", "1.0.0")?.activity.kind).toBe("demo.b");
    expect(at("demo.c")?.activity).toMatchObject({ id: "one", version: "2.0.0" });
    expect(at("two")?.activity.id).toBe("two");
    expect(at("demo.b", "2.0.0")).toBeUndefined();
    expect(at("demo.d")).toBeUndefined();
    expect(specFilesIn(folder.path)).toHaveLength(3);
  });

  it("has to be chosen where there are several versions", async () => {
    await using folder = await folderOf({ "a.yaml": single("demo.a"), "b.yaml": single("demo.a", "2.0.0") });
    expect(() => findActivity(folder.path, any("demo.a"))).toThrow(
      "[AMBIGUOUS_KIND] there are specs of several versions of demo.a: 1.0.0, 2.0.0; say which, like demo.a@1.0.0",
    );
    expect(findActivity(folder.path, any("demo.a", "2.0.0"))?.activity.version).toBe("2.0.0");
  });

  it("may be there although another file is wrong; if not, what is wrong is told", async () => {
    await using folder = await folderOf({ "a.yaml": single("demo.a"), "b.yaml": single("demo.b", "two") });
    expect(findActivity(folder.path, any("demo.a"))?.activity.kind).toBe("demo.a");
    expect(() => findActivity(folder.path, any("demo.b"))).toThrow(/\[BAD_SPEC\].*\n.*b\.yaml:2/);
  });
});
