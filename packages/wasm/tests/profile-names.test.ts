import { expect, it } from "vitest";
import { functionName } from "../src/profile/function-name.ts";

it.each([
  ["_ZN4core3fmt5write17h0123456789abcdefE", "core::fmt::write"],
  [
    "_ZN3std2rt10lang_start28_$u7b$$u7b$closure$u7d$$u7d$17h8f2c1d3e4b5a6978E",
    "std::rt::lang_start::{{closure}}",
  ],
  [
    "_ZN60_$LT$alloc..string..String$u20$as$u20$core..fmt..Display$GT$3fmt17h00112233445566ffE",
    "<alloc::string::String as core::fmt::Display>::fmt",
  ],
  ["__ZN1a1b17h0123456789abcdefE", "a::b"],
  ["_ZN1a1b17h0123456789abcdefE.llvm.0A1B2C", "a::b"],
  // C++, names that only look like it, and others.
  ["_ZN3foo3barE", "_ZN3foo3barE"],
  ["_ZN99999foo17h0123456789abcdefE", "_ZN99999foo17h0123456789abcdefE"],
  ["_ZN3fooE", "_ZN3fooE"],
  ["_ZNE", "_ZNE"],
  ["_ZN1$uffffff$17h0123456789abcdefE", "_ZN1$uffffff$17h0123456789abcdefE"],
  ["main", "main"],
  ["~lib/rt/itcms/__new", "~lib/rt/itcms/__new"],
])("shows %s as %s", (mangled, shown) => {
  expect(functionName(mangled)).toBe(shown);
});
