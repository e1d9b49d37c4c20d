import { alteration } from "./alter.ts";
import type { Alteration } from "./alter.ts";
import { own } from "./attrs.ts";
import type { SchemaObject, Snapshot } from "./snapshot.ts";
import { dependentsOf } from "./snapshot.ts";

const types = new Set(["enum", "domain", "range", "composite"]);
/** What stands for itself and can be made again from its definition alone. */
const remakeable = new Set([
  ...[
    "view",
    "materialized view",
    "index",
    "constraint",
    "trigger",
    "rule",
    "policy",
    "default",
    "statistics",
  ],
  ...["function", "procedure", "aggregate", "sequence owner", "foreign table"],
]);
/** What PostgreSQL carries over itself when a column's type changes within its kind. */
const carriedOver = new Set(["index", "constraint"]);

/** What has to be dropped, made and altered to get from one schema to another, by key. */
export interface ChangePlan {
  readonly drop: Set<string>;
  readonly create: Set<string>;
  readonly alterations: Map<string, Alteration>;
  /** Types whose columns move over to a new type of the same name. */
  readonly swapped: Set<string>;
}

/** The plan from the schema `now` to the schema `before`. Pure. */
export function planOf(before: Snapshot, now: Snapshot): ChangePlan {
  const drop = new Set<string>();
  const create = new Set<string>();
  const alterations = new Map<string, Alteration>();
  const swapped = new Set<string>();
  const dependents = dependentsOf(now);

  const disturb = (key: string, deep: boolean): void => {
    for (const each of dependents.get(key) ?? []) {
      const object = now.objects.get(each);
      if (object === undefined || drop.has(each)) continue;
      const generated = object.kind === "column" && own(object.attrs).text("generated") !== undefined;
      const falls = object.kind === "column" && object.parent === key && drop.has(key);
      if (!remakeable.has(object.kind) && !generated && !falls) continue;
      const foreignKey = own(object.attrs).text("references") !== undefined;
      if (!deep && carriedOver.has(object.kind) && !foreignKey) continue;
      if (object.kind === "sequence owner" && !deep) continue;
      if (generated && now.objects.get(key)?.kind === "table") continue;
      drop.add(each);
      if (before.objects.has(each)) create.add(each);
      alterations.delete(each);
      disturb(each, true);
    }
  };
  for (const key of before.objects.keys()) if (!now.objects.has(key)) create.add(key);
  const gone = [...now.objects.keys()].filter((key) => !before.objects.has(key));
  for (const key of gone) drop.add(key);
  const disturbed: [string, boolean][] = [];
  for (const [key, object] of before.objects) {
    const current = now.objects.get(key);
    if (current === undefined) continue;
    const change = alteration(object, current);
    if (change.again) {
      if (types.has(object.kind)) swapped.add(key);
      drop.add(key);
      create.add(key);
    } else if (change.statements.length > 0) alterations.set(key, change);
    if (change.again || change.disturbs) disturbed.push([key, change.again || anotherKind(object, current)]);
  }
  for (const [key, deep] of disturbed) disturb(key, deep);
  for (const key of gone) disturb(key, true);
  // What is attached to an index or a constraint that goes falls with it.
  for (const [key, { kind, attrs }] of now.objects) {
    const of = own(attrs).text("of");
    if (of === undefined || kind === "partition" || drop.has(key) || !drop.has(`${kind} ${of}`)) continue;
    drop.add(key);
    create.add(key);
  }
  return { drop, create, alterations, swapped };
}

function anotherKind(a: SchemaObject, b: SchemaObject): boolean {
  return own(a.attrs).text("category") !== own(b.attrs).text("category");
}
