import { literal } from "../../database/query.ts";
import { z } from "zod";
import { own } from "./attrs.ts";
import type { SchemaObject } from "./snapshot.ts";

/** What a creation has to know beside the object. */
export interface Surroundings {
  /** Columns of the table (or attributes of the type), by position. */
  readonly columns: readonly SchemaObject[];
  /** The default of the column, when it goes along. */
  readonly default: string | undefined;
  /** Whether the table to which this belongs is made in the same draft. */
  readonly tableIsNew: boolean;
}

/** The statements that make an object; undefined: not known how. Owner, comment and privileges are `trimmings`. */
export function createStatements(object: SchemaObject, around: Surroundings): string[] | undefined {
  const { kind, name, base, attrs } = object;
  const { text, flag, list } = own(attrs);
  switch (kind) {
    case "schema":
      return [`CREATE SCHEMA ${name}`];
    case "extension":
      return [`CREATE EXTENSION ${name} SCHEMA ${text("schema") ?? "public"}`];
    case "enum":
      return [`CREATE TYPE ${name} AS ENUM (${list("labels").map(literal).join(", ")})`];
    case "domain":
      return [
        words(
          `CREATE DOMAIN ${name} AS ${text("base") ?? ""}`,
          prefixed("COLLATE", text("collation")),
          prefixed("DEFAULT", text("default")),
          flag("notNull") ? "NOT NULL" : "",
        ),
      ];
    case "range":
      return [`CREATE TYPE ${name} AS RANGE (SUBTYPE = ${text("subtype") ?? ""})`];
    case "composite":
      return [
        `CREATE TYPE ${name} AS (${around.columns.map((each) => columnText(each, undefined)).join(", ")})`,
      ];
    case "foreign table": {
      const its = list("foreign");
      const columns = around.columns.map((each) => columnText(each, undefined)).join(", ");
      // A parent or a partition of another server is rare enough to be left to a person.
      if (list("inherits").length > 0 || flag("partition")) return undefined;
      return [
        `CREATE FOREIGN TABLE ${name} (${columns}) SERVER ${text("server") ?? ""}${its.length === 0 ? "" : ` OPTIONS (${its.join(", ")})`}`,
      ];
    }
    case "other": {
      const statements = list("create");
      return statements.length === 0 ? undefined : [...statements];
    }
    case "table":
      return tableStatements(object, around.columns);
    case "column":
      return [
        `ALTER TABLE ${text("table") ?? ""} ADD COLUMN ${columnText(object, around.default)}`,
        ...columnExtras(object),
      ];
    case "attribute":
      return [`ALTER TYPE ${text("table") ?? ""} ADD ATTRIBUTE ${columnText(object, undefined)}`];
    case "default":
      return [
        `ALTER ${flag("view") ? "VIEW" : "TABLE ONLY"} ${text("table") ?? ""} ALTER COLUMN ${base} SET DEFAULT ${text("expression") ?? ""}`,
      ];
    case "partition":
      return [`ALTER TABLE ${text("of") ?? ""} ATTACH PARTITION ${name} ${text("bound") ?? ""}`];
    case "constraint":
      return constraintStatements(object, around.tableIsNew);
    case "index":
      return indexStatements(object, around.tableIsNew);
    case "sequence":
      return [words(`CREATE ${flag("unlogged") ? "UNLOGGED " : ""}SEQUENCE ${name}`, sequenceOptions(attrs))];
    case "sequence owner":
      return [`ALTER SEQUENCE ${name} OWNED BY ${text("column") ?? "NONE"}`];
    case "function":
    case "procedure":
      return [text("definition") ?? ""];
    case "aggregate": {
      if (!flag("plain")) return undefined;
      const parts = z.record(z.string(), z.string()).parse(attrs["parts"]);
      const options = Object.entries(parts).map(([option, value]) => `${option} = ${value}`);
      return [`CREATE AGGREGATE ${name} (${options.join(", ")})`];
    }
    case "trigger": {
      const enabled = text("enabled");
      const how = { D: "DISABLE", R: "ENABLE REPLICA", A: "ENABLE ALWAYS" }[enabled ?? ""];
      return [
        text("definition") ?? "",
        ...(how === undefined ? [] : [`ALTER TABLE ${text("on") ?? ""} ${how} TRIGGER ${base}`]),
      ];
    }
    case "rule":
      return [(text("definition") ?? "").replace(/;\s*$/, "")];
    case "policy":
      return [
        words(
          `CREATE POLICY ${base} ON ${text("on") ?? ""}`,
          flag("permissive") ? "" : "AS RESTRICTIVE",
          `FOR ${text("command") ?? "ALL"} TO ${text("roles") ?? "PUBLIC"}`,
          bracketed("USING", text("using")),
          bracketed("WITH CHECK", text("check")),
        ),
      ];
    case "view":
    case "materialized view": {
      const definition = (text("definition") ?? "").replace(/;\s*$/, "");
      const materialized = kind === "view" ? "" : flag("populated") ? "\nWITH DATA" : "\nWITH NO DATA";
      return [
        `CREATE ${kind.toUpperCase()} ${name}${options(list("options"))} AS\n${definition}${materialized}`,
      ];
    }
    case "statistics":
      return [text("definition") ?? ""];
    case "default privileges":
      return defaultPrivileges(object, "GRANT");
    default:
      return undefined;
  }
}

