import { unknown, type Properties, type ResourceType, type Value } from "./model.ts";

/** `connectionLimit` → `connection_limit`: the official messages use the names of the plugin underneath. */
export function underscored(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** The properties of a type in full: what is absent is null, what the type does not have is left out. */
export function complete(type: ResourceType, given: Properties): Properties {
  return Object.fromEntries(Object.keys(type.properties).map((name) => [name, given[name] ?? null]));
}

/** An unset, empty, zero or false value: the official plugin makes no difference between them where there is no default. */
export function isZero(value: Value): boolean {
  return (
    value === null ||
    value === "" ||
    value === 0 ||
    value === false ||
    (Array.isArray(value) && value.length === 0)
  );
}

/** A text property; null counts as empty. */
export function text(from: Properties, name: string): string {
  const value = from[name] ?? "";
  if (typeof value !== "string") throw new TypeError(`${name} is not a text`);
  return value;
}

/** A whole number; null counts as 0. */
export function integer(from: Properties, name: string): number {
  const value = from[name] ?? 0;
  if (typeof value !== "number") throw new TypeError(`${name} is not a number`);
  return value;
}

/** A yes or no; null counts as no. */
export function flag(from: Properties, name: string): boolean {
  const value = from[name] ?? false;
  if (typeof value !== "boolean") throw new TypeError(`${name} is neither true nor false`);
  return value;
}

/** A list or set of texts; null counts as empty. */
export function texts(from: Properties, name: string): readonly string[] {
  const value = from[name] ?? [];
  if (!Array.isArray(value)) throw new TypeError(`${name} is not a list`);
  return value.map((element: unknown) => {
    if (typeof element !== "string") throw new TypeError(`${name} holds something that is not a text`);
    return element;
  });
}

/** A set in the order the official plugin keeps it: sorted, without duplicates. */
export function asSet(elements: Iterable<string>): readonly string[] {
  return [...new Set(elements)].sort();
}

export function sameSet(one: readonly string[], other: readonly string[]): boolean {
  return asSet(one).join("\0") === asSet(other).join("\0");
}

/** Whether two values are the same; sets are expected in the same order. */
export function same(one: Value, other: Value): boolean {
  if (Array.isArray(one) && Array.isArray(other)) {
    return (
      one.length === other.length &&
      one.every((element, index) => element === other[index] && element !== unknown)
    );
  }
  return one === other && one !== unknown;
}
