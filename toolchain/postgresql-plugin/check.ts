import { createHash, randomBytes } from "node:crypto";
import { isZero, underscored } from "./values.ts";
import {
  unknown,
  type Element,
  type Properties,
  type Property,
  type ResourceType,
  type Value,
} from "./model.ts";

export interface Failure {
  readonly property: string;
  readonly reason: string;
}

/** How a name comes about when the program gives none. */
export interface Naming {
  /** Name of the resource in the program. */
  readonly resource: string;
  /** Seed of the engine: the same name in preview and update; empty: random. */
  readonly seed: Uint8Array;
  /** What the project's `pulumi:autonaming` says; undefined: nothing. */
  readonly configured?: { readonly mode: "propose" | "enforce" | "disable"; readonly name: string };
}

/** What the state knows of the inputs of an existing resource. */
export interface OldInputs {
  readonly values: Properties;
  /** Names that were defaults; undefined: not recorded, any may have been one. */
  readonly defaults: readonly string[] | undefined;
}

export interface Checked {
  readonly inputs: Properties;
  /** Names in `inputs` that the program did not give. */
  readonly defaults: readonly string[];
  readonly failures: readonly Failure[];
}

/** Validates what the program gives and adds defaults: only those that are not false or zero, as the official plugin does. */
export function check(
  type: ResourceType,
  news: Properties,
  olds: OldInputs | undefined,
  naming: Naming,
): Checked {
  const failures: Failure[] = [];
  const inputs: Record<string, Value> = {};
  for (const [name, given] of Object.entries(news)) {
    if (given === null) continue;
    const property = type.properties[name];
    if (property === undefined) {
      failures.push({ property: name, reason: unusable(type, name) });
      continue;
    }
    const value = converted(property, given);
    if (value === undefined)
      failures.push({ property: name, reason: `${name} must be ${article(property)}.` });
    else inputs[name] = value;
  }

  const defaults: string[] = [];
  for (const [name, property] of Object.entries(type.properties)) {
    if (inputs[name] !== undefined || property.deprecated === true || news[name] !== undefined) continue;
    const value = defaultOf(name, property, olds, naming);
    if (value === undefined) continue;
    inputs[name] = value;
    defaults.push(name);
  }
  failures.push(...violations(type, inputs));
  return { inputs, defaults: defaults.sort(), failures };
}

function defaultOf(
  name: string,
  property: Property,
  olds: OldInputs | undefined,
  naming: Naming,
): Value | undefined {
  if (property.default === undefined && property.autonamed !== true) return undefined;
  const old = olds?.values[name];
  if (old !== undefined && old !== null && (olds?.defaults?.includes(name) ?? true)) return old;
  if (property.autonamed === true) return autoname(naming);
  return isZero(property.default ?? null) ? undefined : property.default;
}

function autoname({ resource, seed, configured }: Naming): string | undefined {
  if (configured?.mode === "disable") return undefined;
  if (configured !== undefined) return configured.name;
  const suffix =
    seed.length === 0 ? randomBytes(4).toString("hex") : createHash("sha256").update(seed).digest("hex");
  return `${resource}-${suffix.slice(0, 7)}`;
}

function violations(type: ResourceType, inputs: Properties): Failure[] {
  const found: Failure[] = [];
  for (const [name, property] of Object.entries(type.properties)) {
    const value = inputs[name];
    const fail = (reason: string) =>
      found.push({ property: name, reason: `${reason}. Examine values at '${name}'.` });
    if (value === undefined) {
      if (property.required === true) {
        fail(
          `Missing required argument. The argument "${underscored(name)}" is required, but no definition was found.`,
        );
      }
      continue;
    }
    const { minimum, oneOf } = property;
    if (minimum !== undefined && typeof value === "number" && value < minimum) {
      fail(`expected ${underscored(name)} to be at least (${minimum}), got ${value}`);
    }
    if (oneOf !== undefined && typeof value === "string" && !oneOf.includes(value)) {
      const allowed = oneOf.map((one) => JSON.stringify(one)).join(" ");
      fail(`expected ${underscored(name)} to be one of [${allowed}], got ${value}`);
    }
    for (const other of property.conflictsWith ?? []) {
      if (inputs[other] !== undefined)
        fail(
          `Conflicting configuration arguments. "${underscored(name)}": conflicts with ${underscored(other)}`,
        );
    }
    if (property.requires !== undefined && inputs[property.requires] === undefined) {
      fail(
        `Missing required argument. "${underscored(name)}": all of \`${underscored(property.requires)}\` must be specified`,
      );
    }
  }
  return found;
}

function unusable(type: ResourceType, name: string): string {
  const instead = type.refused?.[name];
  if (instead === undefined) return `Invalid or unknown key. Examine values at '${name}'.`;
  return `${name} is not supported by this stand-in for the official plugin: ${instead}`;
}

/** The value in the property's own type, as YAML and untyped programs may give `"5"` for 5; undefined: it does not fit. */
function converted(property: Property, value: Value): Value | undefined {
  if (value === unknown || value === null) return value;
  switch (property.kind) {
    case "string":
      return typeof value === "object" ? undefined : String(value);
    case "integer": {
      const number =
        typeof value === "string" && value.trim() !== ""
          ? Number(value)
          : typeof value === "boolean"
            ? Number.NaN
            : value;
      return typeof number === "number" && Number.isInteger(number) ? number : undefined;
    }
    case "boolean":
      if (value === "true" || value === "false") return value === "true";
      return typeof value === "boolean" ? value : undefined;
    case "set":
    case "list":
      return isElements(value) ? value : undefined;
  }
}

function isElements(value: Value): value is readonly Element[] {
  return Array.isArray(value);
}

function article({ kind }: Property): string {
  return {
    string: "a text",
    integer: "a whole number",
    boolean: "true or false",
    set: "a list of texts",
    list: "a list of texts",
  }[kind];
}
