/** The newest entries. */
export async function listLogs(pool, limit) {
  const { rows } = await pool.query({
    name: "list-logs",
    text: `SELECT id, logged_at, slot, food_name, servings, calories, source_type, client_ref
           FROM food_logs ORDER BY id DESC LIMIT $1`,
    values: [limit],
  });
  return rows;
}

/** Writes an entry; `recipeSource` is what this release calls an entry that was made from a recipe. */
export async function saveLog(pool, entry, recipeSource) {
  const { rows } = await pool.query({
    name: "save-log",
    text: `INSERT INTO food_logs
             (client_ref, slot, food_name, servings, calories, protein, fat, carbs, source_type, source_id)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id`,
    values: [
      entry.clientId,
      entry.slot,
      entry.food,
      entry.servings,
      entry.calories,
      entry.protein,
      entry.fat,
      entry.carbs,
      entry.recipe === undefined ? "manual" : recipeSource,
      entry.recipe,
    ],
  });
  return { id: rows[0].id, clientId: entry.clientId };
}
