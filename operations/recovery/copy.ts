import { execa, ExecaError } from "execa";
import { z } from "zod";
import { ownerRole } from "../../settings/names.ts";
import { Refusal } from "../../settings/refusal.ts";
import { tableSql } from "../../settings/identifiers.ts";
import { advanceSequences } from "../database/sequences.ts";
import { withClient } from "../database/connection.ts";
import { identifier, literal, rowsOf } from "../database/query.ts";
import { access } from "../plan/access.ts";
import { stackNames } from "../../settings/stack-names.ts";
import type { Settings } from "../../settings/types.ts";
import { psqlCommand, selectRows } from "./look/query.ts";
import { qualified } from "./find/find.ts";

export interface CopyRequest {
  readonly settings: Settings;
  /** Container of the instance that is copied from. */
  readonly container: string;
  readonly database: string;
  readonly table: string;
  /** Condition in SQL; undefined: all rows. */
  readonly where: string | undefined;
  /** Copy into this new table, or put the rows back into their own by primary key. */
  readonly into: { readonly table: string } | "merge";
  /** Tell what would happen, change nothing. */
  readonly dryRun: boolean;
}

/** What became of the rows. */
export interface Copied {
  /** As SQL writes it. */
  readonly into: string;
  readonly read: number;
  readonly inserted: number;
  /** Rows that had other values, and now have those of then. */
  readonly updated: number;
  /** Columns of then that the table has no more; they were left out. */
  readonly leftOut: readonly string[];
}

const columnSchema = z.object({
  name: z.string(),
  type: z.string(),
  required: z.boolean(),
  generated: z.boolean(),
  key: z.number().nullable(),
});
type Column = z.output<typeof columnSchema>;

/** Columns of a table; the same SQL there and here. */
const columnsSelect = (table: string): string => `
  select a.attname as name, format_type(a.atttypid, a.atttypmod) as type, a.attnotnull as required,
         a.attgenerated <> '' as generated, array_position(i.indkey::int2[], a.attnum) as key
    from pg_attribute a left join pg_index i on i.indrelid = a.attrelid and i.indisprimary
   where a.attrelid = to_regclass(${literal(table)}) and a.attnum > 0 and not a.attisdropped order by a.attnum`;

/**
 * Copies rows of one table out of an instance into the database that serves, in one transaction there; nothing passes through files.
 * Refuses `COPY_IMPOSSIBLE` and `COPY_FAILED`, with nothing changed.
 */
export async function copyRows(request: CopyRequest): Promise<Copied> {
  const { settings, container, database, table, into } = request;
  const from = qualified(table);
  const there = await selectRows(container, database, columnSchema, columnsSelect(from));
  if (there.length === 0)
    throw impossible(
      `there is no table ${table} at that moment.`,
      "Name one that was there, with its schema.",
    );
  const target = into === "merge" ? from : qualified(into.table);
  const here = await withClient(access(settings), database, (client) =>
    rowsOf(client, columnSchema, columnsSelect(target)),
  );
  const columns = there.filter(
    ({ generated, name }) => !generated && (into !== "merge" || accepts(here, name)),
  );
  if (into !== "merge" && here.length > 0)
    throw impossible(
      `${target} exists already.`,
      "Name another new table with --into, or put the rows back with --merge.",
    );
  const key = sorted(into === "merge" ? here : there).map(({ name }) => name);
  if (
    into === "merge" &&
    (key.length === 0 || key.some((name) => !columns.some((each) => each.name === name)))
  )
    throw impossible(
      `${target} has no primary key that the rows of then have, too.`,
      "Copy into a new table:  --into TABLE",
    );
  const list = columns.map(({ name }) => identifier(name)).join(", ");
  const statements =
    into === "merge" ? mergeSql(target, columns, key) : createSql(target, columns, key, ownerRole(database));
  const select = `copy (select ${list} from ${from} t${request.where === undefined ? "" : ` where ${request.where}`}\n) to stdout`;
  const printed = await pipe(request, select, [
    "begin",
    ...statements,
    request.dryRun ? "rollback" : "commit",
  ]);
  const counts = z
    .object({ read: z.number(), inserted: z.number(), updated: z.number() })
    .parse(JSON.parse(printed));
  if (into === "merge" && !request.dryRun)
    await withClient(access(settings), database, (client) => advanceSequences(client, [target]));
  const kept = new Set(columns.map(({ name }) => name));
  const leftOut = there
    .filter(({ name, generated }) => !generated && !kept.has(name))
    .map(({ name }) => name);
  return { into: target, ...counts, leftOut };
}

