DROP INDEX idx_food_logs_food;
DROP INDEX idx_food_logs_logged_at;
