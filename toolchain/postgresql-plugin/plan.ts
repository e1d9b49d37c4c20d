import { asSet, isZero, same } from "./values.ts";
import {
  unknown,
  type Element,
  type Properties,
  type Property,
  type ResourceType,
  type Value,
} from "./model.ts";

export type ChangeKind = "add" | "update" | "delete";

export interface Change {
  readonly kind: ChangeKind;
  readonly replace: boolean;
}

export interface Difference {
  /** Key: path of a property, e.g. `connectionLimit` or `privileges[1]`. */
  readonly changes: ReadonlyMap<string, Change>;
  /** Top-level properties that changed, sorted. */
  readonly changed: readonly string[];
  /** Those that need a new resource, sorted. */
  readonly replaces: readonly string[];
  /** Properties that would need a new resource and did not change, sorted. */
  readonly stable: readonly string[];
  readonly deleteBeforeReplace: boolean;
}

/**
 * The state a resource is to have: what the inputs give, else the default, else (where the server fills it in) what it
 * has now. Sets are sorted and empty ones null, as the official plugin keeps them. Write-only values are left out.
 */
export function plan(
  type: ResourceType,
  olds: Properties,
  news: Properties,
  ignored: readonly string[] = [],
): Properties {
  return Object.fromEntries(
    Object.entries(type.properties).map(([name, property]) => {
      const old = olds[name] ?? null;
      if (ignored.includes(name)) return [name, old];
      if (property.writeOnly === true) return [name, null];
      const given = news[name] ?? null;
      if (given !== null) return [name, normal(property, given)];
      if (property.computed === true) return [name, old ?? unknown];
      return [name, property.default ?? null];
    }),
  );
}

/** What would have to change for `olds` to become what `news` asks for. `defaults`: names in `news` that are defaults. */
export function diff(
  type: ResourceType,
  olds: Properties,
  news: Properties,
  options: { readonly ignored?: readonly string[]; readonly defaults?: readonly string[] | undefined } = {},
): Difference {
  const planned = plan(type, olds, news, options.ignored);
  const changes = new Map<string, Change>();
  const changed: string[] = [];
  const replaces: string[] = [];
  const stable: string[] = [];
  for (const [name, property] of Object.entries(type.properties)) {
    const kinds = changesOf(property, name, olds[name] ?? null, planned[name] ?? null, news[name] ?? null);
    const replace = property.replace === true;
    for (const [path, kind] of kinds) changes.set(path, { kind, replace });
    if (kinds.size > 0) changed.push(name);
    if (replace) (kinds.size > 0 ? replaces : stable).push(name);
  }
  const named = Object.keys(news).some((name) => type.properties[name]?.autonamed === true);
  const namedByProgram = named && options.defaults !== undefined && !options.defaults.includes("name");
  return {
    changes,
    changed: changed.sort(),
    replaces: replaces.sort(),
    stable: stable.sort(),
    deleteBeforeReplace: replaces.length > 0 && (type.deleteBeforeReplace === true || namedByProgram),
  };
}

function changesOf(
  property: Property,
  name: string,
  old: Value,
  planned: Value,
  given: Value,
): ReadonlyMap<string, ChangeKind> {
  const before = isEmptyList(old) ? null : old;
  if (planned === unknown) return new Map([[name, before === null ? "add" : "update"]]);
  const unset = property.default === undefined || isZero(property.default);
  if (same(before, planned) || (unset && isZero(before) && isZero(planned))) return new Map();
  if (before === null && property.default === planned) return new Map();
  if (before === null) return new Map([[name, "add"]]);
  if (planned === null) return new Map([[name, "delete"]]);
  if (!isList(before) || !isList(planned)) return new Map([[name, "update"]]);
  return property.kind === "set"
    ? setChanges(name, before, isList(given) ? given : planned)
    : listChanges(name, before, planned);
}

/** Added elements by their place in the program's list, removed ones by their place in the state. */
function setChanges(
  name: string,
  old: readonly Element[],
  given: readonly Element[],
): ReadonlyMap<string, ChangeKind> {
  const changes = new Map<string, ChangeKind>();
  old.forEach((element, index) => {
    if (!given.includes(element)) changes.set(`${name}[${index}]`, "delete");
  });
  given.forEach((element, index) => {
    if (element !== unknown && (old.includes(element) || given.indexOf(element) !== index)) return;
    const path = `${name}[${index}]`;
    changes.set(path, changes.has(path) ? "update" : "add");
  });
  return changes;
}

function listChanges(
  name: string,
  old: readonly Element[],
  planned: readonly Element[],
): ReadonlyMap<string, ChangeKind> {
  const changes = new Map<string, ChangeKind>();
  for (let index = 0; index < Math.max(old.length, planned.length); index++) {
    if (index >= old.length) changes.set(`${name}[${index}]`, "add");
    else if (index >= planned.length) changes.set(`${name}[${index}]`, "delete");
    else if (!same([old[index] ?? unknown], [planned[index] ?? unknown]))
      changes.set(`${name}[${index}]`, "update");
  }
  return changes;
}

function normal(property: Property, value: Value): Value {
  if (!isList(value)) return value;
  if (value.length === 0) return null;
  if (property.kind === "list" || value.includes(unknown)) return value;
  return asSet(value.filter((element) => element !== unknown));
}

function isList(value: Value): value is readonly Element[] {
  return Array.isArray(value);
}

function isEmptyList(value: Value): boolean {
  return isList(value) && value.length === 0;
}
