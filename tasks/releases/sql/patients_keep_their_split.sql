-- No patient stands in another split than in an earlier version of the same major number.
SELECT e.patient_id AS item, 'stands in split ' || p.split || ', in ' || e.version || ' in ' || e.split AS detail
FROM (SELECT DISTINCT patient_id, split FROM patients) AS p
JOIN earlier_splits AS e USING (patient_id)
WHERE p.split <> e.split
