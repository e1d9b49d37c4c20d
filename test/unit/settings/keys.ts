import { editorSchema } from "../../../settings/editor-schema.ts";

/** Every key of the contract, without `rollback:`; list items as `[]`, names that the user chooses as `*`. */
export function contractKeys(): readonly string[] {
  // In the file a secret is a ciphertext; that is Pulumi's key, not ours.
  return [...keysOf(editorSchema())].filter((key) => key !== "secrets.*.secure");
}

/** Every key that the JSON schema knows, list items as `[]`, free names as `*`. */
function keysOf(schema: unknown): Set<string> {
  const keys = new Set<string>();
  const walk = (node: unknown, path: string): void => {
    if (!isObject(node)) return;
    for (const each of Array.isArray(node["anyOf"]) ? node["anyOf"] : []) walk(each, path);
    for (const [key, value] of Object.entries(isObject(node["properties"]) ? node["properties"] : {})) {
      const here = path === "" ? key.replace(/^config$|^rollback:/, "") : `${path}.${key}`;
      if (here !== "") keys.add(here);
      walk(value, here);
    }
    const free = node["additionalProperties"];
    if (isObject(free) && Object.keys(free).length > 0) {
      keys.add(`${path}.*`);
      walk(free, `${path}.*`);
    }
    if (isObject(node["items"])) walk(node["items"], `${path}[]`);
  };
  walk(schema, "");
  return keys;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
