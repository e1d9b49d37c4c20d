/** What each release needs of the schema, by what it proves. Probes select no row, so the planner alone answers. */
export const logs = (recipeSource) => ({
  food_logs: `SELECT id, client_ref, source_type, source_id FROM food_logs WHERE source_type = '${recipeSource}' AND false`,
});
export const meals = { meals: "SELECT id, name, slot, calories, mealie_slug FROM meals WHERE false" };
export const plans = {
  auto_meal_plans: "SELECT id, client_ref, recipe_ids FROM auto_meal_plans WHERE false",
};
export const plansWithRecipes = {
  auto_meal_plans: "SELECT id, client_ref, recipe_ids, recipe_json FROM auto_meal_plans WHERE false",
};
export const selections = {
  meal_selections: "SELECT plan_id, slot, position, recipe_name FROM meal_selections WHERE false",
};
export const sources = (column) => ({
  recipe_sources: `SELECT id, name, ${column}, enabled FROM recipe_sources WHERE false`,
});
