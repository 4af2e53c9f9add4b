-- Within a patient, each of two mirrored texts is the right one as often as the other.
WITH pairs AS (SELECT p.perturbation_id, p.patient_id, p.split, c.text AS original, p.text AS negative
               FROM perturbations p JOIN captions c USING (caption_id) WHERE p.mirrored),
sides AS (SELECT patient_id, split, least(original, negative) AS one, greatest(original, negative) AS other,
                 count(*) FILTER (original < negative) AS n, count(*) FILTER (original > negative) AS m,
                 min(perturbation_id) AS item
          FROM pairs GROUP BY ALL)
SELECT item, 'in split ' || coalesce(split, 'none') || ' "' || one || '" is right ' || n || ' times and "' || other ||
    '" ' || m || ' times' AS detail
FROM sides WHERE n <> m
