import { EXIT } from "@subnet-worker/kit";
import type { Invocation, RunCommand } from "../command.ts";
import { directChain, directEndpoints } from "../direct-rpc.ts";
import { Examination, type Finding } from "./check.ts";
import { examineConfiguration, examineSettings } from "./configuration.ts";
import { examineContracts } from "./contracts.ts";
import { examineKey } from "./key.ts";
import { examineMachine } from "./machine.ts";
import type { Patient } from "./patient.ts";
import { isHealthy, renderFindings, summaryOf } from "./render.ts";
import { examineRpc } from "./rpc.ts";
import { examineStorage } from "./storage.ts";
import { examineWallet } from "./wallet.ts";
import { examineWeps } from "./wep.ts";

/**
 * `wcp doctor`: looks at everything the node depends on, while the node runs or not. It takes no lock and
 * writes nothing but one tiny object in the bucket. Exit code 1 when something would stop the node.
 */
export const doctor: RunCommand = async (invocation) => {
  const { io, options } = invocation;
  const findings = await examine(invocation);
  const healthy = isHealthy(findings);
  if (options["json"] === true) {
    io.out(
      `${JSON.stringify({ version: 1, healthy, summary: summaryOf(findings).replace("\n", " "), findings }, undefined, 2)}\n`,
    );
  } else {
    io.out(renderFindings(findings, io.isTerminal && (io.env["NO_COLOR"] ?? "") === ""));
  }
  return healthy ? EXIT.ok : EXIT.fault;
};

/** Everything that was found. */
export async function examine(invocation: Invocation): Promise<readonly Finding[]> {
  const { io, signal } = invocation;
  const exam = new Examination(io.clock);
  const config = await examineConfiguration(invocation, exam);
  if (config === undefined) return exam.all();
  const endpoints = directEndpoints(config, { clock: io.clock, signal });
  const patient: Patient = {
    config,
    io,
    signal,
    exam,
    endpoints,
    specs: [],
    wallet: undefined,
    node: { isRunning: false },
  };
  await examineSettings(patient);
  // Before anything that is timed: decrypting keeps a core busy for a second.
  await examineKey(patient);
  examineMachine(patient);
  const usable = await examineRpc(patient);
  const chain = directChain(usable.length === 0 ? endpoints : usable);
  examineContracts(patient, chain);
  examineWallet(patient, chain, usable);
  await examineWeps(patient);
  examineStorage(patient);
  return exam.all();
}
