export { createDeferred, type Deferred } from "./deferred.ts";
export { FakeClock, type FakeClockOptions } from "./fake-clock.ts";
