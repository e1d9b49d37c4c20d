import { own } from "./attrs.ts";
import { columnText, identityText, sequenceOptions } from "./create.ts";
import { commentStatement, grantStatements, ownerStatement } from "./trimmings.ts";
import type { SchemaObject } from "./snapshot.ts";

/** How an object becomes what it was. */
export interface Alteration {
  readonly statements: readonly string[];
  /** It cannot be changed in place: it is dropped and made again. */
  readonly again: boolean;
  /** Whether what is built on it has to be dropped before, and made again after. */
  readonly disturbs: boolean;
  /** What has to be said about it in the header. */
  readonly warnings: readonly string[];
}

/** Attributes that change with others, or do not count: a partition's index is attached with its table. */
const bookkeeping = [
  "last",
  "columns",
  "position",
  "valid",
  "category",
  "local",
  "partition",
  "of",
  "ofIndex",
];

const unchanged: Alteration = { statements: [], again: false, disturbs: false, warnings: [] };
const again: Alteration = { ...unchanged, again: true, disturbs: true };

/** From `now` to `before`, both of one kind and name: definition only; owner, comment and privileges are `trim`. */
export function alteration(before: SchemaObject, now: SchemaObject): Alteration {
  const apart = before.kind === "partition" ? [] : bookkeeping;
  if (same(before.attrs, now.attrs, apart)) return unchanged;
  switch (before.kind) {
    case "table":
      return alterTable(before, now);
    case "column":
    case "attribute":
      return alterColumn(before, now);
    case "enum":
      return alterEnum(before, now);
    case "domain":
      return alterDomain(before, now);
    case "sequence":
      return { ...unchanged, statements: [`ALTER SEQUENCE ${before.name} ${sequenceOptions(before.attrs)}`] };
    case "extension":
      return {
        ...unchanged,
        statements: [`ALTER EXTENSION ${before.name} SET SCHEMA ${own(before.attrs).text("schema") ?? ""}`],
      };
    case "function":
    case "procedure":
      return same(before.attrs, now.attrs, ["definition"])
        ? { ...unchanged, statements: [own(before.attrs).text("definition") ?? ""] }
        : again;
    default:
      return again;
  }
}

/** Owner, comment and privileges from `now` to `before`. */
export function trim(before: SchemaObject, now: SchemaObject): string[] {
  return [
    ...(before.owner === now.owner ? [] : [ownerStatement(before)]),
    ...(before.comment === now.comment ? [] : [commentStatement(before)]),
    ...grantStatements(before, now.acl ?? []),
    ...columnCommentChanges(before, now),
  ];
}

function alterTable(before: SchemaObject, now: SchemaObject): Alteration {
  const [was, is] = [own(before.attrs), own(now.attrs)];
  if (was.text("partitionBy") !== is.text("partitionBy")) return again;
  const alter = `ALTER TABLE ${before.name}`;
  const statements: string[] = [];
  const flag = (name: string, on: string, off: string): void => {
    if (was.flag(name) !== is.flag(name)) statements.push(`${alter} ${was.flag(name) ? on : off}`);
  };
  flag("unlogged", "SET UNLOGGED", "SET LOGGED");
  flag("rowSecurity", "ENABLE ROW LEVEL SECURITY", "DISABLE ROW LEVEL SECURITY");
  flag("forced", "FORCE ROW LEVEL SECURITY", "NO FORCE ROW LEVEL SECURITY");
  const [parents, parentsNow] = [was.list("inherits"), is.list("inherits")];
  for (const parent of parentsNow)
    if (!parents.includes(parent)) statements.push(`${alter} NO INHERIT ${parent}`);
  for (const parent of parents)
    if (!parentsNow.includes(parent)) statements.push(`${alter} INHERIT ${parent}`);
  if (was.text("ofType") !== is.text("ofType")) {
    const type = was.text("ofType");
    statements.push(type === undefined ? `${alter} NOT OF` : `${alter} OF ${type}`);
  }
  if (was.text("identity") !== is.text("identity"))
    statements.push(`${alter} REPLICA IDENTITY ${was.text("identity") ?? "DEFAULT"}`);
  const gone = is.list("options").filter((option) => !was.list("options").includes(option));
  if (gone.length > 0)
    statements.push(`${alter} RESET (${gone.map((each) => each.split("=")[0]).join(", ")})`);
  const added = was.list("options").filter((option) => !is.list("options").includes(option));
  if (added.length > 0) statements.push(`${alter} SET (${added.join(", ")})`);
  return { ...unchanged, statements };
}

