import { ScriptedSocket } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import { aBlock } from "./_rpc-bench.ts";
import { HeadsBench, PING_MS, POLL_MS, push, STALE_MS, startPushed, welcome } from "./_rpc-heads-bench.ts";
import { settle, until } from "./_until.ts";

describe("pushed heads", () => {
  it("spare the polls while they come", async () => {
    const { bench, clock, socket, peer } = await startPushed();
    await using _socket = socket;
    await using _bench = bench;
    const { polls } = bench;
    for (let number = 3; number < 33; number += 1) {
      await clock.advance(POLL_MS);
      peer.send(push(aBlock(number)));
      await until(() => bench.announced.includes(`0xh${number}`));
    }
    expect(bench.polls).toBe(polls);
    expect(bench.announced).toHaveLength(32);
  });

  it("cost one poll now and then on a chain that is quiet", async () => {
    const { bench, clock, socket, peer } = await startPushed();
    await using _socket = socket;
    await using _bench = bench;
    bench.polled(aBlock(2));
    const { polls } = bench;
    for (let second = 0; second < 60; second += 1) {
      await clock.advance(POLL_MS);
      await settle(30);
    }
    expect(bench.polls - polls).toBe(4);
    expect(peer.heard).toHaveLength(2);
    expect(bench.logs.at("debug")).toEqual([]);
  });

  it("fault 33: a websocket that falls silent is polled behind, and left when it misses a head", async () => {
    const { bench, clock, socket } = await startPushed();
    await using _socket = socket;
    await using _bench = bench;
    const { polls } = bench;
    bench.polled(aBlock(9));
    await clock.advance(STALE_MS - POLL_MS);
    await settle(30);
    expect(bench.polls).toBe(polls);
    await bench.poll();
    expect(bench.announced.at(-1)).toBe("0xh9");
    await until(async () => {
      await clock.advance(POLL_MS);
      return bench.logs.at("debug").length > 0;
    });
    expect(bench.logs.lines.at(-1)).toMatchObject({ reason: "it delivers no heads" });
    // Polled at once from now on, and a new socket is opened.
    await bench.poll(aBlock(10));
    expect(bench.announced.at(-1)).toBe("0xh10");
    await welcome(await socket.next());
  });

  it("fault 33: a websocket that answers no ping is left", async () => {
    const { bench, clock, socket, peer } = await startPushed();
    await using _socket = socket;
    await using _bench = bench;
    peer.answersPing = false;
    bench.polled(aBlock(2));
    await until(async () => {
      await clock.advance(POLL_MS);
      await settle(10);
      return bench.logs.at("debug").length > 0;
    });
    expect(bench.logs.lines.at(-1)).toMatchObject({ reason: "silent" });
    expect(clock.monotonicMs()).toBeLessThanOrEqual(3 * PING_MS);
    await peer.closed;
  });

  it("fault 33: a websocket that never gets to a subscription is left", async () => {
    await using socket = await ScriptedSocket.listen();
    await using bench = await HeadsBench.start({ wsUrls: [socket.url] });
    const peer = await socket.next();
    await until(async () => {
      await bench.clock.advance(POLL_MS);
      await settle(10);
      return bench.logs.at("debug").length > 0;
    });
    expect(bench.logs.lines.at(-1)).toMatchObject({ reason: "no subscription in time" });
    await peer.closed;
  });

  it.each<readonly [string, string, string]>([
    [
      "refuses",
      '{"jsonrpc":"2.0","id":2,"error":{"code":-32601,"message":"no newHeads"}}',
      "it refuses the subscription to new heads",
    ],
    [
      "has no chain id",
      '{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no"}}',
      "it does not tell its chain id",
    ],
  ])("are polled for where the endpoint %s", async (_what, answer, reason) => {
    await using socket = await ScriptedSocket.listen();
    await using bench = await HeadsBench.start({ wsUrls: [socket.url] });
    const peer = await socket.next();
    peer.send(answer);
    await until(() => bench.logs.at("debug").length === 1);
    expect(bench.logs.lines.at(-1)).toMatchObject({ reason });
    await bench.poll(aBlock(2));
    expect(bench.announced.at(-1)).toBe("0xh2");
  });

  it("fault 35: are not asked of a websocket endpoint of another chain, and the next endpoint is used", async () => {
    await using wrong = await ScriptedSocket.listen();
    await using right = await ScriptedSocket.listen();
    await using bench = await HeadsBench.start({ wsUrls: [wrong.url, right.url] });
    const stranger = await wrong.next();
    await welcome(stranger, 8n);
    await until(() => bench.logs.at("error").length === 1);
    expect(bench.logs.at("error")).toEqual([
      "a websocket endpoint serves another chain and is not used; correct ethereum.ws_url",
    ]);
    expect(stranger.heard).toHaveLength(1);
    await bench.clock.advance(POLL_MS);
    const peer = await right.next();
    await welcome(peer);
    peer.send(push(aBlock(2)));
    await until(() => bench.announced.at(-1) === "0xh2");
  });

  it("come again over a new socket after the old one was cut, and polls fill in meanwhile", async () => {
    const { bench, socket, peer } = await startPushed();
    await using _socket = socket;
    await using _bench = bench;
    peer.cut();
    await until(() => bench.logs.at("debug").includes("head subscription lost; polling meanwhile"));
    await bench.poll(aBlock(6));
    expect(bench.announced.at(-1)).toBe("0xh6");
    const again = await socket.next();
    await welcome(again);
    again.send(push(aBlock(7)));
    await until(() => bench.announced.at(-1) === "0xh7");
  });

  it("that go back are first looked at by a poll", async () => {
    const { bench, socket, peer } = await startPushed();
    await using _socket = socket;
    await using _bench = bench;
    bench.polled(aBlock(2, "0xother2", "0xh1"));
    peer.send(push(aBlock(2, "0xother2", "0xh1")));
    await settle(50);
    expect(bench.announced).toEqual(["0xh1", "0xh2"]);
    await bench.poll();
    expect(bench.announced).toEqual(["0xh1", "0xh2", "0xother2"]);
    // Higher ones need no poll, whatever they descend from.
    const { polls } = bench;
    peer.send(push(aBlock(3, "0xthird3", "0xthird2")));
    await until(() => bench.announced.at(-1) === "0xthird3");
    expect([bench.polls, bench.heads.hashAt(2)]).toEqual([polls, "0xthird2"]);
  });

  it("are tried for again and again while nothing listens there", async () => {
    const socket = await ScriptedSocket.listen();
    const { url } = socket;
    await socket[Symbol.asyncDispose]();
    await using bench = await HeadsBench.start({ wsUrls: [`${url}/SECRETKEY`] });
    const lost = () => bench.logs.at("debug").length;
    while (lost() < 4) {
      await bench.clock.advance(POLL_MS);
      await settle(5);
    }
    expect(bench.heads.latest()?.number).toBe(1);
    expect(bench.logs.text()).not.toContain("SECRETKEY");
  });

  it("among garbage are found, and the garbage does no harm", async () => {
    const { bench, socket, peer } = await startPushed();
    await using _socket = socket;
    await using _bench = bench;
    const garbage = [
      "not json",
      "",
      "null",
      "[]",
      "7",
      '"text"',
      "{}",
      '{"method":"eth_subscription"}',
      '{"method":"eth_subscription","params":null}',
      '{"method":"eth_subscription","params":[]}',
      push(undefined),
      push(null),
      push({}),
      push({ ...aBlock(50), hash: null }),
      push({ ...aBlock(51), number: "fifty" }),
      push({ ...aBlock(52), timestamp: [] }),
      '{"jsonrpc":"2.0","id":9,"error":{"code":-32601,"message":"something else"}}',
    ];
    for (const text of garbage) peer.send(text);
    peer.send(push(aBlock(1)));
    peer.send(push(aBlock(3)));
    await until(() => bench.announced.at(-1) === "0xh3");
    expect(bench.announced).toEqual(["0xh1", "0xh2", "0xh3"]);
  });

  it("survive a frame that is none", async () => {
    const { bench, socket, peer } = await startPushed();
    await using _socket = socket;
    await using _bench = bench;
    peer.sendRaw(Buffer.from([0xff, 0xff, 0xff, 0xff]));
    await until(() => bench.logs.at("debug").length > 0);
    await bench.clock.advance(POLL_MS);
    await welcome(await socket.next());
  });

  it("end at once with the process, also on a socket that never answers a close", async () => {
    const { bench, socket, peer } = await startPushed();
    await using _socket = socket;
    peer.answersClose = false;
    await bench[Symbol.asyncDispose]();
    await peer.closed;
  });
});
