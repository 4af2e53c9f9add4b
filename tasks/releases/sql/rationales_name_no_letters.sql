-- A rationale speaks of findings, never of option letters: they would name the key, and wrongly after shuffling.
WITH lettered AS (
    SELECT rationale, regexp_extract(rationale,
        '(?:\b(?:[Oo]ptions?|[Aa]nswers?|[Cc]hoices?|OPTION|ANSWER|CHOICE)\s*(?:is|are|:)?\s*["''(\[]?[A-H]\b)'
        || '|(?:[(\[][A-H][)\]])|(?:(?:^|[.;:!?]\s+)[A-H]\s*[).:])|(?:^[A-H]\s+(?:is|because|since)\b)'
        || '|(?:\b[A-H]\s+is\s+(?:the\s+)?(?:correct|right|wrong|incorrect)\b)') AS said
    FROM (SELECT DISTINCT rationale FROM questions)
)
SELECT question_id AS item, 'says "' || said || '"' AS detail
FROM questions JOIN lettered USING (rationale) WHERE said <> ''
