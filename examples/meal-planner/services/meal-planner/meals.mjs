import { Answer } from "../shared/http.mjs";

/** The legacy path: our own table of meals. A search uses trigrams, hence the extension pg_trgm. */
export async function legacyMeals(pool, limit, search) {
  const { rows } =
    search === null
      ? await pool.query("SELECT id, name, slot, calories FROM meals ORDER BY id DESC LIMIT $1", [limit])
      : await pool.query(
          "SELECT id, name, slot, calories FROM meals WHERE name % $2 ORDER BY similarity(name, $2) DESC LIMIT $1",
          [limit, search],
        );
  return rows;
}

/**
 * The new path: recipes of the Mealie service, `fields` of each, kept for a minute. A Mealie that fails is a 502, never
 * silently the legacy path.
 */
export async function mealieMeals({ mealieUrl, cache, limit, search, fields }) {
  const key = `meals:${limit}:${search ?? ""}`;
  const kept = await cache.get(key);
  if (kept !== null) return kept;
  const meals = await askMealie({ mealieUrl, limit, search, fields });
  await cache.set(key, meals);
  return meals;
}

async function askMealie({ mealieUrl, limit, search, fields }) {
  if (!mealieUrl) throw new Answer(502, "MEALIE_URL is not set");
  const url = new URL("/api/recipes", mealieUrl);
  url.searchParams.set("perPage", String(limit));
  if (search !== null) url.searchParams.set("search", search);
  let body;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(3_000) });
    if (!response.ok) throw new Error(`it answered ${response.status}`);
    body = await response.json();
  } catch (error) {
    throw new Answer(502, `mealie: ${error.cause?.code ?? error.message}`);
  }
  return body.items.map((item) => Object.fromEntries(fields.map((field) => [field, item[field]])));
}
