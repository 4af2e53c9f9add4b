-- A rationale speaks of findings, never of option letters: they would name the key, and wrongly after shuffling.
SELECT question_id AS item, 'says "' || regexp_extract(rationale, pattern) || '"' AS detail
FROM questions, (SELECT
    '(?:\b(?:[Oo]ptions?|[Aa]nswers?|[Cc]hoices?|OPTION|ANSWER|CHOICE)\s*(?:is|are|:)?\s*["''(\[]?[A-H]\b)'
    || '|(?:[(\[][A-H][)\]])|(?:(?:^|[.;:!?]\s+)[A-H]\s*[).:])|(?:^[A-H]\s+(?:is|because|since)\b)'
    || '|(?:\b[A-H]\s+is\s+(?:the\s+)?(?:correct|right|wrong|incorrect)\b)' AS pattern)
WHERE regexp_matches(rationale, pattern)
