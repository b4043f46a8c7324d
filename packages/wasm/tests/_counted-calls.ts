import { ADD_ONE, COUNT_DOWN, type Counted, run, withParam } from "./_counted.ts";

const THROWS = "(tag $e (param i32)) (func $t (throw $e (i32.const 3)))";

/** Calls of all kinds. */
export const CALLS: readonly Counted[] = [
  { name: "a call", text: `${ADD_ONE} ${run("(call $f (i32.const 1))")}`, value: 2, fuel: 7n },
  {
    name: "a call of an import",
    text: `(import "env" "five" (func $five (result i32))) ${run("(call $five)")}`,
    value: 5,
    fuel: 2n,
    options: { imports: { env: { five: () => 5 } } },
  },
  {
    name: "an indirect call",
    text: `(type $t (func (param i32) (result i32))) (table funcref (elem $f)) ${ADD_ONE}
      ${run("(call_indirect (type $t) (i32.const 1) (i32.const 0))")}`,
    value: 2,
    fuel: 8n,
  },
  {
    name: "recursion",
    text: `(func $fib (export "run") (param i32) (result i32) (if (result i32) (i32.lt_s (local.get 0) (i32.const 2))
      (then (local.get 0)) (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
        (call $fib (i32.sub (local.get 0) (i32.const 2)))))))`,
    args: [10],
    value: 55,
    fuel: 89n * 6n + 88n * 14n,
  },
  {
    name: "tail calls, which leave no frame",
    text: `(func $count (param i32) (result i32) (if (i32.eqz (local.get 0)) (then (return (i32.const 7))))
      (return_call $count (i32.sub (local.get 0) (i32.const 1))))
      ${withParam("(return_call $count (local.get 0))")}`,
    args: [20_000],
    value: 7,
    fuel: 20_000n * 8n + 5n + 3n,
    options: { stackBytes: 1000 },
  },
  {
    name: "indirect tail calls, which leave no frame",
    text: `(type $t (func (param i32) (result i32))) (table funcref (elem $count))
      (func $count (type $t) (if (i32.eqz (local.get 0)) (then (return (i32.const 7))))
        (return_call_indirect (type $t) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0)))
      ${withParam("(call $count (local.get 0))")}`,
    args: [200_000],
    value: 7,
    fuel: 200_000n * 9n + 5n + 3n,
    options: { stackBytes: 1000 },
  },
  {
    name: "many results",
    text: `(func $two (result i32 i32) (i32.const 3) (i32.const 4)) ${run("(call $two) (i32.add)")}`,
    value: 7,
    fuel: 1n + 1n + 3n + 1n,
  },
  {
    name: "a start section",
    text: `(global $g (mut i32) (i32.const 0)) (func $s (global.set $g (i32.const 4))) (start $s)
      ${run("(global.get $g)")}`,
    value: 4,
    fuel: 3n + 2n,
  },
];

/** Exceptions that are thrown and caught. */
export const EXCEPTIONS: readonly Counted[] = [
  {
    name: "throw and catch",
    text: `(tag $e (param i32)) ${run(
      "(try (result i32) (do (throw $e (i32.const 5))) (catch $e (i32.add (i32.const 1))))",
    )}`,
    value: 6,
    fuel: 5n,
  },
  {
    name: "a call that throws: what follows it costs nothing",
    text: `${THROWS} ${run("(try (result i32) (do (call $t) (i32.add (i32.const 1) (i32.const 1))) (catch $e))")}`,
    value: 3,
    fuel: 5n,
  },
  {
    name: "catch_all and rethrow",
    text: `${THROWS} ${run(`(try (result i32)
      (do (try (do (call $t)) (catch_all (rethrow 0))) (i32.const 0)) (catch $e))`)}`,
    value: 3,
    fuel: 6n,
  },
  {
    name: "delegate",
    text: `${THROWS} ${run("(try (result i32) (do (try (do (call $t)) (delegate 0)) (i32.const 0)) (catch $e))")}`,
    value: 3,
    fuel: 5n,
  },
  {
    name: "a try in a loop that nothing is thrown in",
    text: `${THROWS} ${withParam(`(loop $l (try (do (drop (i32.const 1))) (catch $e (drop))) ${COUNT_DOWN})
      (local.get 0)`)}`,
    args: [3],
    value: 0,
    fuel: 1n + 3n * 6n + 1n,
  },
  {
    name: "what an import throws is caught",
    text: `(import "env" "fail" (func $fail)) ${run(
      "(try (result i32) (do (call $fail) (i32.const 1)) (catch_all (i32.const 2)))",
    )}`,
    value: 2,
    fuel: 3n,
    options: {
      imports: {
        env: {
          fail: () => {
            throw new Error("no");
          },
        },
      },
    },
  },
];
