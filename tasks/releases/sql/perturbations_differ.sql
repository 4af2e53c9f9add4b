-- A perturbed text is not its caption.
SELECT perturbation_id AS item, 'is the same text as ' || caption_id AS detail
FROM perturbations p JOIN captions c USING (caption_id)
WHERE trim(regexp_replace(p.text, '\s+', ' ', 'g')) = trim(regexp_replace(c.text, '\s+', ' ', 'g'))
