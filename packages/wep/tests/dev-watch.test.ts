import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "@subnet-worker/kit";
import { expect, it } from "vitest";
import { SourceWatch } from "../src/commands/dev-watch.ts";
import { emptyFolder } from "./_commands.ts";

it("tells of a change that came while the one before it was dealt with", async () => {
  await using folder = await emptyFolder();
  const path = join(folder.path, "a.yaml");
  writeFileSync(path, "wrong");
  using watch = new SourceWatch(systemClock);
  watch.follow([path]);
  writeFileSync(path, "wrong still");
  expect(await watch.changed()).toEqual([path]);
  watch.forget();
  // Before anybody asks for the next.
  writeFileSync(path, "right");
  expect(await watch.changed()).toEqual([path]);
});

it("tells of nothing that was known when the files were followed anew", async () => {
  await using folder = await emptyFolder();
  const [first, second] = [join(folder.path, "a"), join(folder.path, "b")];
  using watch = new SourceWatch(systemClock);
  watch.follow([first, second]);
  writeFileSync(first, "1");
  expect(await watch.changed()).toEqual([first]);
  watch.follow([first, second]);
  writeFileSync(second, "2");
  expect(await watch.changed()).toEqual([second]);
});
