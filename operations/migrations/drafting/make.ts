import { literal } from "../../database/query.ts";
import type { Alteration } from "./alter.ts";
import { own } from "./attrs.ts";
import { createStatements } from "./create.ts";
import type { SchemaObject, Snapshot } from "./snapshot.ts";
import { trimmings } from "./trimmings.ts";

export interface MakeOptions {
  /** Role that runs the statements, quoted. */
  readonly owner: string;
  /** Last numbers given out by sequences that are made again, by quoted name; missing ones begin anew. */
  readonly positions: ReadonlyMap<string, string>;
}

const parts = new Set(["column", "attribute"]);

/** Keys that must be there before: what the server says, and what goes into the same statement. */
export function needs(before: Snapshot, create: ReadonlySet<string>, key: string): Iterable<string> {
  const object = before.objects.get(key);
  const direct = new Set(before.dependencies.get(key) ?? []);
  if (object === undefined) return direct;
  const own_ = (part: SchemaObject): boolean => part.parent === key && parts.has(part.kind);
  if (create.has(key) && ["table", "foreign table", "composite"].includes(object.kind)) {
    for (const [partKey, part] of before.objects) {
      if (own_(part)) for (const on of before.dependencies.get(partKey) ?? []) direct.add(on);
    }
    for (const [partKey, part] of before.objects) if (own_(part)) direct.delete(partKey);
  }
  if (object.kind === "column" && create.has(key) && create.has(`default ${object.name}`)) {
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
export function inlined(before: Snapshot, create: ReadonlySet<string>, object: SchemaObject): boolean {
  if (object.parent !== null && parts.has(object.kind)) return create.has(object.parent);
  if (object.kind !== "default") return false;
  const column = before.objects.get(`column ${object.name}`);
  const table = column?.parent ?? "";
  return create.has(`column ${object.name}`) && !create.has(table);
}

/** The statements that make an object of the schema `before` again; undefined: nobody knows how. */
export function make(
  before: Snapshot,
  create: ReadonlySet<string>,
  object: SchemaObject,
  { owner, positions }: MakeOptions,
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
export function conversions(
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
export function lossesOf(
  before: Snapshot,
  create: ReadonlySet<string>,
  object: SchemaObject,
  { positions }: MakeOptions,
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
  if (text("type") === "server") return [`the user mappings of ${name}, which hold passwords`];
  if (kind === "sequence" && !positions.has(name))
    return [`the position of the sequence ${name}, which begins anew`];
  return [];
}

/** A part of an object's attributes that has parts itself. */
export function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}
