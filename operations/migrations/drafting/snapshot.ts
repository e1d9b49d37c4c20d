import type { ClientBase } from "pg";
import { z } from "zod";
import { rowsOf } from "../../database/query.ts";
import { lookSettings, lookSettingsBack } from "../catalogue/read.ts";
import type { TrackingName } from "../catalogue/sql.ts";
import { dependenciesSql, objectsSql } from "./snapshot-sql.ts";

const grant = z.object({ grantee: z.string(), privileges: z.string(), grantable: z.boolean() });

/** See `SchemaObject`; also how it is kept in the ledger. */
export const schemaObject = z.object({
  /** The server's identity of the object, kept when it is renamed. */
  id: z.string(),
  kind: z.string(),
  /** What SQL calls it, unique within its kind. */
  name: z.string(),
  /** Its own name, without schema or table. */
  base: z.string(),
  schema: z.string().nullable(),
  /** Key of the object that it falls with. */
  parent: z.string().nullable(),
  owner: z.string().nullable(),
  attrs: z.record(z.string(), z.unknown()),
  comment: z.string().nullable(),
  acl: z.array(grant).nullable(),
});

/** Privileges of one grantee. */
export type Grant = z.infer<typeof grant>;

/** One object of a schema with everything that it takes to make it again. */
export type SchemaObject = z.infer<typeof schemaObject>;

/** A schema in full: its objects by key (kind and name), and for each key the keys that it depends on. */
export interface Snapshot {
  readonly objects: ReadonlyMap<string, SchemaObject>;
  readonly dependencies: ReadonlyMap<string, ReadonlySet<string>>;
}

/** How objects are told apart within a snapshot. */
export function keyOf({ kind, name }: Pick<SchemaObject, "kind" | "name">): string {
  return `${kind} ${name}`;
}

/** The schema as it is now. Inside a transaction only (the search path is set for it and reset after). */
export async function readSnapshot(client: ClientBase, tracking: TrackingName): Promise<Snapshot> {
  await client.query(lookSettings.join("; "));
  const rows = await rowsOf(client, schemaObject, objectsSql(tracking));
  const edges = await rowsOf(client, z.object({ dependent: z.string(), on: z.string() }), dependenciesSql);
  await client.query(lookSettingsBack.join("; "));
  const objects = new Map(rows.map((row) => [keyOf(row), row]));
  const keysOf = Map.groupBy(objects.keys(), (key) => objects.get(key)?.id ?? "");
  const dependencies = new Map<string, Set<string>>();
  const add = (from: string, to: string): void => {
    if (from === to || !objects.has(to)) return;
    const known = dependencies.get(from) ?? new Set();
    dependencies.set(from, known.add(to));
  };
  // What shares another object's identity depends on what is added below, and nothing depends on it.
  const own = (id: string): string[] =>
    (keysOf.get(id) ?? []).filter((key) => !/^(partition|sequence owner) /.test(key));
  for (const { dependent, on } of edges) {
    for (const from of own(dependent)) {
      // A sequence exists before the column that owns it; only the owning depends on both.
      if (objects.get(from)?.kind === "sequence") continue;
      for (const to of own(on)) add(from, to);
    }
  }
  for (const [key, { parent, kind, attrs }] of objects) {
    if (parent !== null) add(key, parent);
    if (kind === "sequence owner") add(key, `column ${String(attrs["column"])}`);
    if (kind === "partition") add(key, `table ${String(attrs["of"])}`);
  }
  return { objects, dependencies };
}

/** For each key the keys that depend on it. */
export function dependentsOf({ dependencies }: Snapshot): Map<string, Set<string>> {
  const result = new Map<string, Set<string>>();
  for (const [key, on] of dependencies) {
    for (const each of on) result.set(each, (result.get(each) ?? new Set()).add(key));
  }
  return result;
}
