export { FakeClock, type FakeClockOptions } from "@subnet-worker/kit/fake-clock";
