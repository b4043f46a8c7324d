#!/usr/bin/env node
// `npm create @subnet-worker [DIR]` is `wep init [DIR]`, for those who have nothing installed yet.
process.argv.splice(2, 0, "init");
await import("@subnet-worker/wep/main");
