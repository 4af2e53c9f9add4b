-- Counts in = counts out + rejections, at every stage.
SELECT stage AS item,
    items_in || ' in, ' || items_out || ' out, ' || rejected || ' rejected: ' || (items_in - items_out - rejected)
    || ' unaccounted for' AS detail
FROM stage_counts WHERE items_in <> items_out + rejected
