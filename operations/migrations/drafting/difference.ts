import { literal } from "../../database/query.ts";
import { alteration, trim } from "./alter.ts";
import type { Alteration } from "./alter.ts";
import { own } from "./attrs.ts";
import { createStatements } from "./create.ts";
import { dropStatements } from "./drop.ts";
import { inOrder } from "./order.ts";
import { named, revokedFrom, trimmings } from "./trimmings.ts";
import type { SchemaObject, Snapshot } from "./snapshot.ts";

/** Statements that lead from one schema to another, and what has to be said about them. */
export interface Difference {
  readonly statements: readonly string[];
  /** What they do not bring back, or what may stop them. */
  readonly warnings: readonly string[];
  /** Objects that nobody knows how to make again. */
  readonly impossible: readonly string[];
}

export interface DifferenceOptions {
  /** Role that runs the statements, quoted. */
  readonly owner: string;
  /** Last numbers given out by sequences that are made again, by quoted name; missing ones begin anew. */
  readonly positions: ReadonlyMap<string, string>;
}

const parts = new Set(["column", "attribute"]);
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
  ...["function", "procedure", "aggregate", "sequence owner"],
]);
/** What PostgreSQL carries over itself when a column's type changes within its kind. */
const carriedOver = new Set(["index", "constraint"]);

