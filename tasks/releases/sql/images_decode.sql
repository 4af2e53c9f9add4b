-- Every image is a whole JPEG of the recorded size.
SELECT tile_id AS item, problem AS detail FROM tile_images WHERE problem <> ''
