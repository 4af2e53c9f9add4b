-- No image of one split looks like an image of another, turned or mirrored either.
SELECT tile_id AS item, 'looks like ' || other_id || ' of another split (' || bits || ' bits apart, correlation ' ||
    correlation || ', of detail ' || detail || ')' AS detail
FROM near_duplicates
