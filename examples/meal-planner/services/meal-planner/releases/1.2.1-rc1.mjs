// v1.2.1-rc1: schema 22, the new names of migration 022. Also runs on 23, whose column it does not use.
import * as need from "../needs.mjs";
import { listSourcesBy } from "../sources.mjs";

export { listPlans, savePlan } from "../plans.mjs";
export const version = "1.2.1-rc1";
export const recipeSource = "mealie_recipe";
export const listSources = listSourcesBy("source_type");
export const mealieFields = ["slug", "name", "calories"];
export const needs = {
  ...need.logs(recipeSource),
  ...need.meals,
  ...need.plans,
  ...need.selections,
  ...need.sources("source_type"),
};
