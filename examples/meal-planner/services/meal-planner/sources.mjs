/** Where recipes come from; `column` is what the kind of a source is called in this release's schema. */
export const listSourcesBy = (column) => async (pool) => {
  const { rows } = await pool.query(
    `SELECT id, name, ${column} AS kind, enabled FROM recipe_sources ORDER BY name`,
  );
  return rows;
};
