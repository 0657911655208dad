-- Refused records.
SELECT * FROM rejected_raw
