import { createHash, timingSafeEqual } from "node:crypto";
import { missingFromSchema } from "../shared/database.mjs";
import { Answer } from "../shared/http.mjs";
import { legacyMeals, mealieMeals } from "./meals.mjs";
import { listLogs, saveLog } from "./logs.mjs";
import { entry, limitOf, plan } from "./input.mjs";

/**
 * The endpoints of the Meal Planner. `code` is the release's own part: what it needs of the schema and how it keeps
 * plans and names sources.
 */
export function routes({ code, pool, cache, log, mealieUrl, apiKey, flags, reload }) {
  return {
    "GET /health": async () => {
      const missing = [...(await missingFromSchema(pool, code.needs)), ...(code.defects ?? [])];
      return {
        status: missing.length === 0 ? 200 : 503,
        body: { status: missing.length === 0 ? "ok" : "unfit", missing },
      };
    },

    "GET /api/logs": async ({ url }) => ({ body: { logs: await listLogs(pool, limitOf(url)) } }),
    "POST /api/logs": async ({ json }) => ({
      status: 201,
      body: await saveLog(pool, entry(await json()), code.recipeSource),
    }),

    "GET /api/meal-plans": async ({ url }) => ({ body: { plans: await code.listPlans(pool, limitOf(url)) } }),
    "POST /api/meal-plans": async ({ json }) => ({
      status: 201,
      body: await code.savePlan(pool, plan(await json())),
    }),

    "GET /api/sources": async () => ({ body: { sources: await code.listSources(pool) } }),

    "GET /api/meals": async ({ url }) => {
      const mealie = flags().FEATURE_MEALIE_ENABLED === "true";
      log.info(mealie ? "using mealie" : "using legacy", { path: "/api/meals" });
      const search = url.searchParams.get("q");
      const meals = mealie
        ? await mealieMeals({ mealieUrl, cache, limit: limitOf(url), search, fields: code.mealieFields })
        : await legacyMeals(pool, limitOf(url), search);
      return { body: { source: mealie ? "mealie" : "legacy", meals } };
    },

    "POST /admin/reload-config": async ({ headers }) => {
      if (!sameSecret(headers["x-api-key"], apiKey)) throw new Answer(403, "x-api-key is missing or wrong");
      let now;
      try {
        now = reload();
      } catch (error) {
        log.error("configuration not reloaded, the former one stays in force", { reason: error.message });
        throw new Answer(500, "the flags file cannot be read");
      }
      log.info(`configuration reloaded: ${describe(now)}`, { flags: now });
      return { body: { reloaded: true, flags: now } };
    },
  };
}

/** `{NAME=value, …}` sorted by name: without quotes, so that the line reads the same inside its JSON. */
function describe(flags) {
  const pairs = Object.entries(flags).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${pairs.map(([name, value]) => `${name}=${value}`).join(", ")}}`;
}

/** Compares without telling by its duration how much was right; no configured key means that nothing is right. */
function sameSecret(given, expected) {
  if (typeof given !== "string" || !expected) return false;
  const digest = (text) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}
