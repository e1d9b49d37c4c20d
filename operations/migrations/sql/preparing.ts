import type { Node } from "libpg-query";
import { isRecord, walk } from "./parse.ts";

/**
 * What a transaction must not have done to be prepared for two-phase commit (PrepareTransaction in PostgreSQL's xact.c). Locks that
 * belong to the session are in the way only where the transaction has the same ones: both kinds are told apart.
 */
export type Hindrance = "notify" | "temporary" | "cursor" | "snapshot" | "session lock" | "transaction lock";

/** A hindrance as the text has it. */
export interface Hindered {
  readonly kind: Hindrance;
  /** E.g. `NOTIFY`, `a temporary table`. */
  readonly what: string;
}

/** What in a statement stands in the way of preparing its transaction, as far as its text tells. */
export function hindrancesOf(node: Node): Hindered[] {
  if ("NotifyStmt" in node) return [{ kind: "notify", what: "NOTIFY" }];
  if ("ListenStmt" in node) return [{ kind: "notify", what: "LISTEN" }];
  if ("UnlistenStmt" in node) return [{ kind: "notify", what: "UNLISTEN" }];
  if ("DeclareCursorStmt" in node) {
    const holds = ((node.DeclareCursorStmt.options ?? 0) & holdsOpen) !== 0;
    return holds ? [{ kind: "cursor", what: "a cursor WITH HOLD" }] : [];
  }
  const body = "DoStmt" in node ? bodyOf(node.DoStmt.args) : undefined;
  if (body !== undefined)
    return hindrancesIn(body).map(({ kind, what }) => ({ kind, what: `${what} in a DO block` }));
  const found = new Map<Hindrance, Hindered>();
  for (const name of calledFunctions(node)) {
    const kind = byFunction(name);
    if (kind !== undefined) found.set(kind, { kind, what: `${name}()` });
  }
  if (isTemporary(node)) found.set("temporary", { kind: "temporary", what: "a temporary table" });
  return [...found.values()];
}

// CURSOR_OPT_HOLD of PostgreSQL's parsenodes.h.
const holdsOpen = 0x20;

function byFunction(name: string): Hindrance | undefined {
  if (name === "pg_notify") return "notify";
  if (name === "pg_export_snapshot") return "snapshot";
  if (/^pg_(try_)?advisory_xact_lock/.test(name)) return "transaction lock";
  return /^pg_(try_)?advisory_lock/.test(name) ? "session lock" : undefined;
}

const inText: readonly (readonly [Hindrance, string, RegExp])[] = [
  ["notify", "NOTIFY", /\b(un)?listen\s+[\w"]|\bnotify\s+[\w"]|\bpg_notify\s*\(/i],
  [
    "temporary",
    "a temporary table",
    /\b(temp|temporary)\s+(table|view|sequence|recursive)\b|\binto\s+(temp|temporary)\b|\bpg_temp\b/i,
  ],
  ["cursor", "a cursor WITH HOLD", /\bcursor\s+with\s+hold\b/i],
  ["snapshot", "pg_export_snapshot()", /\bpg_export_snapshot\s*\(/i],
  ["session lock", "pg_advisory_lock()", /\bpg_(try_)?advisory_lock(_shared)?\s*\(/i],
  ["transaction lock", "pg_advisory_xact_lock()", /\bpg_(try_)?advisory_xact_lock(_shared)?\s*\(/i],
];

/** The same of the body of a function, in whatever language: by its words, comments apart. */
export function hindrancesIn(body: string): Hindered[] {
  const words = body.replaceAll(/--[^\n]*/g, " ").replaceAll(/\/\*[\s\S]*?\*\//g, " ");
  return inText.flatMap(([kind, what, pattern]) => (pattern.test(words) ? [{ kind, what }] : []));
}

/** A function that a statement makes: its name (lower case, without schema) and its body. */
export function madeFunction(node: Node): { name: string; body: string } | undefined {
  if (!("CreateFunctionStmt" in node)) return undefined;
  const body = bodyOf(node.CreateFunctionStmt.options);
  const last = node.CreateFunctionStmt.funcname?.at(-1);
  const name = last !== undefined && "String" in last ? last.String.sval : undefined;
  return body === undefined || name === undefined ? undefined : { name: name.toLowerCase(), body };
}

/** The function that a statement makes a trigger call, by its last name. */
export function triggerFunction(node: Node): string | undefined {
  if (!("CreateTrigStmt" in node)) return undefined;
  const last = node.CreateTrigStmt.funcname?.at(-1);
  return last !== undefined && "String" in last ? last.String.sval?.toLowerCase() : undefined;
}

/** Names of functions and procedures that a statement calls, without schema, lower case. */
export function calledFunctions(node: unknown): string[] {
  const names: string[] = [];
  walk(node, (kind, { funcname }) => {
    if (kind !== "FuncCall" || !Array.isArray(funcname)) return;
    const last: unknown = funcname.at(-1);
    const text = isRecord(last) && isRecord(last["String"]) ? last["String"]["sval"] : undefined;
    if (typeof text === "string") names.push(text.toLowerCase());
  });
  return names;
}

/** The text behind AS. */
function bodyOf(options: readonly Node[] | undefined): string | undefined {
  const texts: string[] = [];
  for (const each of options ?? []) {
    if (!("DefElem" in each) || each.DefElem.defname !== "as") continue;
    walk([each.DefElem.arg], (kind, { sval }) => {
      if (kind === "String" && typeof sval === "string") texts.push(sval);
    });
  }
  return texts.length === 0 ? undefined : texts.join("\n");
}

/** Whether anything below is temporary; references also sit in fields without a kind, as in SELECT INTO. */
function isTemporary(node: unknown): boolean {
  if (Array.isArray(node)) return node.some(isTemporary);
  if (!isRecord(node)) return false;
  const { relpersistence, schemaname, sval } = node;
  return (
    relpersistence === "t" ||
    schemaname === "pg_temp" ||
    sval === "pg_temp" ||
    Object.values(node).some(isTemporary)
  );
}
