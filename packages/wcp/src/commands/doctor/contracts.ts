import { createEvmGates } from "../../adapters/evm/gates.ts";
import { StoreInspector } from "../../adapters/sqlite/inspect.ts";
import type { Config } from "../../config.ts";
import { gateOptions } from "../../open.ts";
import type { Chain } from "../../chain-ports.ts";
import type { Gate } from "../../ports.ts";
import { fail, ok, type Outcome, warn } from "./check.ts";
import type { Patient } from "./patient.ts";

const NOBODY = `0x${"0".repeat(40)}`;

interface GateCheck {
  readonly id: string;
  readonly title: string;
  readonly well: string;
  readonly needs: readonly string[];
}

const CODE = "contracts.code";

/** The node's own gates, by their names; those of the endpoints and of the worker are looked at more closely elsewhere. */
const GATES: Readonly<Record<string, GateCheck>> = {
  CONTRACT_ADDRESS: { id: "contracts.addresses", title: "addresses", well: "all different", needs: [] },
  GENESIS: {
    id: "contracts.genesis",
    title: "chain's first block",
    well: "no other than the database knows",
    needs: ["rpc.usable"],
  },
  CONTRACT_CODE: {
    id: CODE,
    title: "code",
    well: "at every address",
    needs: ["rpc.usable", "contracts.addresses"],
  },
  CONTRACT_VERSION: {
    id: "contracts.control_plane",
    title: "SubnetControlPlane",
    well: "is one, of a version this node works with",
    needs: [CODE],
  },
  TASK_QUEUE: { id: "contracts.task_queue", title: "TaskQueue", well: "is one", needs: [CODE] },
  WORKFLOW_ENGINE: {
    id: "contracts.workflow_engine",
    title: "WorkflowEngine",
    well: "is one",
    needs: [CODE],
  },
};

/** Whether each address holds what its setting says. */
export function examineContracts(patient: Patient, chain: Chain): void {
  const { exam, config, wallet } = patient;
  const gates = createEvmGates(gateOptions(config, wallet ?? NOBODY), {
    chain,
    probe: () => chain.chainId(),
    store: { genesisHash: () => knownGenesis(config), saveGenesisHash: async () => undefined },
  });
  for (const gate of gates) {
    const check = GATES[gate.name];
    if (check === undefined) continue;
    void exam.check({
      group: "contracts",
      id: check.id,
      title: check.title,
      needs: check.needs,
      run: () => lookThrough(gate, check),
    });
  }
}

function knownGenesis({ db }: Config): string | undefined {
  try {
    using inspector = new StoreInspector(db.path);
    return inspector.identity.genesisHash;
  } catch {
    return undefined; // what is wrong with the database is told by its own check
  }
}

async function lookThrough(gate: Gate, { well }: GateCheck): Promise<Outcome> {
  const verdict = await gate.check();
  if (verdict.kind === "open") return ok(well);
  // A gate's reason is what it saw, and then what to do.
  const [detail = "", ...advice] = verdict.reason.split("; ");
  return (verdict.kind === "refuse" ? fail : warn)(detail, advice.join("; "));
}
