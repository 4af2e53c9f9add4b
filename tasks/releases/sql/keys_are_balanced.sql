-- Within a split, every option of a counterbalanced set is the key equally often.
WITH members AS (SELECT DISTINCT option_set_id, split, unnest(options) AS option FROM questions WHERE option_set_id IS NOT NULL),
keys AS (SELECT option_set_id, split, options[answer_index + 1] AS option, count(*) AS n FROM questions
         WHERE option_set_id IS NOT NULL GROUP BY ALL),
counted AS (SELECT option_set_id, split, option, coalesce(n, 0) AS n FROM members LEFT JOIN keys USING (option_set_id, split, option))
SELECT option_set_id AS item, 'in split ' || coalesce(split, 'none') || ' "' || arg_max(option, n) || '" is the key ' || max(n) ||
    ' times and "' || arg_min(option, n) || '" ' || min(n) || ' times' AS detail
FROM counted GROUP BY option_set_id, split HAVING max(n) <> min(n)
