-- No patient stands in two splits: neither by a question's own split, nor under two spellings of one name.
SELECT patient_id AS item,
    'question ' || min(question_id) || ' of split ' || given_split || ' belongs to a patient of split ' || split AS detail
FROM questions WHERE given_split <> split GROUP BY patient_id, given_split, split
UNION ALL
SELECT min(patient_id), 'stands in splits ' || string_agg(DISTINCT split, ' and ' ORDER BY split) || ' as ' ||
    string_agg(DISTINCT patient_id, ' and ' ORDER BY patient_id)
FROM patients GROUP BY lower(trim(patient_id)) HAVING count(DISTINCT split) > 1
