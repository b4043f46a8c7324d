export { createDeferred, type Deferred } from "./deferred.ts";
export { FakeClock, type FakeClockOptions } from "@subnet-worker/kit/fake-clock";
export { OtlpReceiver, type SeenSpan } from "./otlp-receiver.ts";
export { type HttpAnswer, type HttpRequest, ScriptedHttp } from "./scripted-http.ts";
export { ScriptedSocket, SocketPeer } from "./scripted-socket.ts";
export { type MessageKind, type MessageOf, ScriptedWep, WepStream } from "./scripted-wep.ts";
