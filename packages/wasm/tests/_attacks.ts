/** Fields of a module that exports `run` with one parameter, and with what it is called. */
export interface Attack {
  readonly name: string;
  readonly text: string;
  readonly args: readonly number[];
}

/** So that what they are called with decides where they go. */
const ARGS = [0, 1, 2, 3, 4, 5, 7, 100] as const;

/** Loops that keep account of their fuel, and ways into and out of them. */
export const IN_LOOPS: readonly Attack[] = [
  {
    name: "a branch with values out of a loop that keeps its fuel in a local",
    text: `(func (export "run") (param i32) (result i32) (local $i i32)
      (block $out (result i32 i32)
        (loop $l
          (br_if $out (local.get $i) (i32.const 9) (i32.gt_u (local.get $i) (i32.const 50)))
          (drop) (drop)
          (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get 0))))
        (i32.const 1) (i32.const 2))
      (i32.add))`,
    args: ARGS,
  },
  {
    name: "a branch with values to a loop's start, from the loop in it",
    text: `(func (export "run") (param i32) (result i32)
      (local.get 0)
      (loop $l (param i32) (result i32)
        (local.set 0)
        (loop $m (br_if $l (i32.sub (local.get 0) (i32.const 1)) (i32.and (local.get 0) (i32.const 1)))
          (drop)
          (br_if $m (i32.and (local.tee 0 (i32.shr_u (local.get 0) (i32.const 1))) (i32.const 6))))
        (local.get 0)))`,
    args: ARGS,
  },
  {
    name: "br_table out of loops, to their starts, with values, and out of the function",
    text: `(func (export "run") (param i32) (result i32) (local $i i32)
      (block $c (result i32) (block $b (result i32)
        (loop $outer (result i32)
          (loop $inner (result i32)
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (block $again
              (br_if $again (i32.lt_u (local.get $i) (i32.const 20)))
              (br_table $b $c 4 $b (local.get $i) (local.get 0)))
            (block $x (block $y (br_table $x $y $inner $outer (i32.rem_u (local.get $i) (i32.const 4))))
              (br_if $inner (i32.lt_u (local.get $i) (i32.const 90)))
              (return (i32.const 77)))
            (br $outer))))
        (i32.add (i32.const 1)))
      (i32.add (i32.const 2)))`,
    args: ARGS,
  },
  {
    name: "returns and traps within loops within loops",
    text: `(memory 1) (func (export "run") (param i32) (result i32) (local $i i32) (local $j i32)
      (loop $a
        (local.set $j (i32.const 0))
        (loop $b
          (if (i32.eq (i32.mul (local.get $i) (local.get $j)) (i32.const 12))
            (then (return (i32.add (local.get $i) (i32.const 1000)))))
          (if (i32.eq (local.get $j) (i32.const 6)) (then (drop (i32.div_u (i32.const 1) (local.get $i)))))
          (br_if $b (i32.lt_u (local.tee $j (i32.add (local.get $j) (i32.const 1))) (local.get 0))))
        (br_if $a (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get 0))))
      (local.get $i))`,
    args: ARGS,
  },
  {
    name: "calls in loops with loops in them, before and after",
    text: `(func $f (param i32) (result i32) (loop $l (result i32)
        (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
        (br_if $l (i32.gt_s (local.get 0) (i32.const 0))) (local.get 0)))
      (func (export "run") (param i32) (result i32) (local $i i32)
        (loop $a
          (loop $x (br_if $x (i32.and (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 3))))
          (if (i32.and (local.get 0) (i32.const 1)) (then (local.set $i (call $f (local.get $i)))))
          (loop $y (br_if $y (i32.and (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 7))))
          (br_if $a (i32.gt_s (local.tee 0 (i32.sub (local.get 0) (i32.const 1))) (i32.const 0))))
        (local.get $i))`,
    args: ARGS,
  },
  {
    name: "an if without else that takes and leaves values, in a loop",
    text: `(func (export "run") (param i32) (result i32) (local $i i32)
      (loop $l (result i32)
        (local.get $i) (local.get 0)
        (i32.and (local.get $i) (i32.const 1))
        (if (param i32 i32) (result i32 i32) (then (i32.add (i32.const 3)) (br_if 0 (i32.const 4))))
        (i32.add) (local.set 0)
        (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 9)))
        (local.get 0)))`,
    args: ARGS,
  },
  {
    name: "memory.grow, and bulk operators on two memories, in loops",
    text: `(memory $a 1 3) (memory $b 1 2) (data $d "abcdefgh") (table $t 4 funcref) (elem $e func $f $f)
      (func $f)
      (func (export "run") (param i32) (result i32) (local $i i32)
        (loop $g (drop (memory.grow $a (local.get 0)))
          (br_if $g (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 5))))
        (loop $l
          (memory.fill $b (local.get $i) (i32.const 7) (local.get 0))
          (memory.copy $a $b (i32.const 3) (i32.const 5) (i32.mul (local.get 0) (i32.const 3)))
          (memory.init $b $d (i32.const 9) (i32.const 0) (i32.and (local.get 0) (i32.const 7)))
          (table.init $t $e (i32.const 0) (i32.const 0) (i32.and (local.get 0) (i32.const 1)))
          (table.copy $t $t (i32.const 0) (i32.const 1) (i32.and (local.get 0) (i32.const 3)))
          (table.fill $t (i32.const 0) (ref.func $f) (i32.and (local.get 0) (i32.const 3)))
          (drop (table.grow $t (ref.null func) (local.get 0)))
          (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 9))))
        (data.drop $d) (elem.drop $e)
        (i32.add (memory.size $a) (table.size $t)))`,
    args: ARGS,
  },
  {
    name: "a loop that is left by falling out of a try, and one around it",
    text: `(tag $t (param i32)) (func $throws (param i32) (throw $t (local.get 0)))
      (func (export "run") (param i32) (result i32) (local $i i32)
        (loop $a
          (try (do (loop $l (try (do (br_if $l (i32.and (i32.const 3)
                 (local.tee $i (i32.add (local.get $i) (i32.const 1)))))) (catch_all (local.set $i (i32.const 99)))))
                 (if (i32.and (local.get 0) (i32.const 1)) (then (call $throws (local.get $i)))))
               (catch $t (local.set $i) (loop $m (br_if $m (i32.and (i32.const 5)
                 (local.tee $i (i32.add (local.get $i) (i32.const 1)))))))
               (catch_all (local.set $i (i32.const 98))))
          (br_if $a (i32.gt_s (local.tee 0 (i32.sub (local.get 0) (i32.const 1))) (i32.const 0))))
        (local.get $i))`,
    args: ARGS,
  },
];

