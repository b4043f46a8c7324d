import { once } from "node:events";
import { isAbsolute, relative, resolve } from "node:path";
import type { WorkflowSpec } from "@subnet-worker/activity-spec";
import { systemClock } from "@subnet-worker/kit";
import { abortable } from "./abortable.ts";
import type { Command, NetworkArgs, RunArgs } from "./cli.ts";
import { type Devnet, type DevnetOptions, startDevnet } from "./compose.ts";
import { DevnetError, textOf } from "./errors.ts";
import { type InputValue, parseInputs } from "./inputs.ts";
import { type Invocation, ownCommand, quoted, userCwd } from "./own-command.ts";
import { runWorkflow } from "./run-workflow.ts";
import { findSample } from "./sample.ts";
import { defaultRunDir, type DevnetState, readState } from "./state-file.ts";
import { showLive } from "./view/live.ts";
import { reportLines, stepNames } from "./view/report.ts";
import type { Screen } from "./view/screen.ts";
import { durationText, printable } from "./view/text.ts";
import { readWorkflows, type WorkflowFile } from "./workflows.ts";

/** What every command needs from around it. */
export interface CommandDeps {
  readonly screen: Screen;
  /** Aborts with the reason for which the command should end. */
  readonly signal: AbortSignal;
  readonly invocation: Invocation;
}

/**
 * Runs a command to its end.
 *
 * @throws {DevnetError} with the exit code it calls for
 */
export async function runCommand(
  command: Exclude<Command, { kind: "help" }>,
  deps: CommandDeps,
): Promise<void> {
  switch (command.kind) {
    case "demo":
      return demo(command, deps);
    case "up":
      return up(command.network, deps);
    case "submit":
      return submit(command, deps);
  }
}

async function demo(command: Command & { readonly kind: "demo" }, deps: CommandDeps): Promise<void> {
  const { options, sampleInput } = networkOptions(command.network, deps);
  // Before anything is started: a wrong path should not cost its user the start of a network.
  const prepared = await prepareRun(
    await readWorkflows(options.specs),
    withSample(command.run, sampleInput),
    deps,
  );
  await using devnet = await start(options, deps);
  const signal = AbortSignal.any([deps.signal, devnet.signal]);
  const failure = await execute(devnet.state, prepared, { ...deps, signal }).then(
    () => undefined,
    (error: unknown) => error,
  );
  if (command.keep && !signal.aborted) {
    if (failure !== undefined) deps.screen.line("", textOf(failure));
    await keepUp(devnet, prepared.inputArgs, deps);
  }
  if (failure !== undefined) throw failure;
}

async function up(network: NetworkArgs, deps: CommandDeps): Promise<void> {
  const { options, sampleInput } = networkOptions(network, deps);
  const example = sampleInput === undefined ? await exampleInputs(options.specs) : [sampleInput];
  await using devnet = await start(options, deps);
  await keepUp(devnet, example, deps);
}

async function submit(command: Command & { readonly kind: "submit" }, deps: CommandDeps): Promise<void> {
  const state = await readState(
    command.dir === undefined ? undefined : pathOf(deps)(command.dir),
    userCwd(deps.invocation),
  );
  const workflows = await readWorkflows(state.workflows.map(({ specPath }) => specPath));
  const prepared = await prepareRun(workflows, command.run, deps);
  await execute(state, prepared, deps);
}

// ---- what to start

interface NetworkChoice {
  readonly options: DevnetOptions;
  /** The sample's recording, when the sample is what is started. */
  readonly sampleInput: string | undefined;
}

function networkOptions(args: NetworkArgs, deps: CommandDeps): NetworkChoice {
  const cwd = userCwd(deps.invocation);
  const dir =
    args.dir === undefined ? defaultRunDir(cwd, new Date(systemClock.nowMs())) : pathOf(deps)(args.dir);
  const given = args.specs.length > 0;
  const sample = given ? undefined : findSample();
  const handlers = sample?.handlers ?? args.handlers.map(pathOf(deps));
  const specs = sample?.specs ?? args.specs.map(pathOf(deps));
  const { batching, wasm, wep, storage } = args;
  const where = wep === undefined ? {} : { wepUrl: wep };
  return {
    options: { dir, cwd, handlers, specs, batching, wasm, storage, ...where },
    sampleInput: sample?.input,
  };
}

async function start(options: DevnetOptions, deps: CommandDeps): Promise<Devnet> {
  const { screen } = deps;
  const shown = displayPath(options.dir, deps);
  screen.line(`Starting a local network in ${shown} (logs in ${shown}/logs)`);
  return startDevnet(options, {
    signal: deps.signal,
    onPorts(replaced) {
      for (const { name, wanted, got } of replaced)
        screen.line(`  port ${wanted} is taken: ${PORT_USERS[name]} uses ${got} instead`);
    },
    onPart({ name, url, about, afterMs }) {
      screen.line(
        `  ${name.padEnd(5)}  ${url.padEnd(23)}  ${about}  ${screen.style("dim", `(${durationText(afterMs)})`)}`,
      );
    },
  });
}

