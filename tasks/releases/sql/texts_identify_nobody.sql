-- No text holds a name, date, case number, contact or age over 89 that could identify a patient.
SELECT item, 'holds a ' || kind || ' at characters ' || first || ' to ' || last || ' of its ' || part AS detail
FROM identifying
