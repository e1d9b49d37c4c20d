// v1.2.1: schema 23, plans keep their recipes in recipe_json.
import * as need from "../needs.mjs";
import { listSourcesBy } from "../sources.mjs";

export { listPlans, savePlan } from "../plans-with-recipes.mjs";
export const version = "1.2.1";
export const recipeSource = "mealie_recipe";
export const listSources = listSourcesBy("source_type");
export const mealieFields = ["slug", "name", "calories"];
export const needs = {
  ...need.logs(recipeSource),
  ...need.meals,
  ...need.plansWithRecipes,
  ...need.selections,
  ...need.sources("source_type"),
};
