-- The client's own name for what it sent, so that it can ask whether a write arrived. Deliberately not unique:
-- sending twice is allowed, and a duplicate must be visible rather than hidden by a constraint.

ALTER TABLE food_logs ADD COLUMN client_ref TEXT;
ALTER TABLE auto_meal_plans ADD COLUMN client_ref TEXT;

CREATE INDEX idx_food_logs_client_ref ON food_logs (client_ref) WHERE client_ref IS NOT NULL;
CREATE INDEX idx_auto_meal_plans_client_ref ON auto_meal_plans (client_ref) WHERE client_ref IS NOT NULL;
