import { copyFile, mkdir, readFile, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { parseSpec, SpecError, type WorkflowSpec } from "@subnet-worker/activity-spec";
import { DevnetError } from "./errors.ts";

/** A workflow and the file that describes it. */
export interface WorkflowFile {
  readonly spec: WorkflowSpec;
  readonly path: string;
}

/**
 * Reads activity specs, and checks that one worker can run them.
 *
 * @throws {DevnetError} `BAD_SPEC`
 */
export async function readWorkflows(paths: readonly string[]): Promise<readonly WorkflowFile[]> {
  const files = await Promise.all(paths.map(async (path) => ({ path, spec: await readWorkflow(path) })));
  for (const { spec, path } of files) {
    const same = files.find((other) => other.spec.workflow === spec.workflow && other.path !== path);
    if (same !== undefined)
      throw new DevnetError(
        "BAD_SPEC",
        `${path} and ${same.path} both describe ${spec.workflow}; give one of them.`,
      );
    refuseQuorum(spec, path);
  }
  return files;
}

async function readWorkflow(path: string): Promise<WorkflowSpec> {
  try {
    return parseSpec(await readFile(path, "utf8"), { fileName: path });
  } catch (error) {
    if (error instanceof SpecError) {
      throw new DevnetError("BAD_SPEC", error.message.replace(/^\[\w+\] /, ""), { cause: error });
    }
    throw fileError("--spec", path, error);
  }
}

// It would wait for a second worker for ever.
function refuseQuorum(spec: WorkflowSpec, path: string): void {
  const step = spec.activities.find(({ quorum }) => quorum > 1);
  if (step === undefined) return;
  throw new DevnetError(
    "BAD_SPEC",
    `${path}: ${step.id} needs ${step.quorum} workers to agree, and a devnet has one; set its quorum to 1 for trying it here.`,
  );
}

/**
 * Checks that handler modules exist.
 *
 * @throws {DevnetError} `BAD_SPEC`
 */
export async function checkHandlers(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const found = await stat(path).catch((error: unknown) => {
      throw fileError("--handlers", path, error);
    });
    if (!found.isFile())
      throw new DevnetError(
        "BAD_SPEC",
        `--handlers: ${path} is not a file; give the module itself, like ./handlers.ts.`,
      );
  }
}

function fileError(option: string, path: string, error: unknown): DevnetError {
  const { code } = error as NodeJS.ErrnoException;
  const why =
    code === "ENOENT"
      ? "does not exist"
      : code === "EISDIR"
        ? "is a directory"
        : `cannot be read (${String(code)})`;
  return new DevnetError("BAD_SPEC", `${option}: ${path} ${why}; check the path.`, { cause: error });
}

/** Copies spec files into the run's directory, so that later edits do not change what a running network means. */
export async function copySpecs(
  files: readonly WorkflowFile[],
  dir: string,
): Promise<readonly WorkflowFile[]> {
  await mkdir(dir, { recursive: true });
  return Promise.all(
    files.map(async ({ spec, path }, index) => {
      const copy = join(dir, `${index + 1}-${basename(path)}`);
      await copyFile(path, copy);
      return { spec, path: copy };
    }),
  );
}
