// v1.2.0: schema 20. Also runs on 21, which only drops an audit it never read.
import * as need from "../needs.mjs";
import { listSourcesBy } from "../sources.mjs";

export { listPlans, savePlan } from "../plans.mjs";
export const version = "1.2.0";
export const recipeSource = "recipe";
export const listSources = listSourcesBy("type");
export const mealieFields = ["slug", "name", "calories"];
export const needs = {
  ...need.logs(recipeSource),
  ...need.meals,
  ...need.plans,
  ...need.selections,
  ...need.sources("type"),
};
