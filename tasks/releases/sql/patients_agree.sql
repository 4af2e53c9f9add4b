-- A row names the same patient as the slide, field or caption that it belongs to.
SELECT field_id AS item, 'names patient ' || fields.patient_id || ', its slide ' || slides.patient_id AS detail
FROM fields JOIN slides USING (slide_id) WHERE fields.patient_id <> slides.patient_id
UNION ALL
SELECT reports.report_id, 'names patient ' || reports.patient_id || ', its slide ' || slides.patient_id
FROM reports JOIN slides USING (slide_id) WHERE reports.patient_id <> slides.patient_id
UNION ALL
SELECT slides.slide_id, 'names patient ' || slides.patient_id || ', its report ' || reports.patient_id
FROM slides JOIN reports USING (report_id) WHERE reports.patient_id <> slides.patient_id
UNION ALL
SELECT item, 'names patient ' || rows.patient_id || ', its field ' || fields.patient_id
FROM (
    SELECT caption_id AS item, field_id, patient_id FROM captions
    UNION ALL SELECT perturbation_id, field_id, patient_id FROM perturbations
    UNION ALL SELECT question_id, field_id, patient_id FROM questions
    UNION ALL SELECT sample_id, field_id, patient_id FROM reasoning
) rows JOIN fields USING (field_id) WHERE rows.patient_id <> fields.patient_id
UNION ALL
SELECT item, 'names another slide than its field'
FROM (
    SELECT tile_id AS item, field_id, slide_id FROM tiles
    UNION ALL SELECT caption_id, field_id, slide_id FROM captions
    UNION ALL SELECT question_id, field_id, slide_id FROM questions
    UNION ALL SELECT sample_id, field_id, slide_id FROM reasoning
) rows JOIN fields USING (field_id) WHERE rows.slide_id <> fields.slide_id
