-- The held-back reader does not find the answers of any published cell without the image.
SELECT reader || ' on ' || cell AS item, 'has verdict "' || verdict || '": accuracy ' || round(accuracy, 3) ||
    ' [' || round(low, 3) || ', ' || round(high, 3) || '], n = ' || n AS detail
FROM leak_table
WHERE reader IN (SELECT reader FROM verdicts WHERE family = 'certifier')
    AND (cell = 'all' OR cell IN (SELECT cell FROM questions) OR cell IN (SELECT dimension FROM questions))
    AND verdict NOT IN (SELECT verdict FROM passing_verdicts)
