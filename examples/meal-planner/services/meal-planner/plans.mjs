import { transaction } from "../shared/database.mjs";

/** Plans up to schema 22: what was eaten is known by the recipes' ids and by the selections. */
export async function listPlans(pool, limit) {
  const { rows } = await pool.query({
    name: "list-plans",
    text: "SELECT id, plan_date, recipe_ids, generated_at, client_ref FROM auto_meal_plans ORDER BY id DESC LIMIT $1",
    values: [limit],
  });
  return rows;
}

/** Writes a plan and its selections in one transaction. */
export async function savePlan(pool, plan) {
  return transaction(pool, async (client) => {
    const { rows } = await client.query({
      name: "save-plan",
      text: "INSERT INTO auto_meal_plans (client_ref, plan_date, recipe_ids) VALUES ($1, $2, $3) RETURNING id",
      values: [plan.clientId, plan.date, plan.recipes.map((recipe) => recipe.id)],
    });
    await saveSelections(client, rows[0].id, plan.recipes);
    return { id: rows[0].id, clientId: plan.clientId };
  });
}

/** The dishes of a plan, in order. */
export async function saveSelections(client, planId, recipes) {
  await client.query({
    name: "save-selections",
    text: `INSERT INTO meal_selections (plan_id, slot, position, recipe_name)
           SELECT $1, slot::meal_slot, position, name
           FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS dish (slot, name, position)`,
    values: [planId, recipes.map((recipe) => recipe.slot), recipes.map((recipe) => recipe.name)],
  });
}
