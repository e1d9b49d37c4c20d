// v1.2.3: v1.2.1 without a change of schema; meals also show their protein. The way back is code only.
import * as need from "../needs.mjs";
import { listSourcesBy } from "../sources.mjs";

export { listPlans, savePlan } from "../plans-with-recipes.mjs";
export const version = "1.2.3";
export const recipeSource = "mealie_recipe";
export const listSources = listSourcesBy("source_type");
export const mealieFields = ["slug", "name", "calories", "protein"];
export const needs = {
  ...need.logs(recipeSource),
  ...need.meals,
  ...need.plansWithRecipes,
  ...need.selections,
  ...need.sources("source_type"),
};
