-- Keeps the recipes as they were when the plan was made, so that showing a plan does not ask Mealie for each of them.

ALTER TABLE auto_meal_plans ADD COLUMN recipe_json JSONB;

CREATE INDEX idx_auto_meal_plans_recipe_json ON auto_meal_plans USING gin (recipe_json);
