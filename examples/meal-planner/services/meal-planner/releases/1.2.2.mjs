// v1.2.2: v1.2.1 with a defect. It starts and answers, and its health check says that it must not serve.
import * as need from "../needs.mjs";
import { listSourcesBy } from "../sources.mjs";

export { listPlans, savePlan } from "../plans-with-recipes.mjs";
export const version = "1.2.2";
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
export const defects = ["nutrition cache: could not be filled"];
