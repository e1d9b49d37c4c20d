#!/usr/bin/env node
// In JavaScript that any Node reads: one that is too old cannot even load the TypeScript which would tell so.
import "../toolchain/right-node.mjs";
const { run } = await import("./main.ts");
await run(process.argv.slice(2));
