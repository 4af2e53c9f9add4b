-- A perturbed text is not its caption, also not but for white space.
SELECT perturbation_id AS item, 'is the same text as ' || caption_id AS detail
FROM perturbations p JOIN captions c USING (caption_id)
WHERE replace(p.text, ' ', '') = replace(c.text, ' ', '')
