ALTER TABLE food_logs
    DROP COLUMN source_id,
    DROP COLUMN source_type;
DROP TYPE log_source_type;