/** Calls, direct and not, and what is thrown through them. */
export const CALLS: readonly Attack[] = [
  {
    name: "code that is not reached: calls that are handed the stack, tables of branches, growth",
    text: `(type $t (func (param i32) (result i32))) (memory 1) (table 2 funcref) (elem (i32.const 0) $r $r)
      (func $r (param i32) (result i32) (if (result i32) (local.get 0)
        (then (i32.add (call $r (i32.sub (local.get 0) (i32.const 1))) (i32.const 1))) (else (i32.const 0))))
      (func $dead (result i32) (i32.const 4) (return) (call $r) (call $r) (drop)
        (block $x (result i32) (unreachable) (br_table $x $x $x) (loop (result i32) (unreachable) (br_table $x $x $x) (br_if $x)))
        (call_indirect (type $t)) (memory.grow) (memory.fill) (drop (table.size)))
      (func $dead2 (result i32) (block (unreachable)) (call $r (i32.const 1)))
      (func (export "run") (param i32) (result i32)
        (i32.add (call $r (local.get 0)) (i32.add (call $dead)
          (block (result i32) (br 0 (i32.const 2)) (return_call $r) (i32.const 1) (call $dead2) (return_call $r)))))`,
    args: ARGS,
  },
  {
    name: "recursion through a table, through an export, and through a global's ref.func",
    text: `(type $t (func (param i32) (result i32))) (table 3 funcref) (elem (i32.const 0) $f $g)
      (global $ref funcref (ref.func $h))
      (elem declare func $k)
      (func $f (type $t) (if (result i32) (local.get 0)
        (then (call_indirect (type $t) (i32.sub (local.get 0) (i32.const 1)) (i32.and (local.get 0) (i32.const 1))))
        (else (i32.const 5))))
      (func $g (export "g") (type $t)
        (table.set (i32.const 2) (global.get $ref))
        (i32.add (call $f (local.get 0)) (call_indirect (type $t) (local.get 0) (i32.const 2))))
      (func $h (type $t) (table.set (i32.const 2) (ref.func $k)) (drop (ref.func $k))
        (call_indirect (type $t) (local.get 0) (i32.const 2)))
      (func $k (type $t) (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 1))
        (else (call $k (i32.sub (local.get 0) (i32.const 1))))))
      (func (export "run") (param i32) (result i32) (call $g (local.get 0)))`,
    args: [0, 1, 2, 3, 4, 5, 7],
  },
  {
    name: "functions that call the next one twice, and go back on a whim",
    text: `(func $a (param i32) (result i32) (i32.add (call $b (local.get 0)) (call $b (local.get 0))))
      (func $b (param i32) (result i32) (i32.add (call $c (local.get 0)) (call $c (local.get 0))))
      (func $c (param i32) (result i32) (if (result i32) (i32.gt_s (local.get 0) (i32.const 0))
        (then (call $a (i32.sub (local.get 0) (i32.const 1)))) (else (call $d (local.get 0)))))
      (func $d (param i32) (result i32) (block (result i32) (br_table 0 1 0 (local.get 0) (local.get 0))))
      (func (export "run") (param i32) (result i32) (call $a (i32.and (local.get 0) (i32.const 3))))`,
    args: ARGS,
  },
  {
    name: "exceptions out of functions that were paid for",
    text: `(tag $t (param i32)) (tag $u)
      (func $deep (param i32) (result i32) (if (i32.eqz (local.get 0)) (then (throw $t (i32.const 3))))
        (i32.add (call $deep (i32.sub (local.get 0) (i32.const 1))) (i32.const 1)))
      (func $maybe (param i32) (result i32) (if (i32.and (local.get 0) (i32.const 1)) (then (throw $u)))
        (i32.const 4) (i32.add (i32.const 5)))
      (func $never (param i32) (throw $t (local.get 0)))
      (func (export "run") (param i32) (result i32)
        (try $x (result i32)
          (do (try (result i32)
            (do (i32.add (call $maybe (local.get 0)) (call $deep (local.get 0))))
            (delegate $x)))
          (catch $u (try $y (result i32) (do (call $never (local.get 0)) (i32.const 1))
            (catch $t (i32.add (i32.const 6))
              (try (param i32) (result i32) (do (br_if $x (local.get 0)) (drop) (rethrow $y))
                (catch_all (i32.const 9))))))
          (catch_all (i32.const 8))))`,
    args: ARGS,
  },
];