const PORT_USERS = {
  wep: "the WEP",
  wepHealth: "the WEP's health server",
  wcpAdmin: "the WCP's admin server",
  chain: "the chain",
  store: "the object store",
  storageApi: "the storage broker",
} as const;

async function keepUp(devnet: Devnet, inputArgs: readonly string[], deps: CommandDeps): Promise<void> {
  const { invocation, screen } = deps;
  const inputs = inputArgs.flatMap((input) => ["--input", quoted(input)]);
  const words = [
    ownCommand(invocation),
    "submit",
    ...inputs,
    "--dir",
    quoted(displayPath(devnet.state.dir, deps)),
  ];
  screen.line(
    "",
    "The network stays up; Ctrl-C ends it. To submit to it, in a second terminal:",
    "",
    `  ${words.join(" ")}`,
    "",
  );
  const signal = AbortSignal.any([deps.signal, devnet.signal]);
  if (!signal.aborted) await once(signal, "abort");
  throw signal.reason;
}

/** What to type after `submit` for workflows that are not the sample: the fields of the first one. */
async function exampleInputs(specs: readonly string[]): Promise<readonly string[]> {
  const [first] = await readWorkflows(specs);
  return (first?.spec.activities[0]?.inputs ?? []).map(({ name, isObjectKey }) =>
    isObjectKey ? `${name}=@FILE` : `${name}=VALUE`,
  );
}

// ---- what to run

interface PreparedRun {
  readonly spec: WorkflowSpec;
  readonly inputs: readonly InputValue[];
  /** As typed. */
  readonly inputArgs: readonly string[];
}

async function prepareRun(
  workflows: readonly WorkflowFile[],
  run: RunArgs,
  deps: CommandDeps,
): Promise<PreparedRun> {
  const spec = chooseWorkflow(workflows, run.workflow);
  return { spec, inputs: await parseInputs(spec, run.inputs, pathOf(deps)), inputArgs: run.inputs };
}

function chooseWorkflow(workflows: readonly WorkflowFile[], wanted: string | undefined): WorkflowSpec {
  const [only] = workflows;
  if (wanted === undefined && only !== undefined && workflows.length === 1) return only.spec;
  const found = workflows.find(({ spec }) => spec.workflow === wanted);
  if (found !== undefined) return found.spec;
  const names = workflows.map(({ spec }) => spec.workflow).join(", ");
  const problem =
    wanted === undefined ? "There are several workflows" : `There is no workflow "${wanted}" here`;
  throw new DevnetError("BAD_INPUT", `${problem}; give --workflow with one of: ${names}.`);
}

function withSample(run: RunArgs, sampleInput: string | undefined): RunArgs {
  return run.inputs.length === 0 && sampleInput !== undefined ? { ...run, inputs: [sampleInput] } : run;
}

async function execute(state: DevnetState, prepared: PreparedRun, deps: CommandDeps): Promise<void> {
  const { screen, signal } = deps;
  const { spec, inputs } = prepared;
  const files = inputs.filter((input) => input.kind === "file").map(({ path }) => displayPath(path, deps));
  screen.line("", `Submitting ${spec.workflow}${files.length === 0 ? "" : ` with ${files.join(", ")}`}`);
  const finished = await abortable(
    signal,
    (async () => {
      using live = showLive(spec, screen);
      return await runWorkflow(
        { state, spec, inputs, stallMs: STALL_MS },
        {
          signal,
          onStarted: ({ instance }) => screen.line(`  workflow instance ${instance}`),
          onChange: (run) => live.update(run),
        },
      );
    })(),
  );
  screen.line("", ...reportLines(finished, { columns: screen.columns, cwd: userCwd(deps.invocation) }), "");
  const { outcome } = finished.run;
  if (outcome.kind === "failed") {
    const index = finished.run.steps.findLastIndex(({ kind }) => kind === "failed");
    throw new DevnetError(
      "WORKFLOW_FAILED",
      `${spec.workflow} failed at ${stepNames(spec)[index] ?? "its end"}: ${printable(outcome.reason)}`,
    );
  }
  screen.line(
    screen.style("good", `${spec.workflow} completed; the outputs are in ${displayPath(finished.dir, deps)}`),
  );
}

const STALL_MS = 120_000;

// ---- paths

function pathOf(deps: CommandDeps): (path: string) => string {
  return (path) => resolve(userCwd(deps.invocation), path);
}

function displayPath(path: string, deps: CommandDeps): string {
  const below = relative(userCwd(deps.invocation), path);
  return below.startsWith("..") || isAbsolute(below) ? path : below;
}
