-- A question has at least two options, no two alike, none empty, and its key is one of them.
WITH plain AS (
    SELECT question_id, answer_index, list_transform(options, lambda x: lower(trim(regexp_replace(x, '\s+', ' ', 'g')))) AS options
    FROM questions
)
SELECT question_id AS item, CASE
    WHEN len(options) < 2 THEN 'has ' || len(options) || ' options'
    WHEN list_contains(options, '') THEN 'has an empty option'
    WHEN answer_index < 0 OR answer_index >= len(options) THEN 'has key ' || answer_index || ' of ' || len(options) || ' options'
    ELSE 'has two options alike' END AS detail
FROM plain
WHERE len(options) < 2 OR list_contains(options, '') OR answer_index < 0 OR answer_index >= len(options)
    OR len(list_distinct(options)) < len(options)
