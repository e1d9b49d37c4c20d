-- Reports by day and by food were sequential scans.

CREATE INDEX idx_food_logs_logged_at ON food_logs (logged_at);
CREATE INDEX idx_food_logs_food ON food_logs (food_id) WHERE food_id IS NOT NULL;
