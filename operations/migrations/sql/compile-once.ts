import { setFlagsFromString } from "node:v8";

/*
 * Otherwise V8 compiles the parser, which is WebAssembly, again while it is used, in the background and optimised: on two
 * cores that takes half a second of processor time from PostgreSQL in the middle of a reversal, and 500 MB, for nothing
 * that pays here.
 */
setFlagsFromString("--no-wasm-tier-up");
setFlagsFromString("--no-wasm-dynamic-tiering");
