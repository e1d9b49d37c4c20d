import { OperationFailed } from "../errors.ts";
import type { Properties } from "../model.ts";
import { flag, text, texts } from "../values.ts";
import { identifier, identifiers, routine } from "./quote.ts";

const ofDatabase = ["database", "foreign_data_wrapper", "foreign_server"];
const routines = ["function", "procedure", "routine"];

/** Whether the objects of this type lie in a schema. */
export function liesInSchema(objectType: string): boolean {
  return !ofDatabase.includes(objectType);
}

/** Throws in the official words when the properties of a Grant do not go together. */
export function assertConsistent(grant: Properties): void {
  const objectType = text(grant, "objectType");
  const objects = texts(grant, "objects").length;
  const columns = texts(grant, "columns").length;
  const fail = (reason: string): never => {
    throw new OperationFailed(reason);
  };
  if (text(grant, "schema") === "" && liesInSchema(objectType)) {
    fail("parameter 'schema' is mandatory for postgresql_grant resource");
  }
  if (objects > 0 && (objectType === "database" || objectType === "schema")) {
    fail("cannot specify `objects` when `object_type` is `database` or `schema`");
  }
  if (columns > 0 && objectType !== "column")
    fail("cannot specify `columns` when `object_type` is not `column`");
  if (objectType === "column") {
    if (columns === 0) fail("must specify `columns` when `object_type` is `column`");
    if (texts(grant, "privileges").length !== 1)
      fail("must specify exactly 1 `privileges` when `object_type` is `column`");
    if (objects !== 1)
      fail("must specify exactly 1 table in the `objects` field when `object_type` is `column`");
  }
  if (objects !== 1 && objectType.startsWith("foreign_")) {
    fail(
      "one element must be specified in `objects` when `object_type` is `foreign_data_wrapper` or `foreign_server`",
    );
  }
}

/** `GRANT` of what the properties say; undefined: an empty list grants nothing. Privileges must have been checked. */
export function grantStatement(grant: Properties): string | undefined {
  const privileges = texts(grant, "privileges");
  if (privileges.length === 0) return undefined;
  const option = flag(grant, "withGrantOption") ? " WITH GRANT OPTION" : "";
  return `GRANT ${list(privileges, grant)} ON ${target(grant)} TO ${identifier(text(grant, "role"))}${option}`;
}

/**
 * `REVOKE` of what the properties say. Named tables and the like lose the privileges listed, so that grants on their
 * columns stay; anything else loses all. undefined: there is nothing to take away.
 */
export function revokeStatement(grant: Properties): string | undefined {
  const privileges = texts(grant, "privileges");
  const objectType = text(grant, "objectType");
  const named = texts(grant, "objects").length > 0 && !objectType.startsWith("foreign_");
  const column = objectType === "column";
  if (column && (privileges.length === 0 || texts(grant, "columns").length === 0)) return undefined;
  const what = column || (named && privileges.length > 0) ? list(privileges, grant) : "ALL PRIVILEGES";
  return `REVOKE ${what} ON ${target(grant)} FROM ${identifier(text(grant, "role"))}`;
}

function list(privileges: readonly string[], grant: Properties): string {
  if (text(grant, "objectType") !== "column") return privileges.join(",");
  return `${privileges.join(",")} (${identifiers(texts(grant, "columns"))})`;
}

function target(grant: Properties): string {
  const objectType = text(grant, "objectType");
  const objects = texts(grant, "objects");
  const schema = identifier(text(grant, "schema"));
  switch (objectType) {
    case "database":
      return `DATABASE ${identifier(text(grant, "database"))}`;
    case "schema":
      return `SCHEMA ${schema}`;
    case "foreign_data_wrapper":
      return `FOREIGN DATA WRAPPER ${identifier(objects[0] ?? "")}`;
    case "foreign_server":
      return `FOREIGN SERVER ${identifier(objects[0] ?? "")}`;
    default: {
      const keyword = objectType === "column" ? "TABLE" : objectType.toUpperCase();
      if (objects.length === 0) return `ALL ${keyword}S IN SCHEMA ${schema}`;
      const quote = routines.includes(objectType) ? routine : identifier;
      return `${keyword} ${objects.map((object) => `${schema}.${quote(object)}`).join(", ")}`;
    }
  }
}
