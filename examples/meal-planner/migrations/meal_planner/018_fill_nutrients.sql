-- The nutrients every installation knows, under their FoodData Central numbers.

INSERT INTO nutrients (id, name, unit) VALUES
    (1003, 'Protein', 'g'),
    (1004, 'Total lipid (fat)', 'g'),
    (1005, 'Carbohydrate, by difference', 'g'),
    (1008, 'Energy', 'kcal'),
    (1079, 'Fiber, total dietary', 'g'),
    (1087, 'Calcium, Ca', 'mg'),
    (1089, 'Iron, Fe', 'mg'),
    (1093, 'Sodium, Na', 'mg');
