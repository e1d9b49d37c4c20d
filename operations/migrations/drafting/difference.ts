import { trim } from "./alter.ts";
import { own } from "./attrs.ts";
import { planOf } from "./change-plan.ts";
import { dropStatements } from "./drop.ts";
import { conversions, inlined, lossesOf, make, needs, recordOf } from "./make.ts";
import type { MakeOptions } from "./make.ts";
import { inOrder } from "./order.ts";
import { dependentsOf } from "./snapshot.ts";
import type { SchemaObject, Snapshot } from "./snapshot.ts";
import { named, revokedFrom } from "./trimmings.ts";

/** Statements that lead from one schema to another, and what has to be said about them. */
export interface Difference {
  readonly statements: readonly string[];
  /** What they do not bring back, or what may stop them. */
  readonly warnings: readonly string[];
  /** Objects that nobody knows how to make again. */
  readonly impossible: readonly string[];
}

/** From the schema `now` to the schema `before`, both with the same names for what is in both. Pure. */
export function difference(before: Snapshot, now: Snapshot, options: MakeOptions): Difference {
  const plan = planOf(before, now);
  const { drop, create, alterations, swapped } = plan;
  const warnings = [...alterations.values()].flatMap((each) => each.warnings);
  const impossible: string[] = [];

  const dependentsNow = dependentsOf(now);
  const late = new Set(
    [...drop].filter((key) =>
      [...(dependentsNow.get(key) ?? [])].some((each) => !drop.has(each) && !isPartOf(now, each, key)),
    ),
  );
  const owners = new Map(
    [...now.objects.values()].flatMap(({ kind, name, attrs }) =>
      kind === "sequence owner" ? [[name, own(attrs).text("column") ?? ""] as const] : [],
    ),
  );
  const needsOf = withFalling(now, drop);
  const dropping = (keys: Iterable<string>): string[] =>
    inOrder(
      keys,
      (key) => rankOf(now, key),
      (key) => needsOf.get(key) ?? now.dependencies.get(key) ?? [],
    )
      .toReversed()
      .flatMap((key) => {
        const object = now.objects.get(key);
        return object === undefined || swapped.has(key)
          ? []
          : dropStatements(
              object,
              (other) => drop.has(other) && !swapped.has(other),
              (name) => owners.get(name),
            );
      });

  const standing = [...now.objects].flatMap(([key, object]) =>
    object.kind === "default privileges" && !drop.has(key) ? [object] : [],
  );
  const making: string[] = [];
  // An identity's sequence may have the name of one that is to come back.
  const givesUp = new Map<string, readonly string[]>(
    [...alterations.keys()].flatMap((key) => {
      const name = own(recordOf(now.objects.get(key)?.attrs["sequence"])).text("name");
      return name === undefined ? [] : [[`sequence ${name}`, [key]] as const];
    }),
  );
  const due = new Set([...create, ...alterations.keys()]);
  for (const key of inOrder(
    due,
    (each) => rankOf(before, each),
    (each) => [...needs(before, create, each), ...(givesUp.get(each) ?? [])],
  )) {
    const object = before.objects.get(key);
    if (object === undefined) continue;
    if (swapped.has(key)) making.push(`ALTER ${named(object)} RENAME TO ${aside(object)}`);
    if (create.has(key)) {
      const made = make(before, create, object, options, standing);
      if (made === undefined) impossible.push(key);
      else making.push(...made);
      warnings.push(...lossesOf(before, create, object, options));
    }
    if (swapped.has(key)) making.push(...conversions(before, now, alterations, create, key));
    making.push(...(alterations.get(key)?.statements ?? []));
  }
  // What is taken from a table is taken from its columns as well.
  const revoked = new Set<string>();
  const trims = [...before.objects].map(([key, object]): { early: boolean; statements: string[] } => {
    const current = now.objects.get(key);
    const stays = current !== undefined && !create.has(key);
    if (!stays || inlined(before, create, object)) return { early: false, statements: [] };
    const left = (current.acl ?? []).filter(
      ({ grantee }) => !revoked.has(`${object.parent ?? ""} ${grantee}`),
    );
    const statements = trim(object, { ...current, acl: left });
    for (const grantee of revokedFrom(object, current)) revoked.add(`${key} ${grantee}`);
    // Before columns are made again that have privileges of their own.
    return { early: object.kind === "table" && object.owner === current.owner, statements };
  });
  const trimming = (early: boolean): string[] =>
    trims.flatMap((each) => (each.early === early ? each.statements : []));
  const swaps = [...swapped].flatMap((key) => {
    const object = before.objects.get(key);
    return object === undefined
      ? []
      : [`DROP ${object.kind === "domain" ? "DOMAIN" : "TYPE"} ${object.schema ?? ""}.${aside(object)}`];
  });
  return {
    statements: [
      ...dropping([...drop].filter((key) => !late.has(key))),
      ...trimming(true),
      ...making,
      ...dropping(late),
      ...swaps,
      ...trimming(false),
    ],
    warnings: [...new Set(warnings)],
    impossible,
  };
}

function aside({ base }: SchemaObject): string {
  return `"~${base.replaceAll('"', "").slice(0, 40)} before"`;
}

function isPartOf(snapshot: Snapshot, key: string, parent: string): boolean {
  return snapshot.objects.get(key)?.parent === parent;
}

function rankOf(snapshot: Snapshot, key: string): string {
  const object = snapshot.objects.get(key);
  if (object === undefined) return "";
  return own(object.attrs).text("references") === undefined ? object.kind : "foreign key";
}

/** What an object needs, and what needs those that fall with it: a function goes after the table whose trigger calls it. */
function withFalling(now: Snapshot, drop: ReadonlySet<string>): Map<string, Set<string>> {
  const rootOf = (key: string): string => {
    const parent = now.objects.get(key)?.parent ?? undefined;
    return parent !== undefined && drop.has(parent) ? rootOf(parent) : key;
  };
  const needed = new Map<string, Set<string>>();
  for (const key of drop) {
    const root = rootOf(key);
    const all = needed.get(root) ?? new Set();
    for (const on of now.dependencies.get(key) ?? []) if (rootOf(on) !== root) all.add(on);
    needed.set(root, all);
  }
  return needed;
}
