import type { ClientBase } from "pg";

/** Rows to have, by table. Tables not named follow from these. */
export interface SeedSize {
  readonly users: number;
  readonly foods: number;
  readonly foodLogs: number;
  readonly meals: number;
  /** Each with three selections. */
  readonly mealPlans: number;
  readonly recipes: number;
}

/** A household service after a year: 200,000 entries, 20,000 plans. */
export const usualSize: SeedSize = {
  users: 500,
  foods: 2_000,
  foodLogs: 200_000,
  meals: 5_000,
  mealPlans: 20_000,
  recipes: 2_000,
};

/** The usual size times `factor`, at least one row of each. */
export function sizeTimes(factor: number): SeedSize {
  const times = (rows: number) => Math.max(1, Math.round(rows * factor));
  return {
    users: times(usualSize.users),
    foods: times(usualSize.foods),
    foodLogs: times(usualSize.foodLogs),
    meals: times(usualSize.meals),
    mealPlans: times(usualSize.mealPlans),
    recipes: times(usualSize.recipes),
  };
}

/**
 * Fills the Meal Planner's database, whatever its schema from 19 to 23, and returns the rows added by table. All in one
 * transaction. Repeated, it adds only what is missing; rows of other origin are neither counted nor touched. The client
 * needs the right to insert (owner or superuser) and must not be in a transaction.
 */
export function seedMealPlanner(
  client: ClientBase,
  size: SeedSize = usualSize,
): Promise<Record<string, number>> {
  return inTransaction(client, mealPlannerSteps(size));
}

/** The same for Mealie's database, from schema 4 on. */
export function seedMealie(client: ClientBase, size: SeedSize = usualSize): Promise<Record<string, number>> {
  return inTransaction(client, mealieSteps(size));
}

interface Step {
  readonly table: string;
  readonly sql: string;
  readonly values: readonly unknown[];
}

/**
 * Rows are made from the series $1 and are recognised by a name of their own, so that the next run skips them.
 * `sources` and the kinds of entries are written without naming what migration 022 renames.
 */
function mealPlannerSteps(size: SeedSize): Step[] {
  return [
    {
      table: "users",
      sql: `INSERT INTO users (email, display_name, time_zone)
            SELECT 'seed-' || n || '@example.org', 'User ' || n, (ARRAY['UTC', 'Europe/Berlin', 'America/Chicago'])[1 + n % 3]
            FROM generate_series(1, $1::int) n ON CONFLICT (lower(email)) DO NOTHING`,
      values: [size.users],
    },
    {
      table: "nutrition_goals",
      sql: `INSERT INTO nutrition_goals (user_id, calories, protein)
            SELECT id, 1600 + (id % 12) * 100, 60 + id % 80 FROM users WHERE email LIKE 'seed-%'
            ON CONFLICT (user_id) DO NOTHING`,
      values: [],
    },
    {
      table: "sessions",
      sql: `INSERT INTO sessions (user_id, token_hash, created_at, expires_at)
            SELECT id, sha256(convert_to('seed-' || id || '-' || k, 'UTF8')), now() - k * interval '50 minutes', now() + interval '1 day'
            FROM users, generate_series(0, 2) k WHERE email LIKE 'seed-%' ON CONFLICT (token_hash) DO NOTHING`,
      values: [],
    },
    {
      table: "foods",
      sql: `INSERT INTO foods (fdc_id, description, food_category, serving_grams)
            SELECT 900000 + n, ${dish("n")}, (ARRAY['Legumes', 'Grains', 'Fruits', 'Dairy', 'Fish'])[1 + n % 5], 50 + n % 200
            FROM generate_series(1, $1::int) n ON CONFLICT (fdc_id) DO NOTHING`,
      values: [size.foods],
    },
    {
      table: "food_nutrients",
      sql: `INSERT INTO food_nutrients (food_id, nutrient_id, amount)
            SELECT f.id, n.id, ((f.id * 7 + n.id) % 400) / 10.0 FROM foods f, nutrients n
            WHERE f.fdc_id > 900000 AND n.id IN (1003, 1004, 1005, 1008) ON CONFLICT DO NOTHING`,
      values: [],
    },
    {
      table: "recipe_sources",
      sql: `INSERT INTO recipe_sources (name, config)
            SELECT 'seed-source-' || n, jsonb_build_object('priority', n) FROM generate_series(1, 12) n ON CONFLICT (name) DO NOTHING`,
      values: [],
    },
    {
      table: "meals",
      sql: `INSERT INTO meals (user_id, name, slot, calories, mealie_slug)
            SELECT ${user("n")}, ${dish("n")}, ${slot("n")}, 150 + n % 700, 'seed-meal-' || n
            FROM generate_series(1 + (SELECT count(*)::int FROM meals WHERE mealie_slug LIKE 'seed-meal-%'), $1::int) n`,
      values: [size.meals],
    },
    {
      table: "food_logs",
      sql: `INSERT INTO food_logs (user_id, logged_at, slot, food_name, servings, calories, protein, fat, carbs, source_type, client_ref)
            SELECT ${user("n")}, now() - n * interval '157 seconds', ${slot("n")}, ${dish("n")}, 1 + n % 3, 50 + n % 800, n % 60, n % 40, n % 90,
                   (enum_range(NULL::log_source_type))[1 + n % 3], 'seed-' || n
            FROM generate_series(1 + (SELECT count(*)::int FROM food_logs WHERE client_ref LIKE 'seed-%'), $1::int) n`,
      values: [size.foodLogs],
    },
    {
      table: "auto_meal_plans",
      sql: `INSERT INTO auto_meal_plans (user_id, plan_date, diet_principles, recipe_ids, total_protein, total_fat, total_carbs, client_ref)
            SELECT ${user("n")}, current_date - n % 365, ARRAY['vertical'], ARRAY['seed-' || n, 'seed-' || n + 1, 'seed-' || n + 2],
                   60 + n % 90, 40 + n % 50, 120 + n % 200, 'seed-' || n
            FROM generate_series(1 + (SELECT count(*)::int FROM auto_meal_plans WHERE client_ref LIKE 'seed-%'), $1::int) n`,
      values: [size.mealPlans],
    },
    {
      table: "meal_selections",
      sql: `INSERT INTO meal_selections (plan_id, slot, position, recipe_name)
            SELECT p.id, ${slot("k")}, k, ${dish("(p.id * 3 + k)")}
            FROM auto_meal_plans p, generate_series(1, 3) k WHERE p.client_ref LIKE 'seed-%' ON CONFLICT (plan_id, position) DO NOTHING`,
      values: [],
    },
  ];
}

