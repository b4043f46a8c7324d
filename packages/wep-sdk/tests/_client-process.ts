// A worker client in a process of its own, to be killed: says on standard output what it has reached.
import { TestStream } from "./_stream.ts";

const [port, activityId] = process.argv.slice(2);
const stream = new TestStream(Number(port));
say("connected");
stream.send("hello", { min: "1.0.0", max: "1.1.0" });
await stream.next("helloAck");
say("hello_ack");
stream.send("assign", {
  activityId: activityId ?? "",
  runId: "run-1",
  taskKind: "test.work",
  taskVersion: "1.0.0",
});
await stream.next("ack");
say("ack");
await stream.next("completion");
say("completion");
await stream.ended;

function say(moment: string): void {
  process.stdout.write(`${moment}\n`);
}
