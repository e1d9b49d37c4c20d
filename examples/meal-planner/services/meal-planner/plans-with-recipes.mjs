import { transaction } from "../shared/database.mjs";
import { saveSelections } from "./plans.mjs";

/** Plans from schema 23 on: the recipes are kept as they were, and a plan is shown without asking for them again. */
export async function listPlans(pool, limit) {
  const { rows } = await pool.query({
    name: "list-plans",
    text: `SELECT id, plan_date, recipe_ids, recipe_json, generated_at, client_ref
           FROM auto_meal_plans ORDER BY id DESC LIMIT $1`,
    values: [limit],
  });
  return rows;
}

/** Writes a plan with its recipes, and its selections, in one transaction. */
export async function savePlan(pool, plan) {
  return transaction(pool, async (client) => {
    const { rows } = await client.query({
      name: "save-plan",
      text: `INSERT INTO auto_meal_plans (client_ref, plan_date, recipe_ids, recipe_json)
             VALUES ($1, $2, $3, $4) RETURNING id`,
      values: [
        plan.clientId,
        plan.date,
        plan.recipes.map((recipe) => recipe.id),
        JSON.stringify(plan.recipes),
      ],
    });
    await saveSelections(client, rows[0].id, plan.recipes);
    return { id: rows[0].id, clientId: plan.clientId };
  });
}
