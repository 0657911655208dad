-- The total of refused records.
SELECT count(*) AS refused_records FROM {version}_rejected_records