function alterColumn(before: SchemaObject, now: SchemaObject): Alteration {
  const [was, is] = [own(before.attrs), own(now.attrs)];
  const table = was.text("table") ?? "";
  const statements: string[] = [];
  const warnings: string[] = [];
  let disturbs = false;
  const retyped = was.text("type") !== is.text("type") || was.text("collation") !== is.text("collation");
  // What a parent table hands down it changes itself.
  const inherited = !was.flag("local") && !is.flag("local");
  if (before.kind === "attribute") {
    const type = `${was.text("type") ?? ""}${was.text("collation") === undefined ? "" : ` COLLATE ${was.text("collation") ?? ""}`}`;
    return {
      ...unchanged,
      statements: retyped ? [`ALTER TYPE ${table} ALTER ATTRIBUTE ${before.base} TYPE ${type}`] : [],
      disturbs: retyped,
    };
  }
  const alter = `ALTER TABLE ${table} ALTER COLUMN ${before.base}`;
  const [generated, generatedNow] = [was.text("generated"), is.text("generated")];
  if (inherited && retyped) return { ...unchanged, disturbs: true };
  if (generated !== undefined && generatedNow === undefined) {
    return {
      statements: [
        `ALTER TABLE ${table} DROP COLUMN ${before.base}`,
        `ALTER TABLE ${table} ADD COLUMN ${columnText(before, undefined)}`,
      ],
      again: false,
      disturbs: true,
      warnings: [],
    };
  }
  if (generated === undefined && generatedNow !== undefined) statements.push(`${alter} DROP EXPRESSION`);
  const identity = was.text("identity");
  // An identity's sequence changes its type with the column, and may stand beyond what the other one holds.
  const unnumbered = identity === undefined && is.text("identity") !== undefined && !inherited;
  if (unnumbered) statements.push(`${alter} DROP IDENTITY`);
  if (retyped) {
    disturbs = true;
    const [type, typeNow] = [was.text("type") ?? "", is.text("type") ?? ""];
    const collate = was.text("collation");
    const using = generatedNow === undefined ? ` USING ${conversion(before, now)}` : "";
    statements.push(`${alter} TYPE ${type}${collate === undefined ? "" : ` COLLATE ${collate}`}${using}`);
    warnings.push(
      `${before.name} becomes ${type} again: what was lost on the way to ${typeNow} stays lost, and a value that does not fit stops the reversal`,
    );
  }
  if (generated !== undefined && generatedNow !== undefined && generated !== generatedNow) {
    disturbs = true;
    statements.push(`${alter} SET EXPRESSION AS (${generated})`);
  }
  if (identity !== is.text("identity") && !inherited && !unnumbered) {
    if (is.text("identity") === undefined) {
      if (!is.flag("notNull")) statements.push(`${alter} SET NOT NULL`);
      statements.push(`${alter} ADD ${identityText(identity ?? "", before.attrs["sequence"])}`);
    } else statements.push(`${alter} SET GENERATED ${identity ?? ""}`);
  }
  const numbered = was.text("identity") !== undefined && is.text("identity") !== undefined;
  if (numbered && !inherited && !same(seq(before), seq(now), [])) {
    const name = own(seq(now)).text("name") ?? "";
    const wanted = own(seq(before)).text("name") ?? "";
    if (name !== wanted) statements.push(`ALTER SEQUENCE ${name} RENAME TO ${lastPart(wanted)}`);
    statements.push(`ALTER SEQUENCE ${wanted} ${sequenceOptions(seq(before))}`);
  }
  if (
    was.flag("notNull") !== is.flag("notNull") &&
    !(was.flag("notNull") && was.text("identity") !== undefined && is.text("identity") === undefined)
  ) {
    statements.push(`${alter} ${was.flag("notNull") ? "SET" : "DROP"} NOT NULL`);
    if (was.flag("notNull"))
      warnings.push(`${before.name} is NOT NULL again: a row without a value stops the reversal`);
  }
  const only = `ALTER TABLE ONLY ${table} ALTER COLUMN ${before.base}`;
  if (was.text("storage") !== is.text("storage"))
    statements.push(`${only} SET STORAGE ${was.text("storage") ?? "DEFAULT"}`);
  if (was.text("compression") !== is.text("compression"))
    statements.push(`${only} SET COMPRESSION ${was.text("compression") ?? "DEFAULT"}`);
  const gone = is.list("options").filter((option) => !was.list("options").includes(option));
  if (gone.length > 0)
    statements.push(`${only} RESET (${gone.map((each) => each.split("=")[0]).join(", ")})`);
  const added = was.list("options").filter((option) => !is.list("options").includes(option));
  if (added.length > 0) statements.push(`${only} SET (${added.join(", ")})`);
  return { statements, again: false, disturbs, warnings };
}

