import { own } from "./attrs.ts";
import type { SchemaObject, Snapshot } from "./snapshot.ts";

/** Objects whose names others' definitions carry come first; each group is read anew after the one before it. */
export const renameGroups: readonly (readonly string[])[] = [
  ["schema"],
  [
    ...["enum", "domain", "range", "composite", "table", "foreign table", "view", "materialized view"],
    ...["function", "procedure", "aggregate"],
  ],
  // A table takes its own along to another schema.
  ["sequence", "index", "statistics"],
  ["column", "attribute", "constraint", "trigger", "rule", "policy"],
];

/**
 * Statements that give objects of these kinds the names and schemas again that they had before, found by the server's own identity
 * of them. Whoever has taken such a name since gets another one for the moment; the comparison that follows drops it.
 */
export function renames(before: Snapshot, now: Snapshot, kinds: readonly string[]): string[] {
  const current = new Map([...now.objects.values()].map((object) => [identityOf(object), object]));
  const holders = new Map([...current].map(([identity, object]) => [place(object), identity]));
  const statements: string[] = [];
  const call = (identity: string, object: SchemaObject, called: SchemaObject, statement: string): void => {
    statements.push(statement);
    holders.delete(place(object));
    holders.set(place(called), identity);
    current.set(identity, called);
  };
  let number = 0;
  for (const wanted of before.objects.values()) {
    const identity = identityOf(wanted);
    const object = current.get(identity);
    if (!kinds.includes(wanted.kind) || object === undefined || isInherited(object)) continue;
    const moved = wanted.schema !== object.schema;
    if (wanted.base === object.base && !moved) continue;
    const holder = holders.get(place({ ...object, schema: wanted.schema, base: wanted.base }));
    const held = holder === undefined || holder === identity ? undefined : current.get(holder);
    if (holder !== undefined && held !== undefined) {
      number++;
      const base = `"~before the rollback ${number}"`;
      call(holder, held, { ...held, base, name: nameWith(held, held.schema, base) }, rename(held, base));
    }
    let now_ = object;
    if (moved) {
      const there = { ...now_, schema: wanted.schema, name: nameWith(now_, wanted.schema, now_.base) };
      call(identity, now_, there, `ALTER ${subject(now_)} SET SCHEMA ${wanted.schema ?? ""}`);
      now_ = there;
    }
    if (wanted.base !== now_.base)
      call(identity, now_, { ...wanted, attrs: now_.attrs }, rename(now_, wanted.base));
  }
  return statements;
}

function nameWith({ kind, name, attrs }: SchemaObject, schema: string | null, base: string): string {
  if (schema !== null)
    return `${schema}.${base}${name.includes("(") && isRoutine(kind) ? name.slice(name.indexOf("(")) : ""}`;
  const on = own(attrs).text("on") ?? own(attrs).text("table");
  return on === undefined ? base : `${on}${kind === "column" || kind === "attribute" ? "." : " "}${base}`;
}

function isRoutine(kind: string): boolean {
  return ["function", "procedure", "aggregate"].includes(kind);
}

function identityOf({ id, kind }: SchemaObject): string {
  return `${kind} ${id}`;
}

/** Where a name has to be unique: relations share one name space, parts have their table's. */
function place({ kind, parent, name, schema, base }: SchemaObject): string {
  const relations = ["table", "foreign table", "view", "materialized view", "sequence", "index", "composite"];
  if (relations.includes(kind)) return `relation ${schema ?? ""}.${base}`;
  if (isRoutine(kind)) return `routine ${schema ?? ""}.${base}${name.slice(name.indexOf("("))}`;
  return `${kind} ${parent ?? schema ?? ""}.${base}`;
}

/** What a parent table gives and takes back itself. */
function isInherited({ kind, attrs }: SchemaObject): boolean {
  return (kind === "column" || kind === "constraint") && attrs["local"] === false;
}

function rename(object: SchemaObject, to: string): string {
  const on = own(object.attrs).text("on") ?? own(object.attrs).text("table") ?? "";
  switch (object.kind) {
    case "column":
      return `ALTER TABLE ${on} RENAME COLUMN ${object.base} TO ${to}`;
    case "attribute":
      return `ALTER TYPE ${on} RENAME ATTRIBUTE ${object.base} TO ${to}`;
    case "constraint":
      return `ALTER ${own(object.attrs).flag("domain") ? "DOMAIN" : "TABLE"} ${on} RENAME CONSTRAINT ${object.base} TO ${to}`;
    default:
      return `ALTER ${subject(object)} RENAME TO ${to}`;
  }
}

function subject(object: SchemaObject): string {
  const { kind, name, base, attrs } = object;
  if (["trigger", "rule", "policy"].includes(kind))
    return `${kind.toUpperCase()} ${base} ON ${own(attrs).text("on") ?? ""}`;
  return `${["enum", "range", "composite"].includes(kind) ? "TYPE" : kind.toUpperCase()} ${name}`;
}