function mealieSteps(size: SeedSize): Step[] {
  return [
    {
      table: "recipes",
      sql: `INSERT INTO recipes (slug, name, servings, calories, protein, fat, carbs)
            SELECT 'seed-' || n, ${dish("n")}, 1 + n % 6, 150 + n % 700, n % 60, n % 40, n % 90
            FROM generate_series(1, $1::int) n ON CONFLICT (slug) DO NOTHING`,
      values: [size.recipes],
    },
    {
      table: "ingredients",
      sql: `INSERT INTO ingredients (recipe_id, position, note, quantity, unit)
            SELECT r.id, k, 'Ingredient ' || k, k * 25, 'g' FROM recipes r, generate_series(1, 6) k
            WHERE r.slug LIKE 'seed-%' ON CONFLICT DO NOTHING`,
      values: [],
    },
    {
      table: "tags",
      sql: `INSERT INTO tags (slug) SELECT unnest(ARRAY['vegan', 'quick', 'winter', 'batch']) ON CONFLICT (slug) DO NOTHING`,
      values: [],
    },
    {
      table: "recipe_tags",
      sql: `INSERT INTO recipe_tags (recipe_id, tag_id)
            SELECT r.id, t.id FROM recipes r JOIN tags t ON (length(r.slug) + t.id) % 2 = 0
            WHERE r.slug LIKE 'seed-%' ON CONFLICT DO NOTHING`,
      values: [],
    },
  ];
}

/** A user by turns. Neither subquery depends on the row, so both are evaluated once. */
const user = (n: string) =>
  `((SELECT array_agg(id) FROM users WHERE email LIKE 'seed-%')::bigint[])[1 + ${n} % (SELECT count(*)::int FROM users WHERE email LIKE 'seed-%')]`;
const slot = (n: string) => `(enum_range(NULL::meal_slot))[1 + ${n} % 4]`;
const dish = (n: string) =>
  `(ARRAY['Lentil', 'Tomato', 'Barley', 'Salmon', 'Pumpkin', 'Chickpea', 'Rye'])[1 + ${n} % 7] || ' '
   || (ARRAY['soup', 'stew', 'salad', 'curry', 'bread'])[1 + ${n} % 5] || ' ' || ${n}`;

async function inTransaction(client: ClientBase, steps: readonly Step[]): Promise<Record<string, number>> {
  const added: Record<string, number> = {};
  await client.query("BEGIN");
  try {
    for (const { table, sql, values } of steps) {
      const { rowCount } = await client.query(sql, [...values]);
      added[table] = rowCount ?? 0;
    }
    await client.query("COMMIT");
    return added;
  } catch (error) {
    await client.query("ROLLBACK");
    throw error;
  }
}
