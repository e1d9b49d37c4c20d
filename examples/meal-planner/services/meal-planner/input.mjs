import { Answer } from "../shared/http.mjs";

const SLOTS = ["breakfast", "lunch", "dinner", "snack"];

/** `?limit=`, 1 to 200, default 20. */
export function limitOf(url) {
  const limit = Number(url.searchParams.get("limit") ?? 20);
  if (!Number.isInteger(limit) || limit < 1 || limit > 200) throw new Answer(400, "limit must be 1 to 200");
  return limit;
}

/** A food log entry as sent by a client. */
export function entry(body) {
  const {
    clientId,
    slot = "snack",
    food,
    servings = 1,
    calories,
    protein = 0,
    fat = 0,
    carbs = 0,
    recipe,
  } = object(body);
  check(SLOTS.includes(slot), `slot must be one of ${SLOTS.join(", ")}`);
  check(isText(food, 255), "food must be a text of 1 to 255 characters");
  check(clientId === undefined || isText(clientId, 100), "clientId must be a text of 1 to 100 characters");
  check(recipe === undefined || isText(recipe, 255), "recipe must be a text of 1 to 255 characters");
  check(servings > 0 && servings < 1000, "servings must be above 0 and below 1000");
  check(Number.isInteger(calories) && calories >= 0, "calories must be a whole number, 0 or more");
  check(
    [protein, fat, carbs].every((n) => Number.isFinite(n) && n >= 0),
    "protein, fat and carbs must not be negative",
  );
  return { clientId, slot, food, servings, calories, protein, fat, carbs, recipe };
}

/** A meal plan as sent by a client: at least one recipe, each with a slot and a name. */
export function plan(body) {
  const { clientId, date, recipes } = object(body);
  check(clientId === undefined || isText(clientId, 100), "clientId must be a text of 1 to 100 characters");
  check(/^\d{4}-\d{2}-\d{2}$/.test(date ?? ""), "date must be YYYY-MM-DD");
  check(
    Array.isArray(recipes) && recipes.length >= 1 && recipes.length <= 12,
    "recipes must hold 1 to 12 entries",
  );
  for (const recipe of recipes) {
    const { id, name, slot } = object(recipe);
    check(isText(id, 255) && isText(name, 255), "each recipe needs id and name");
    check(SLOTS.includes(slot), `each recipe's slot must be one of ${SLOTS.join(", ")}`);
  }
  return { clientId, date, recipes };
}

function object(body) {
  check(
    typeof body === "object" && body !== null && !Array.isArray(body),
    "the body and each recipe must be an object",
  );
  return body;
}

function isText(value, longest) {
  return typeof value === "string" && value.length > 0 && value.length <= longest;
}

function check(holds, message) {
  if (!holds) throw new Answer(400, message);
}