/** From the schema `now` to the schema `before`, both with the same names for what is in both. Pure. */
export function difference(before: Snapshot, now: Snapshot, options: DifferenceOptions): Difference {
  const plan = planOf(before, now);
  const { drop, create, alterations, swapped } = plan;
  const warnings = [...alterations.values()].flatMap((each) => each.warnings);
  const impossible: string[] = [];

  const dependentsNow = reversed(now);
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
  const dropping = (keys: Iterable<string>): string[] =>
    inOrder(
      keys,
      (key) => rankOf(now, key),
      (key) => now.dependencies.get(key) ?? [],
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
  const due = new Set([...create, ...alterations.keys()]);
  for (const key of inOrder(
    due,
    (each) => rankOf(before, each),
    (each) => needs(before, create, each),
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
    const stays = current !== undefined && !create.has(key) && object.kind !== "other";
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

interface DraftPlan {
  readonly drop: Set<string>;
  readonly create: Set<string>;
  readonly alterations: Map<string, Alteration>;
  /** Types whose columns move over to a new type of the same name. */
  readonly swapped: Set<string>;
}

function planOf(before: Snapshot, now: Snapshot): DraftPlan {
  const drop = new Set<string>();
  const create = new Set<string>();
  const alterations = new Map<string, Alteration>();
  const swapped = new Set<string>();
  const dependents = reversed(now);

  const disturb = (key: string, deep: boolean): void => {
    for (const each of dependents.get(key) ?? []) {
      const object = now.objects.get(each);
      if (object === undefined || drop.has(each)) continue;
      const generated = object.kind === "column" && own(object.attrs).text("generated") !== undefined;
      if (!remakeable.has(object.kind) && !generated) continue;
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

/** Keys that must be there before: what the server says, and what goes into the same statement. */
function needs(before: Snapshot, create: ReadonlySet<string>, key: string): Iterable<string> {
  const object = before.objects.get(key);
  const direct = new Set(before.dependencies.get(key) ?? []);
  if (object === undefined) return direct;
  const own_ = (part: SchemaObject): boolean => part.parent === key && parts.has(part.kind);
  if (create.has(key) && (object.kind === "table" || object.kind === "composite")) {
    for (const [partKey, part] of before.objects) {
      if (own_(part)) for (const on of before.dependencies.get(partKey) ?? []) direct.add(on);
    }
    for (const [partKey, part] of before.objects) if (own_(part)) direct.delete(partKey);
  }
  if (object.kind === "column" && create.has(`default ${object.name}`)) {
    for (const on of before.dependencies.get(`default ${object.name}`) ?? []) direct.add(on);
  }
  // Parts that go along with a new table are there when the table is.
  const wider = [...direct].flatMap((on) => {
    const part = before.objects.get(on);
    return part !== undefined && parts.has(part.kind) && part.parent !== null && part.parent !== key
      ? [on, part.parent]
      : [on];
  });
  direct.delete(key);
  return wider;
}

/** Whether an object is written into the statement that makes another one. */
function inlined(before: Snapshot, create: ReadonlySet<string>, object: SchemaObject): boolean {
  if (object.parent !== null && parts.has(object.kind)) return create.has(object.parent);
  if (object.kind !== "default") return false;
  const column = before.objects.get(`column ${object.name}`);
  const table = column?.parent ?? "";
  return create.has(`column ${object.name}`) && !create.has(table);
}

function make(
  before: Snapshot,
  create: ReadonlySet<string>,
  object: SchemaObject,
  { owner, positions }: DifferenceOptions,
  standing: readonly SchemaObject[],
): string[] | undefined {
  if (inlined(before, create, object)) return [];
  const { kind, attrs, parent, name } = object;
  const { flag } = own(attrs);
  // A partition's indexes are attached when it is.
  const attached = parent !== null && create.has(parent.replace(/^table /, "partition "));
  const tableIsNew = attached || (parent !== null && create.has(parent));
  // A parent table hands these down itself; only a partition that is made on its own needs them first.
  const handedDown = (kind === "column" || kind === "constraint") && !flag("local");
  const newPartition =
    parent !== null && create.has(parent) && own(before.objects.get(parent)?.attrs ?? {}).flag("partition");
  if (handedDown && !(kind === "constraint" && newPartition)) return [];
  const columns = [...before.objects.values()]
    .filter((part) => part.parent === `${kind} ${name}` && parts.has(part.kind))
    .sort((a, b) => Number(a.attrs["position"]) - Number(b.attrs["position"]));
  const expression = own(before.objects.get(`default ${name}`)?.attrs ?? {}).text("expression");
  const made = createStatements(object, {
    columns,
    default: kind === "column" ? expression : undefined,
    tableIsNew,
  });
  if (made === undefined) return undefined;
  const numbers = [object, ...columns].flatMap(({ kind: of, name: its, attrs: own_ }) => {
    const sequence = of === "sequence" ? its : own(recordOf(own_["sequence"])).text("name");
    const at = sequence === undefined ? undefined : positions.get(sequence);
    return sequence === undefined || at === undefined
      ? []
      : [`SELECT pg_catalog.setval(${literal(sequence)}, ${at}, true)`];
  });
  return [
    ...made,
    ...numbers,
    ...trimmings(object, owner, standing),
    ...columns.flatMap((column) => trimmings(column, owner, standing)),
  ].filter((statement) => statement !== "");
}

/** Columns of a type that is replaced by another of the same name. */
function conversions(
  before: Snapshot,
  now: Snapshot,
  alterations: ReadonlyMap<string, Alteration>,
  create: ReadonlySet<string>,
  type: string,
): string[] {
  return [...now.dependencies].flatMap(([key, on]) => {
    const object = before.objects.get(key);
    if (!on.has(type) || object === undefined || create.has(key) || alterations.has(key)) return [];
    const { text, flag } = own(object.attrs);
    if (object.kind !== "column" || !flag("local")) return [];
    return [
      `ALTER TABLE ${text("table") ?? ""} ALTER COLUMN ${object.base} TYPE ${text("type") ?? ""} USING ${object.base}::text::${text("type") ?? ""}`,
    ];
  });
}

/** What making an object again does not bring back. */
function lossesOf(
  before: Snapshot,
  create: ReadonlySet<string>,
  object: SchemaObject,
  { positions }: DifferenceOptions,
): string[] {
  const { kind, name, attrs, parent } = object;
  const { text, flag } = own(attrs);
  if (kind === "table" && text("partitionBy") === undefined) return [`the rows of ${name}`];
  if (kind === "column" && !(parent !== null && create.has(parent)) && text("generated") === undefined) {
    const empty = flag("notNull") && text("identity") === undefined && !before.objects.has(`default ${name}`);
    return [
      `the values of ${name}`,
      ...(empty
        ? [`${name} is NOT NULL without a default: with rows in the table, give it a value first`]
        : []),
    ];
  }
  if (kind === "sequence" && !positions.has(name))
    return [`the position of the sequence ${name}, which begins anew`];
  return [];
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

function reversed({ dependencies }: Snapshot): Map<string, Set<string>> {
  const result = new Map<string, Set<string>>();
  for (const [key, on] of dependencies) {
    for (const each of on) result.set(each, (result.get(each) ?? new Set()).add(key));
  }
  return result;
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}
