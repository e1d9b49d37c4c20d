import { readFileSync } from "node:fs";

/**
 * The feature flags now: the file named by FLAGS_FILE (a JSON object) over the environment's FEATURE_* variables.
 * A file that is not there counts as empty; one that cannot be read as an object is an error, so that a reload keeps
 * what was in force.
 * @param {NodeJS.ProcessEnv} env
 * @returns {Record<string, string>}
 */
export function readFlags(env) {
  const fromEnvironment = Object.entries(env).filter(([name]) => name.startsWith("FEATURE_"));
  return { ...Object.fromEntries(fromEnvironment), ...flagsOfFile(env.FLAGS_FILE) };
}

function flagsOfFile(path) {
  if (!path) return {};
  let text;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (error.code === "ENOENT") return {};
    throw error;
  }
  const flags = JSON.parse(text);
  if (typeof flags !== "object" || flags === null || Array.isArray(flags))
    throw new Error(`${path} is not an object`);
  return Object.fromEntries(Object.entries(flags).map(([name, value]) => [name, String(value)]));
}
