import type { Properties } from "../model.ts";
import { flag, integer, text, texts } from "../values.ts";
import { identifier, identifiers, literal } from "./quote.ts";
import { storedPassword } from "./scram.ts";

/** One statement and what to say in front when it fails. */
export interface Statement {
  readonly sql: string;
  readonly failure: string;
}

const switches = [
  ["superuser", "SUPERUSER"],
  ["createDatabase", "CREATEDB"],
  ["createRole", "CREATEROLE"],
  ["inherit", "INHERIT"],
  ["login", "LOGIN"],
  ["bypassRowLevelSecurity", "BYPASSRLS"],
  ["replication", "REPLICATION"],
] as const;

/** `CREATE ROLE` with all its options. Memberships and settings follow in statements of their own. */
export function createRole(role: Properties): string {
  const password = text(role, "password") || text(role, "passwordWo");
  return [
    `CREATE ROLE ${identifier(text(role, "name"))} WITH`,
    ...(password === "" ? [] : [passwordOption(password, flag(role, "encryptedPassword"))]),
    `VALID UNTIL ${literal(validUntil(role))}`,
    `CONNECTION LIMIT ${integer(role, "connectionLimit")}`,
    ...switches.map(([property, option]) => onOrOff(option, flag(role, property))),
  ].join(" ");
}

/** What turns `olds` into `news`, the name first. Memberships are not part of it. */
export function alterRole(olds: Properties, news: Properties): readonly Statement[] {
  const name = text(news, "name");
  const alter = `ALTER ROLE ${identifier(name)}`;
  const statements: Statement[] = [];
  if (text(olds, "name") !== name) {
    statements.push({
      sql: `ALTER ROLE ${identifier(text(olds, "name"))} RENAME TO ${identifier(name)}`,
      failure: "error updating role NAME",
    });
  }
  const password = changedPassword(olds, news);
  if (password !== undefined) {
    statements.push({ sql: `${alter} ${passwordOption(password)}`, failure: "error updating role password" });
  }
  for (const [property, option] of switches) {
    if (flag(olds, property) === flag(news, property)) continue;
    statements.push({
      sql: `${alter} WITH ${onOrOff(option, flag(news, property))}`,
      failure: `error updating role ${option}`,
    });
  }
  if (integer(olds, "connectionLimit") !== integer(news, "connectionLimit")) {
    const sql = `${alter} CONNECTION LIMIT ${integer(news, "connectionLimit")}`;
    statements.push({ sql, failure: "error updating role CONNECTION LIMIT" });
  }
  if (text(olds, "validUntil") !== text(news, "validUntil") && text(news, "validUntil") !== "") {
    const sql = `${alter} VALID UNTIL ${literal(validUntil(news))}`;
    statements.push({ sql, failure: "error updating role VALID UNTIL" });
  }
  return [...statements, ...roleSettings(news, olds)];
}

/** The role's own settings; with `olds` only those that changed. The search path is always set, as the official plugin does. */
export function roleSettings(role: Properties, olds: Properties = {}): readonly Statement[] {
  const name = text(role, "name");
  const alter = `ALTER ROLE ${identifier(name)}`;
  const path = texts(role, "searchPaths");
  const comma = path.find((part) => part.includes(", "));
  if (comma !== undefined) throw new Error(`search_path cannot contain \`, \`: ${comma}`);
  const value = path.length === 0 ? "DEFAULT" : identifiers(path);
  const statements: Statement[] = [
    {
      sql: `${alter} SET search_path TO ${value}`,
      failure: `could not set search_path ${value} for ${name}`,
    },
  ];
  for (const [property, setting] of [
    ["statementTimeout", "statement_timeout"],
    ["idleInTransactionSessionTimeout", "idle_in_transaction_session_timeout"],
  ] as const) {
    const wanted = integer(role, property);
    if (integer(olds, property) === wanted) continue;
    statements.push(
      wanted === 0
        ? { sql: `${alter} RESET ${setting}`, failure: `could not reset ${setting} for ${name}` }
        : {
            sql: `${alter} SET ${setting} TO ${wanted}`,
            failure: `could not set ${setting} ${wanted} for ${name}`,
          },
    );
  }
  const assumed = text(role, "assumeRole");
  if (text(olds, "assumeRole") !== assumed) {
    statements.push(
      assumed === ""
        ? { sql: `${alter} RESET ROLE`, failure: `could not reset role for ${name}` }
        : {
            sql: `${alter} SET ROLE TO ${identifier(assumed)}`,
            failure: `could not set role ${assumed} for ${name}`,
          },
    );
  }
  return statements;
}

function changedPassword(olds: Properties, news: Properties): string | undefined {
  const writeOnly = text(news, "passwordWo");
  if (writeOnly !== "") {
    return text(olds, "passwordWoVersion") === text(news, "passwordWoVersion") ? undefined : writeOnly;
  }
  const password = text(news, "password");
  // A rename makes an MD5 password useless: the name is part of the hash.
  const same = text(olds, "password") === password && text(olds, "name") === text(news, "name");
  return same || password === "" ? undefined : password;
}

function passwordOption(password: string, encrypted = true): string {
  if (password.toUpperCase() === "NULL") return "PASSWORD NULL";
  return encrypted
    ? `PASSWORD ${literal(storedPassword(password))}`
    : `UNENCRYPTED PASSWORD ${literal(password)}`;
}

function validUntil(role: Properties): string {
  const value = text(role, "validUntil");
  return value === "" || value.toLowerCase() === "infinity" ? "infinity" : value;
}

function onOrOff(option: string, on: boolean): string {
  return on ? option : `NO${option}`;
}
