import { isZero, same } from "./values.ts";
import type { Element, Properties, ResourceType, Value } from "./model.ts";

export interface Inputs {
  readonly values: Properties;
  /** undefined: the list is left out of the state. */
  readonly defaults: readonly string[] | undefined;
}

/**
 * Inputs after a refresh: only those that were there, each with the value the server has now. A changed one is no
 * longer a default. Lists keep their length: what is new on the server shows as a difference of the outputs.
 */
export function refreshedInputs(old: Inputs, outputs: Properties): Inputs {
  const values: Record<string, Value> = {};
  const kept: string[] = [];
  for (const [name, before] of Object.entries(old.values)) {
    const now = outputs[name];
    if (now === undefined) continue;
    const value = isList(before) && isList(now) ? now.slice(0, before.length) : now;
    values[name] = value;
    if (old.defaults?.includes(name) === true && same(before, value)) kept.push(name);
  }
  return { values, defaults: kept.length === 0 ? undefined : kept.sort() };
}

/** Inputs of an imported resource: all that is required, and the rest where it is neither a default nor empty. */
export function importedInputs(type: ResourceType, outputs: Properties): Inputs {
  const values: Record<string, Value> = {};
  for (const [name, property] of Object.entries(type.properties)) {
    const value = outputs[name] ?? null;
    const ordinary = property.default === undefined ? isZero(value) : value === property.default;
    if (property.required !== true && (value === null || ordinary)) continue;
    values[name] = value;
  }
  return { values, defaults: [] };
}

function isList(value: Value): value is readonly Element[] {
  return Array.isArray(value);
}
