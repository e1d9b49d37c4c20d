import { literal } from "../../database/query.ts";
import { z } from "zod";
import { own } from "./attrs.ts";
import type { Grant, SchemaObject } from "./snapshot.ts";

/** How COMMENT ON, GRANT, DROP and OWNER TO name an object. */
export function named({ kind, name, base, attrs }: SchemaObject): string {
  const on = own(attrs).text("on") ?? "";
  switch (kind) {
    case "enum":
    case "range":
    case "composite":
      return `TYPE ${name}`;
    case "attribute":
      return `COLUMN ${name}`;
    case "constraint":
      return `CONSTRAINT ${base} ON ${own(attrs).flag("domain") ? "DOMAIN " : ""}${on}`;
    case "trigger":
    case "rule":
    case "policy":
      return `${kind.toUpperCase()} ${base} ON ${on}`;
    case "other":
      return name;
    default:
      return `${kind.toUpperCase()} ${name}`;
  }
}

/** Owner, comment and privileges of an object that was just made by `owner`, with these default privileges in force. */
export function trimmings(object: SchemaObject, owner: string, standing: readonly SchemaObject[]): string[] {
  return [
    ...(object.owner === null || object.owner === owner ? [] : [ownerStatement(object)]),
    ...(object.comment === null ? [] : [commentStatement(object)]),
    ...columnComments(object),
    ...grantStatements(object, [...defaultGrants(object.kind), ...givenByDefault(object, owner, standing)]),
  ];
}

export function ownerStatement(object: SchemaObject): string {
  return `ALTER ${named(object)} OWNER TO ${object.owner ?? ""}`;
}

export function commentStatement(object: SchemaObject): string {
  return `COMMENT ON ${named(object)} IS ${object.comment === null ? "NULL" : literal(object.comment)}`;
}

/** What gives an object its privileges again; `present` are those that it has. */
export function grantStatements(object: SchemaObject, present: readonly Grant[]): string[] {
  const target = grantTarget(object);
  const wanted = object.acl ?? [];
  return differing(wanted, present).flatMap((grantee) => [
    ...(textOf(present, grantee) === "" ? [] : [`REVOKE ${target("ALL")} FROM ${grantee}`]),
    ...wanted
      .filter((each) => each.grantee === grantee)
      .map(
        ({ privileges, grantable }) =>
          `GRANT ${target(privileges)} TO ${grantee}${grantable ? " WITH GRANT OPTION" : ""}`,
      ),
  ]);
}

/** Whose privileges `grantStatements` takes away before it gives others. */
export function revokedFrom(before: SchemaObject, now: SchemaObject): string[] {
  const present = now.acl ?? [];
  return differing(before.acl ?? [], present).filter((grantee) => textOf(present, grantee) !== "");
}

function differing(wanted: readonly Grant[], present: readonly Grant[]): string[] {
  const grantees = [...new Set([...present, ...wanted].map(({ grantee }) => grantee))];
  return grantees.filter((grantee) => textOf(present, grantee) !== textOf(wanted, grantee));
}

function textOf(grants: readonly Grant[], grantee: string): string {
  return grants
    .filter((each) => each.grantee === grantee)
    .map(({ privileges, grantable }) => `${privileges}${String(grantable)}`)
    .join();
}

function grantTarget({ kind, name, base, attrs }: SchemaObject): (privileges: string) => string {
  if (kind === "column") {
    const table = own(attrs).text("table") ?? "";
    return (privileges) =>
      `${privileges
        .split(", ")
        .map((each) => `${each} (${base})`)
        .join(", ")} ON TABLE ${table}`;
  }
  const other = own(attrs).text("grantOn");
  if (other !== undefined) return (privileges) => `${privileges} ON ${other}`;
  const word: Readonly<Record<string, string>> = {
    schema: "SCHEMA",
    sequence: "SEQUENCE",
    function: "FUNCTION",
    procedure: "PROCEDURE",
    aggregate: "FUNCTION",
    enum: "TYPE",
    range: "TYPE",
    composite: "TYPE",
    domain: "DOMAIN",
  };
  return (privileges) => `${privileges} ON ${word[kind] ?? "TABLE"} ${name}`;
}

function defaultGrants(kind: string): Grant[] {
  if (["function", "procedure", "aggregate"].includes(kind))
    return [{ grantee: "PUBLIC", privileges: "EXECUTE", grantable: false }];
  if (["enum", "range", "composite", "domain"].includes(kind))
    return [{ grantee: "PUBLIC", privileges: "USAGE", grantable: false }];
  return [];
}

/** What ALTER DEFAULT PRIVILEGES gives to an object when it is made. */
function givenByDefault(
  { kind, schema }: SchemaObject,
  owner: string,
  standing: readonly SchemaObject[],
): Grant[] {
  const of: Readonly<Record<string, string>> = {
    ...{ table: "TABLES", view: "TABLES", "materialized view": "TABLES", sequence: "SEQUENCES" },
    ...{ function: "FUNCTIONS", procedure: "FUNCTIONS", aggregate: "FUNCTIONS", schema: "SCHEMAS" },
    ...{ enum: "TYPES", domain: "TYPES", range: "TYPES", composite: "TYPES" },
  };
  return standing.flatMap(({ attrs }) => {
    const { text } = own(attrs);
    const inForce =
      text("role") === owner &&
      text("of") === of[kind] &&
      (text("schema") === undefined || text("schema") === schema);
    const grants = z
      .array(z.object({ grantee: z.string() }))
      .nullish()
      .parse(attrs["grants"]);
    // Which privileges does not matter: those that are wanted are given anew.
    return inForce
      ? (grants ?? []).map(({ grantee }) => ({ grantee, privileges: "by default", grantable: false }))
      : [];
  });
}

function columnComments({ name, attrs }: SchemaObject): string[] {
  const columns = z
    .array(z.object({ name: z.string(), comment: z.string().nullable() }))
    .nullish()
    .parse(attrs["columns"]);
  return (columns ?? []).flatMap((column) =>
    column.comment === null ? [] : [`COMMENT ON COLUMN ${name}.${column.name} IS ${literal(column.comment)}`],
  );
}
