/** Names of things: releases, services, images, Docker volumes, databases, tables, secrets, addresses and paths. */
import { isIP } from "node:net";
import { text } from "./shapes.ts";

/** A release: what people call it, e.g. `1.2.0`. */
export const releaseName = text(
  "the name of a release: letters, digits and . _ + -, at most 63, such as 1.2.0",
  /^[A-Za-z0-9][A-Za-z0-9._+-]{0,62}$/,
);

/** A service or a cache. */
export const partName = text(
  "lower-case letters, digits, - and _, beginning with a letter, at most 40",
  /^[a-z][a-z0-9_-]{0,39}$/,
);

/** A version of a schema, as its migration's number is written. */
export const version = text(
  'a schema version, such as "23"',
  /^[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.)){0,62}$/,
);

// The grammar of Docker's own reference parser (distribution/reference).
const component = String.raw`[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*`;
const image = String.raw`(?:[A-Za-z0-9][A-Za-z0-9.-]*(?::\d+)?\/)?${component}(?:\/${component})*`;

/** A Docker image with its tag. */
export const imageReference = text(
  "an image with its tag, such as meal-planner:v1.2.0 or registry.example.com:5000/team/app:1 (its digest is a key of its own)",
  new RegExp(String.raw`^(?=.{1,255}$)${image}(?::\w[\w.-]{0,127})?$`),
);

/** Digest in the registry or local image id. */
export const digest = text("sha256: and 64 hexadecimal digits", /^sha256:[0-9a-f]{64}$/);

/** A Docker volume. */
export const volumeName = text(
  "the name of a Docker volume: letters, digits and . _ -, 2 to 128, beginning with a letter or digit",
  /^[A-Za-z0-9][A-Za-z0-9_.-]{1,127}$/,
);

/** A PostgreSQL database. Names of PostgreSQL's own are left to it. */
export const databaseName = text(
  "the name of a database: letters, digits, _ and -, at most 63, not one of PostgreSQL's own (postgres, template0, template1, pg_…)",
  /^(?!(?:postgres|template0|template1)$|pg_)[A-Za-z_][A-Za-z0-9_-]{0,62}$/,
);

/** A role of PostgreSQL, as it stands in pg_roles. */
export const roleName = text(
  "the name of a role: 1 to 63 letters, digits, . _ $ @ or -, not one that this program needs itself (postgres, rollback_operator, pg_…)",
  /^(?!(?:postgres|rollback_operator)$|pg_)[\p{L}_][\p{L}\p{N}_.$@-]{0,62}$/u,
);

/** An extension of PostgreSQL. */
export const extensionName = text(
  "the name of an extension, such as pgcrypto or uuid-ossp",
  /^[a-z_][a-z0-9_-]{0,62}$/,
);

/** A secret of `rollback:secrets`. */
export const secretName = text("the name of an entry of rollback:secrets", /^[A-Za-z][A-Za-z0-9_-]{0,62}$/);

/** An environment variable or a flag. */
export const variableName = text(
  "letters, digits and _, not beginning with a digit",
  /^[A-Za-z_][A-Za-z0-9_]*$/,
);

const plainIdentifier = String.raw`[\p{L}_][\p{L}\p{N}_$]{0,62}`;
const quotedIdentifier = String.raw`"(?:[^"\0]|""){1,63}"`;
const identifier = `(?:${plainIdentifier}|${quotedIdentifier})`;

/** A table as SQL writes it, with or without its schema. */
export const tableName = text(
  'a table as SQL writes it, such as food_logs, app.food_logs or "Food logs"',
  new RegExp(`^(?:${identifier}\\.)?${identifier}$`, "u"),
);

/** Schema (undefined: by search path) and name of a table, as they stand in PostgreSQL's catalogue. */
export function tableParts(table: string): { readonly schema: string | undefined; readonly name: string } {
  const parts = table.match(new RegExp(identifier, "gu"))?.map(catalogueName) ?? [];
  const [first = table, second] = parts;
  return second === undefined ? { schema: undefined, name: first } : { schema: first, name: second };
}

/** The same table with every identifier quoted, safe to put into SQL. */
export function tableSql(table: string): string {
  const { schema, name } = tableParts(table);
  return [...(schema === undefined ? [] : [schema]), name]
    .map((each) => `"${each.replaceAll('"', '""')}"`)
    .join(".");
}

/** PostgreSQL folds what is not quoted to lower case (ASCII letters, in UTF-8 databases). */
function catalogueName(identifier: string): string {
  if (identifier.startsWith('"')) return identifier.slice(1, -1).replaceAll('""', '"');
  return identifier.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/** An address to listen on. */
export const address = text(
  "an IPv4 or IPv6 address, such as 127.0.0.1 or 0.0.0.0",
  /^[0-9A-Fa-f.:]+$/,
).refine((given) => isIP(given) !== 0, { error: "an IPv4 or IPv6 address, such as 127.0.0.1 or 0.0.0.0" });

/** A host: name or address. */
export const host = text(
  "a host name or an address",
  /^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9.:-]*[A-Za-z0-9])?$/,
);

/** A path within a service, with its query. */
export const urlPath = text("a path that begins with /, such as /health", /^\/[^\s"'\\#]*$/);

/** A path on this machine; relative ones start at the folder of the stack file. */
export const filePath = text("a path, relative to the folder of the stack file or absolute", /^[^\0]+$/);