/** Type, collation, default, identity and NOT NULL of a column, as in CREATE TABLE. */
export function columnText({ base, attrs, kind }: SchemaObject, expression: string | undefined): string {
  const { text, flag } = own(attrs);
  const generated = text("generated");
  // Partitions take identity from their parent when they are attached.
  const identity = flag("partition") ? undefined : text("identity");
  return words(
    `${base} ${text("type") ?? ""}`,
    own(attrs).list("foreign").length === 0 ? "" : `OPTIONS (${own(attrs).list("foreign").join(", ")})`,
    prefixed("COLLATE", text("collation")),
    generated === undefined ? "" : `GENERATED ALWAYS AS (${generated}) STORED`,
    prefixed("DEFAULT", expression),
    identity === undefined ? "" : identityText(identity, attrs["sequence"]),
    flag("notNull") && kind === "column" ? "NOT NULL" : "",
  );
}

/** `GENERATED … AS IDENTITY` with the options of its sequence. */
export function identityText(identity: string, sequence: unknown): string {
  const known = z.record(z.string(), z.unknown()).safeParse(sequence);
  if (!known.success) return `GENERATED ${identity} AS IDENTITY`;
  const { text } = own(known.data);
  return `GENERATED ${identity} AS IDENTITY (${words(prefixed("SEQUENCE NAME", text("name")), sequenceOptions(known.data))})`;
}

/** Options of a sequence as CREATE and ALTER SEQUENCE take them. */
export function sequenceOptions(attrs: Readonly<Record<string, unknown>>): string {
  const { text, flag } = own(attrs);
  return words(
    prefixed("AS", text("type")),
    prefixed("INCREMENT BY", text("increment")),
    prefixed("MINVALUE", text("min")),
    prefixed("MAXVALUE", text("max")),
    prefixed("START WITH", text("start")),
    prefixed("CACHE", text("cache")),
    flag("cycle") ? "CYCLE" : "NO CYCLE",
  );
}

function tableStatements({ name, attrs }: SchemaObject, columns: readonly SchemaObject[]): string[] {
  const { text, flag, list } = own(attrs);
  const listed = flag("partition") ? columns : columns.filter((column) => own(column.attrs).flag("local"));
  const head = `CREATE ${flag("unlogged") ? "UNLOGGED " : ""}TABLE ${name}`;
  const ofType = text("ofType");
  const body =
    ofType === undefined
      ? ` (${listed.map((each) => `\n  ${columnText(each, undefined)}`).join(",")}${listed.length > 0 ? "\n" : ""})`
      : ` OF ${ofType}`;
  const inherits = list("inherits");
  const identity = text("identity");
  return [
    words(
      head + body,
      inherits.length === 0 ? "" : `INHERITS (${inherits.join(", ")})`,
      prefixed("PARTITION BY", text("partitionBy")),
      options(list("options")),
    ),
    ...columns
      .filter((column) => !listed.includes(column) && own(column.attrs).flag("notNull"))
      .map(({ base }) => `ALTER TABLE ONLY ${name} ALTER COLUMN ${base} SET NOT NULL`),
    ...columns.flatMap(columnExtras),
    ...(flag("rowSecurity") ? [`ALTER TABLE ${name} ENABLE ROW LEVEL SECURITY`] : []),
    ...(flag("forced") ? [`ALTER TABLE ${name} FORCE ROW LEVEL SECURITY`] : []),
    ...(identity === undefined ? [] : [`ALTER TABLE ${name} REPLICA IDENTITY ${identity}`]),
  ];
}

