-- Every patient that a row names stands in the split of patients.
SELECT DISTINCT owner AS item, 'has no split' AS detail
FROM (
    SELECT owner FROM slides UNION ALL SELECT owner FROM fields UNION ALL SELECT owner FROM reports
    UNION ALL SELECT owner FROM captions UNION ALL SELECT owner FROM perturbations
    UNION ALL SELECT owner FROM questions UNION ALL SELECT owner FROM reasoning
)
WHERE owner IS NULL OR owner NOT IN (SELECT patient_id FROM patients)
