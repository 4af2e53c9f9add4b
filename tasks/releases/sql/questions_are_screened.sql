-- A text-only reader of the certifier family has read every question.
SELECT question_id AS item, 'was never read by a certifier' AS detail
FROM questions WHERE question_id NOT IN (SELECT question_id FROM verdicts WHERE family = 'certifier')
