import type { Properties } from "../model.ts";
import { flag, integer, text } from "../values.ts";
import { identifier, literal } from "./quote.ts";

/** `CREATE DATABASE`; without owner it belongs to `user`, without template it is made from template0, in UTF8. */
export function createDatabase(database: Properties, user: string): string {
  const locale = (property: string, option: string) => {
    const value = text(database, property);
    return value === "" ? [] : [`${option} ${isDefault(value) ? "DEFAULT" : literal(value)}`];
  };
  const template = text(database, "template") || "template0";
  const encoding = text(database, "encoding") || "UTF8";
  const tablespace = text(database, "tablespaceName");
  return [
    `CREATE DATABASE ${identifier(text(database, "name"))}`,
    `OWNER ${identifier(text(database, "owner") || user)}`,
    `TEMPLATE ${isDefault(template) ? "DEFAULT" : identifier(template)}`,
    `ENCODING ${isDefault(encoding) ? "DEFAULT" : literal(encoding)}`,
    ...locale("lcCollate", "LC_COLLATE"),
    ...locale("lcCtype", "LC_CTYPE"),
    ...(tablespace === ""
      ? []
      : [`TABLESPACE ${isDefault(tablespace) ? "DEFAULT" : identifier(tablespace)}`]),
    `ALLOW_CONNECTIONS ${flag(database, "allowConnections")}`,
    `CONNECTION LIMIT ${integer(database, "connectionLimit")}`,
    `IS_TEMPLATE ${flag(database, "isTemplate")}`,
  ].join(" ");
}

/** `ALTER DATABASE … RENAME`. */
export function renameDatabase(from: string, to: string): string {
  return `ALTER DATABASE ${identifier(from)} RENAME TO ${identifier(to)}`;
}

/** `ALTER DATABASE … OWNER TO`. */
export function databaseOwner(name: string, owner: string): string {
  return `ALTER DATABASE ${identifier(name)} OWNER TO ${identifier(owner)}`;
}

/** Moves a database; an empty name or DEFAULT takes it to the default tablespace. */
export function databaseTablespace(name: string, tablespace: string): string {
  const target = tablespace === "" || isDefault(tablespace) ? "pg_default" : tablespace;
  return `ALTER DATABASE ${identifier(name)} SET TABLESPACE ${identifier(target)}`;
}

/** `ALTER DATABASE` with one of its options. */
export function databaseOption(
  name: string,
  option: "CONNECTION LIMIT" | "ALLOW_CONNECTIONS" | "IS_TEMPLATE",
  value: number | boolean,
): string {
  return `ALTER DATABASE ${identifier(name)} ${option} ${value}`;
}

function isDefault(value: string): boolean {
  return value.toUpperCase() === "DEFAULT";
}