function accepts(here: readonly Column[], name: string): boolean {
  return here.some((column) => column.name === name && !column.generated);
}

function sorted(columns: readonly Column[]): Column[] {
  return columns.filter(({ key }) => key !== null).sort((a, b) => (a.key ?? 0) - (b.key ?? 0));
}

/** A table with the columns of then and their primary key; no defaults, no references. Pure. */
export function createSql(
  target: string,
  columns: readonly Pick<Column, "name" | "type" | "required">[],
  key: readonly string[],
  owner: string,
): string[] {
  const lines = columns.map(
    ({ name, type, required }) => `${identifier(name)} ${type}${required ? " not null" : ""}`,
  );
  const primary = key.length === 0 ? [] : [`primary key (${key.map(identifier).join(", ")})`];
  return [
    `create table ${target} (${[...lines, ...primary].join(", ")})`,
    `alter table ${target} owner to ${identifier(owner)}`,
    `copy ${target} (${columns.map(({ name }) => identifier(name)).join(", ")}) from stdin`,
    `select json_build_object('read', count(*), 'inserted', count(*), 'updated', 0) from ${target}`,
  ];
}

/** Rows that are not there are inserted, those that differ get the values of then, the others are left alone. Pure. */
export function mergeSql(
  target: string,
  columns: readonly Pick<Column, "name" | "type">[],
  key: readonly string[],
): string[] {
  const list = columns.map(({ name }) => identifier(name)).join(", ");
  const others = columns.filter(({ name }) => !key.includes(name)).map(({ name }) => identifier(name));
  const change =
    others.length === 0
      ? "do nothing"
      : `do update set ${others.map((name) => `${name} = excluded.${name}`).join(", ")}
         where row(${others.map((name) => `t.${name}`).join(", ")})::text is distinct from row(${others.map((name) => `excluded.${name}`).join(", ")})::text`;
  return [
    `create temporary table incoming (${columns.map(({ name, type }) => `${identifier(name)} ${type}`).join(", ")}) on commit drop`,
    `copy incoming (${list}) from stdin`,
    `with done as (
       insert into ${target} as t (${list}) overriding system value select ${list} from incoming
           on conflict (${key.map(identifier).join(", ")}) ${change} returning xmax = 0 as fresh)
     select json_build_object('read', (select count(*) from incoming), 'inserted', count(*) filter (where fresh),
                              'updated', count(*) filter (where not fresh)) from done`,
  ];
}

/** One psql reads, another writes. The condition goes in over standard input: it may name what nobody else should read. */
async function pipe(
  { settings, container, database }: CopyRequest,
  select: string,
  statements: readonly string[],
): Promise<string> {
  const sink = psqlCommand(stackNames(settings).postgres, database, [
    ...["-q", "-At"],
    ...statements.flatMap((statement) => ["-c", statement]),
  ]);
  try {
    const source = execa("docker", psqlCommand(container, database, ["-q"]), { input: select });
    const { stdout } = await source.pipe("docker", sink);
    return stdout;
  } catch (error) {
    if (!(error instanceof ExecaError)) throw error;
    throw new Refusal({
      code: "COPY_FAILED",
      found: `PostgreSQL says: ${z.string().catch("").parse(error.stderr).trim()}`,
      untouched: "Nothing was copied: it is one transaction.",
      next: "Correct the condition, or copy into a new table and look at the rows there.",
    });
  }
}

function impossible(found: string, next: string): Refusal {
  return new Refusal({ code: "COPY_IMPOSSIBLE", found, untouched: "Nothing was copied.", next });
}

/** Where rows go when nobody says it: `meals` → `meals_recovered`. Pure. */
export function recoveredName(table: string): string {
  return `${tableSql(table).slice(0, -1)}_recovered"`;
}