/** The value of a column as its type of before: directly where PostgreSQL converts between such types, else by way of its text. */
function conversion(before: SchemaObject, now: SchemaObject): string {
  const type = own(before.attrs).text("type") ?? "";
  const [to, from] = [own(before.attrs).text("category"), own(now.attrs).text("category")];
  const converts =
    to === "S" ||
    from === "S" ||
    (to === from && !["E", "U", "C"].includes(to ?? "")) ||
    `${to ?? ""}${from ?? ""}`.match(/^(BN|NB)$/) !== null;
  return converts ? `${before.base}::${type}` : `${before.base}::text::${type}`;
}

/** A value cannot be taken out of an enum: another type takes its place, and the columns move over; see `draft`. */
function alterEnum(before: SchemaObject, now: SchemaObject): Alteration {
  const [was, is] = [own(before.attrs).list("labels"), own(now.attrs).list("labels")];
  const renamed =
    was.length === is.length
      ? was.flatMap((label, at) => (label === is[at] ? [] : [[is[at] ?? "", label] as const]))
      : [];
  if (renamed.length > 0 && renamed.every(([from]) => !was.includes(from))) {
    const quote = (label: string): string => `'${label.replaceAll("'", "''")}'`;
    return {
      ...unchanged,
      statements: renamed.map(
        ([from, to]) => `ALTER TYPE ${before.name} RENAME VALUE ${quote(from)} TO ${quote(to)}`,
      ),
      disturbs: true,
    };
  }
  return again;
}

function alterDomain(before: SchemaObject, now: SchemaObject): Alteration {
  const [was, is] = [own(before.attrs), own(now.attrs)];
  if (was.text("base") !== is.text("base") || was.text("collation") !== is.text("collation")) return again;
  const alter = `ALTER DOMAIN ${before.name}`;
  const expression = was.text("default");
  return {
    ...unchanged,
    statements: [
      ...(expression === is.text("default")
        ? []
        : [expression === undefined ? `${alter} DROP DEFAULT` : `${alter} SET DEFAULT ${expression}`]),
      ...(was.flag("notNull") === is.flag("notNull")
        ? []
        : [`${alter} ${was.flag("notNull") ? "SET" : "DROP"} NOT NULL`]),
    ],
  };
}

function columnCommentChanges(before: SchemaObject, now: SchemaObject): string[] {
  if (!("columns" in before.attrs)) return [];
  const [was, is] = [comments(before), comments(now)];
  return [...new Set([...was.keys(), ...is.keys()])]
    .filter((column) => was.get(column) !== is.get(column))
    .map((column) => {
      const text = was.get(column);
      return `COMMENT ON COLUMN ${before.name}.${column} IS ${text === undefined ? "NULL" : `'${text.replaceAll("'", "''")}'`}`;
    });
}

function comments({ attrs }: SchemaObject): Map<string, string> {
  const columns: unknown[] = Array.isArray(attrs["columns"]) ? attrs["columns"] : [];
  return new Map(
    columns.map((column) => {
      const { text } = own(typeof column === "object" && column !== null ? { ...column } : {});
      return [text("name") ?? "", text("comment") ?? ""];
    }),
  );
}

function seq({ attrs }: SchemaObject): Readonly<Record<string, unknown>> {
  const sequence = attrs["sequence"];
  return typeof sequence === "object" && sequence !== null ? { ...sequence } : {};
}

/** `"a"."b"` → `"b"`: the part behind the last dot outside of quotes. */
function lastPart(name: string): string {
  return /(?:"(?:[^"]|"")*"|[^".]+)$/.exec(name)?.[0] ?? name;
}

/** Whether attributes agree, those in `but` apart. */
function same(
  a: Readonly<Record<string, unknown>>,
  b: Readonly<Record<string, unknown>>,
  but: readonly string[],
): boolean {
  const text = (attrs: Readonly<Record<string, unknown>>): string =>
    JSON.stringify(
      Object.entries(attrs)
        .filter(([name]) => !but.includes(name))
        .sort(([x], [y]) => (x < y ? -1 : 1)),
    );
  return text(a) === text(b);
}
