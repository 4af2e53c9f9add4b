-- No slide stands in two splits, also not as the same bytes under two patients.
SELECT min(slide_id) AS item,
    'the same bytes as ' || max(slide_id) || ' stand in splits ' || string_agg(DISTINCT split, ' and ' ORDER BY split) AS detail
FROM slides WHERE split IS NOT NULL GROUP BY sha256 HAVING count(DISTINCT split) > 1
