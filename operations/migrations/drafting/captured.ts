import type { ClientBase } from "pg";
import { z } from "zod";
import { rowsOf } from "../../database/query.ts";
import { keyOf, schemaObject } from "./snapshot.ts";
import type { SchemaObject, Snapshot } from "./snapshot.ts";

/**
 * What a migration without a reversal found and changed, as it is kept in the ledger: the objects that it removed or changed, in
 * full, with the keys that each depends on; and the keys that it left behind in their place.
 */
export const captured = z.object({
  objects: z.array(schemaObject),
  dependencies: z.record(z.string(), z.array(z.string())),
  gone: z.array(z.string()),
});
export type Captured = z.infer<typeof captured>;

/** What has to be kept of the schema before a migration, to draft its reversal later. */
export function capture(before: Snapshot, after: Snapshot): Captured {
  const text = (snapshot: Snapshot, key: string): string => {
    const object = snapshot.objects.get(key);
    // Where a sequence stands is no part of its definition.
    const attrs = Object.entries(object?.attrs ?? {}).filter(([name]) => name !== "last");
    const on = [...(snapshot.dependencies.get(key) ?? [])].sort();
    return JSON.stringify([{ ...object, attrs }, on]);
  };
  const keys = [...before.objects.keys()].filter((key) => text(before, key) !== text(after, key));
  return {
    objects: keys.flatMap((key) => before.objects.get(key) ?? []),
    dependencies: Object.fromEntries(keys.map((key) => [key, [...(before.dependencies.get(key) ?? [])]])),
    gone: [...after.objects.keys()].filter((key) => !before.objects.has(key)),
  };
}

const nothing: Snapshot = { objects: new Map(), dependencies: new Map() };

/** A whole schema in the form in which it can be kept; `snapshotOf` reads it back. */
export function wholeOf(snapshot: Snapshot): Captured {
  return capture(snapshot, nothing);
}

/** See `wholeOf`. Throws when it is none. */
export function snapshotOf(kept: unknown): Snapshot {
  return schemaBefore(captured.parse(kept), nothing);
}

/** The schema before a migration, from the one that it left and what was captured then. */
export function schemaBefore({ objects, dependencies, gone }: Captured, after: Snapshot): Snapshot {
  const all = new Map<string, SchemaObject>(after.objects);
  const edges = new Map<string, ReadonlySet<string>>(after.dependencies);
  for (const key of gone) {
    all.delete(key);
    edges.delete(key);
  }
  for (const object of objects) all.set(keyOf(object), object);
  for (const [key, on] of Object.entries(dependencies)) edges.set(key, new Set(on));
  return { objects: all, dependencies: edges };
}

/** Last numbers that sequences had given out when the migration ran, by name. */
export function positionsOf({ objects }: Captured): Map<string, string> {
  return new Map(
    objects.flatMap(({ kind, name, attrs }) => {
      const last = attrs["last"];
      const sequence = z.object({ name: z.string() }).safeParse(attrs["sequence"]);
      const which = kind === "sequence" ? name : sequence.success ? sequence.data.name : undefined;
      return typeof last === "string" && which !== undefined ? [[which, last] as const] : [];
    }),
  );
}

/** What was captured of an applied migration; undefined: nothing. */
export async function capturedOf(client: ClientBase, version: string): Promise<Captured | undefined> {
  const [row] = await rowsOf(
    client,
    z.object({ definitions: captured.nullish() }),
    // The ledger may still be of a version without the column.
    "SELECT to_jsonb(m) -> 'definitions' AS definitions FROM rollback.migration m WHERE version = $1 AND state = 'applied'",
    [version],
  );
  return row?.definitions ?? undefined;
}
