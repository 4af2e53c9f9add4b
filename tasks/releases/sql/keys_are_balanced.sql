-- Within a split, every option of a counterbalanced set is the key equally often: in each text, in each order of options.
WITH texts AS (SELECT DISTINCT option_set_id, split, question, options FROM questions WHERE option_set_id IS NOT NULL),
members AS (SELECT *, unnest(options) AS option FROM texts),
keys AS (SELECT option_set_id, split, question, options, options[answer_index + 1] AS option, count(*) AS n FROM questions
         WHERE option_set_id IS NOT NULL GROUP BY ALL),
counted AS (SELECT option_set_id, split, question, options, option, coalesce(n, 0) AS n
            FROM members LEFT JOIN keys USING (option_set_id, split, question, options, option))
SELECT option_set_id AS item, 'in split ' || coalesce(split, 'none') || ' "' || arg_max(option, n) || '" is the key ' || max(n) ||
    ' times and "' || arg_min(option, n) || '" ' || min(n) || ' times' AS detail
FROM counted GROUP BY option_set_id, split, question, options HAVING max(n) <> min(n)
