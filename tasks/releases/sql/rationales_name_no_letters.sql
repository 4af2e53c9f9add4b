-- A rationale speaks of findings, never of option letters: they would name the key, and wrongly after shuffling.
WITH lettered AS (
    SELECT rationale, named_letter(rationale) AS said FROM (SELECT DISTINCT rationale FROM questions)
)
SELECT question_id AS item, 'says "' || said || '"' AS detail
FROM questions JOIN lettered USING (rationale) WHERE said <> ''
