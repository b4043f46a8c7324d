/** Reserves ports, prints them, and holds them until its input ends. */
import { text } from "node:stream/consumers";
import { reservePorts, type Ports } from "../src/ports.ts";

await using reserved = await reservePorts(JSON.parse(process.argv[2] ?? "") as Ports);
process.stdout.write(`${JSON.stringify(Object.values(reserved.ports))}\n`);
await text(process.stdin);
