// Writes to the store at argv[2] until it is killed, and says on standard output what is on disk.
import { writeSync } from "node:fs";
import { systemClock } from "@subnet-worker/kit";
import { openStore } from "../src/adapters/sqlite/store.ts";
import { anAttempt, aRequest, aTask, aTransaction, idOf, signed } from "./_builders.ts";

const path = process.argv[2] ?? "";
const store = openStore({ path, chainId: 31_337n, wallet: "0xWallet" }, { clock: systemClock });
for (let number = 1; ; number += 1) {
  const attempt = anAttempt({ txHash: `0x${number}`, raw: `0x02${number}` });
  const [intent] = await Promise.all([
    store.addIntent(aRequest({ key: `intent-${number}` }), number),
    store.saveTask(aTask({ id: idOf(number) }), "new"),
  ]);
  const transaction = aTransaction({ nonce: number, intentIds: [intent.id], attempts: [attempt] });
  await Promise.all([
    store.saveTransaction({ transaction, attempt, intents: [signed(intent, number)] }),
    store.saveTask(aTask({ id: idOf(number), state: { kind: "claiming" } }), "offered"),
    store.saveCursor("enqueued", { blockNumber: number, blockHash: `0xb${number}` }),
  ]);
  writeSync(1, `${number}\n`);
}
