-- Every rejection that a stage counted is a row of `rejections`, and every row was counted.
SELECT reason AS item,
    coalesce(counted, 0) || ' counted by the stages, ' || coalesce(listed, 0) || ' listed in rejections' AS detail
FROM (SELECT reason, sum(n) AS counted FROM stage_rejections GROUP BY reason)
FULL JOIN (SELECT reason, count(*) AS listed FROM rejections GROUP BY reason) USING (reason)
WHERE coalesce(counted, 0) <> coalesce(listed, 0)
