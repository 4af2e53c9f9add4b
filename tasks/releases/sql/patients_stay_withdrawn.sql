-- Nobody comes back who withdrew from the dataset: take them out of the manifest.
SELECT patient_id AS item, 'withdrew in ' || version || '; take them out of the manifest' AS detail FROM returned
