// v1.3.0: meals show the rating that Mealie v1.0.4 knows; released together with it.
import * as need from "../needs.mjs";
import { listSourcesBy } from "../sources.mjs";

export { listPlans, savePlan } from "../plans-with-recipes.mjs";
export const version = "1.3.0";
export const recipeSource = "mealie_recipe";
export const listSources = listSourcesBy("source_type");
export const mealieFields = ["slug", "name", "calories", "protein", "rating"];
export const needs = {
  ...need.logs(recipeSource),
  ...need.meals,
  ...need.plansWithRecipes,
  ...need.selections,
  ...need.sources("source_type"),
};
