-- Whatever belongs to a field stands in the field's split.
SELECT item, 'stands in split ' || coalesce(rows.split, 'none') || ', its field in ' || coalesce(fields.split, 'none') AS detail
FROM (
    SELECT tile_id AS item, field_id, split FROM tiles
    UNION ALL SELECT caption_id, field_id, split FROM captions
    UNION ALL SELECT perturbation_id, field_id, split FROM perturbations
    UNION ALL SELECT question_id, field_id, split FROM questions
    UNION ALL SELECT sample_id, field_id, split FROM reasoning
) rows JOIN fields USING (field_id) WHERE rows.split IS DISTINCT FROM fields.split
