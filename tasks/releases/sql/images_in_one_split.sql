-- No image stands in two splits, byte for byte.
SELECT min(tile_id) AS item,
    'the same image as ' || max(tile_id) || ' stands in splits ' || string_agg(DISTINCT split, ' and ' ORDER BY split) AS detail
FROM tile_images JOIN tiles USING (tile_id) WHERE tiles.split IS NOT NULL
GROUP BY tile_images.sha256 HAVING count(DISTINCT split) > 1
