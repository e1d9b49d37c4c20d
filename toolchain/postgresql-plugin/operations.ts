import { importedInputs, refreshedInputs, type Inputs } from "./inputs.ts";
import { resourceTypes } from "./types/index.ts";
import { OperationFailed } from "./errors.ts";
import { plan } from "./plan.ts";
import { complete } from "./values.ts";
import { unknown, type Existing, type Properties, type ResourceType, type Server } from "./model.ts";

/** Version of the official plugin that this stand-in behaves like; the engine asks for it. */
export const pluginVersion = "3.18.1";

/** A resource after an operation, with all its outputs. */
export interface Outcome {
  readonly id: string;
  readonly outputs: Properties;
}

/** The supported type of a URN or token; throws for any other, with the way to the official plugin. */
export function resourceType(token: string): ResourceType {
  const type = resourceTypes.get(token);
  if (type === undefined) throw new OperationFailed(unsupported(token));
  return type;
}

/** What to say about something that only the official plugin has. */
export function unsupported(token: string): string {
  const types = [...resourceTypes.keys()].map((known) => known.split(":").at(-1)).join(", ");
  return [
    `${token} is not known to this stand-in for the official postgresql plugin; it has ${types}.`,
    `Nothing was changed. Where the official plugin can be downloaded, it is used instead:`,
    `  pulumi plugin install resource postgresql ${pluginVersion}`,
  ].join("\n");
}

/** Creates a resource; with `preview` nothing connects, and what only the server can say is unknown. */
export async function create(
  type: ResourceType,
  server: () => Server,
  news: Properties,
  preview: boolean,
): Promise<Outcome> {
  const planned = plan(type, {}, news);
  if (preview) return { id: "", outputs: { ...planned, ...type.constants } };
  return outcome(type, planned, await type.create(server(), forServer(type, planned, news)));
}

/** Updates a resource in place; with `preview` nothing connects. */
export async function update(
  type: ResourceType,
  server: () => Server,
  id: string,
  olds: Properties,
  news: Properties,
  options: { readonly preview: boolean; readonly ignored: readonly string[] },
): Promise<Outcome> {
  const planned = plan(type, olds, news, options.ignored);
  if (options.preview) return { id, outputs: { ...planned, ...type.constants, id } };
  const known = complete(type, olds);
  return outcome(type, planned, await type.update(server(), id, known, forServer(type, planned, news)));
}

/** Reads a resource for a refresh, or for an import when there is no state yet; undefined: it is gone. */
export async function read(
  type: ResourceType,
  server: () => Server,
  id: string,
  state: Properties,
  inputs: Inputs,
): Promise<(Outcome & { readonly inputs: Inputs }) | undefined> {
  const known = complete(type, state);
  const found = await type.read(server(), id, known);
  if (found === undefined) return undefined;
  const { id: now, outputs } = outcome(type, known, found);
  const importing = Object.keys(state).length === 0;
  return {
    id: now,
    outputs,
    inputs: importing ? importedInputs(type, outputs) : refreshedInputs(inputs, outputs),
  };
}

/** Deletes a resource as its state describes it. */
export function remove(
  type: ResourceType,
  server: () => Server,
  id: string,
  state: Properties,
): Promise<void> {
  return type.delete(server(), id, complete(type, state));
}

/** What the operation works with: the plan, unknown values as absent, and write-only values, which no plan has. */
function forServer(type: ResourceType, planned: Properties, news: Properties): Properties {
  return Object.fromEntries(
    Object.entries(planned).map(([name, value]) => {
      if (type.properties[name]?.writeOnly === true) return [name, news[name] ?? null];
      return [name, value === unknown ? null : value];
    }),
  );
}

function outcome(type: ResourceType, before: Properties, { id, properties }: Existing): Outcome {
  const state = Object.fromEntries(
    Object.entries({ ...before, ...properties }).map(([name, value]) => [
      name,
      value === unknown ? null : value,
    ]),
  );
  return { id, outputs: { ...state, ...type.constants, id } };
}
