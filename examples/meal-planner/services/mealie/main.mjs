import { createLog } from "../shared/log.mjs";
import { createPool, missingFromSchema } from "../shared/database.mjs";
import { Answer, createJsonServer, stopOnSignal } from "../shared/http.mjs";
import * as code from "./releases/current.mjs";

const { DATABASE_URL, RELEASE = code.version, PORT = "8080" } = process.env;
const log = createLog({ service: "mealie", release: RELEASE });
if (!DATABASE_URL) {
  log.error("DATABASE_URL is not set");
  process.exit(78);
}

const pool = createPool({ url: DATABASE_URL, name: `mealie ${RELEASE}`, max: 4, log });
const columns = ["slug", "name", "servings", "calories", "protein", "fat", "carbs", ...code.moreColumns].join(
  ", ",
);
const needs = {
  recipes: `SELECT id, ${columns} FROM recipes WHERE false`,
  recipe_tags: "SELECT recipe_id, tag_id FROM recipe_tags WHERE false",
};

const server = createJsonServer({
  release: RELEASE,
  log,
  routes: {
    "GET /health": async () => {
      const missing = await missingFromSchema(pool, needs);
      return {
        status: missing.length === 0 ? 200 : 503,
        body: { status: missing.length === 0 ? "ok" : "unfit", missing },
      };
    },
    "GET /api/about": async () => ({
      body: { name: "mealie", version: `v${code.version}`, production: true },
    }),
    "GET /api/recipes": async ({ url }) => {
      const page = wholeNumber(url, "page", 1, 1_000_000);
      const perPage = wholeNumber(url, "perPage", 20, 200);
      const { rows } = await pool.query(
        `SELECT ${columns} FROM recipes WHERE $3::text IS NULL OR name ILIKE '%' || $3 || '%'
         ORDER BY ${code.order} LIMIT $1 OFFSET $2`,
        [perPage, (page - 1) * perPage, url.searchParams.get("search")],
      );
      return { body: { page, perPage, items: rows } };
    },
  },
});
stopOnSignal({ server, log, close: () => pool.end() });
server.listen(Number(PORT), () => log.info("listening", { port: Number(PORT), code: code.version }));

function wholeNumber(url, name, otherwise, largest) {
  const value = Number(url.searchParams.get(name) ?? otherwise);
  if (!Number.isInteger(value) || value < 1 || value > largest)
    throw new Answer(400, `${name} must be 1 to ${largest}`);
  return value;
}
