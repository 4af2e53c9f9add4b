-- A question has at least two options, no two alike, none empty, and its key is one of them.
WITH alike AS (
    SELECT options, list_transform(options, lambda x: lower(trim(regexp_replace(x, '\s+', ' ', 'g')))) AS plain
    FROM (SELECT DISTINCT options FROM questions)
)
SELECT question_id AS item, CASE
    WHEN len(plain) < 2 THEN 'has ' || len(plain) || ' options'
    WHEN list_contains(plain, '') THEN 'has an empty option'
    WHEN answer_index < 0 OR answer_index >= len(plain) THEN 'has key ' || answer_index || ' of ' || len(plain) || ' options'
    ELSE 'has two options alike' END AS detail
FROM questions JOIN alike USING (options)
WHERE len(plain) < 2 OR list_contains(plain, '') OR answer_index < 0 OR answer_index >= len(plain)
    OR len(list_distinct(plain)) < len(plain)