function columnExtras({ base, attrs }: SchemaObject): string[] {
  const { text, list } = own(attrs);
  const alter = `ALTER TABLE ONLY ${text("table") ?? ""} ALTER COLUMN ${base}`;
  const [storage, compression] = [text("storage"), text("compression")];
  return [
    ...(storage === undefined ? [] : [`${alter} SET STORAGE ${storage}`]),
    ...(compression === undefined ? [] : [`${alter} SET COMPRESSION ${compression}`]),
    ...(list("options").length === 0 ? [] : [`${alter} SET (${list("options").join(", ")})`]),
  ];
}

function constraintStatements({ name, base, attrs }: SchemaObject, tableIsNew: boolean): string[] {
  const { text, flag, list } = own(attrs);
  const on = text("on") ?? "";
  const definition = text("definition") ?? "";
  if (flag("domain")) return [`ALTER DOMAIN ${on} ADD CONSTRAINT ${base} ${definition}`];
  // The partitions' own constraints are made under their own names and then attached.
  const only = flag("partitioned") && text("index") !== undefined ? "ONLY " : "";
  const ofIndex = text("ofIndex");
  const index = text("index");
  return [
    `ALTER TABLE ${only}${on} ADD CONSTRAINT ${base} ${definition}`,
    ...(ofIndex === undefined || index === undefined || tableIsNew
      ? []
      : [`ALTER INDEX ${ofIndex} ATTACH PARTITION ${index}`]),
    ...(index === undefined || list("options").length === 0 || definition.includes(" WITH (")
      ? []
      : [`ALTER INDEX ${index} SET (${list("options").join(", ")})`]),
    ...(flag("clustered") ? [`ALTER TABLE ${on} CLUSTER ON ${base}`] : []),
    ...(flag("identity") ? [`ALTER TABLE ${on} REPLICA IDENTITY USING INDEX ${base}`] : []),
  ].filter((statement) => statement !== "" && name !== "");
}

function indexStatements({ name, base, attrs }: SchemaObject, tableIsNew: boolean): string[] {
  const { text, flag } = own(attrs);
  const [table, of] = [text("table") ?? "", text("of")];
  return [
    text("definition") ?? "",
    ...(of === undefined || tableIsNew ? [] : [`ALTER INDEX ${of} ATTACH PARTITION ${name}`]),
    ...(flag("clustered") ? [`ALTER TABLE ${table} CLUSTER ON ${base}`] : []),
    ...(flag("identity") ? [`ALTER TABLE ${table} REPLICA IDENTITY USING INDEX ${base}`] : []),
  ];
}

/** GRANT or REVOKE for what ALTER DEFAULT PRIVILEGES once gave. */
export function defaultPrivileges({ attrs }: SchemaObject, verb: "GRANT" | "REVOKE"): string[] {
  const { text } = own(attrs);
  const grants = z
    .array(z.object({ grantee: z.string(), privileges: z.string(), grantable: z.boolean() }))
    .nullable()
    .parse(attrs["grants"]);
  const [role, schema, of] = [text("role") ?? "", text("schema"), text("of") ?? ""];
  const head = `ALTER DEFAULT PRIVILEGES FOR ROLE ${role}${schema === undefined ? "" : ` IN SCHEMA ${schema}`}`;
  const open = schema === undefined && (of === "FUNCTIONS" || of === "TYPES");
  const what = of === "FUNCTIONS" ? "EXECUTE" : "USAGE";
  const lacksPublic = open && !(grants ?? []).some(({ grantee }) => grantee === "PUBLIC");
  return [
    ...(grants ?? [])
      .filter(({ grantee }) => !(open && grantee === "PUBLIC"))
      .map(({ grantee, privileges, grantable }) =>
        verb === "GRANT"
          ? `${head} GRANT ${privileges} ON ${of} TO ${grantee}${grantable ? " WITH GRANT OPTION" : ""}`
          : `${head} REVOKE ${privileges} ON ${of} FROM ${grantee}`,
      ),
    ...(lacksPublic
      ? [
          verb === "GRANT"
            ? `${head} REVOKE ${what} ON ${of} FROM PUBLIC`
            : `${head} GRANT ${what} ON ${of} TO PUBLIC`,
        ]
      : []),
  ];
}

function options(list: readonly string[]): string {
  return list.length === 0 ? "" : ` WITH (${list.join(", ")})`;
}

function prefixed(word: string, text: string | undefined): string {
  return text === undefined ? "" : `${word} ${text}`;
}

function bracketed(word: string, text: string | undefined): string {
  return text === undefined ? "" : `${word} (${text})`;
}

function words(...parts: readonly string[]): string {
  return parts.filter((part) => part !== "").join(" ");
}
