-- Each record with the digest of its content, and the id that its account gets if it is new.
SELECT stable_id('account', source_id, native_identity) AS first_id, source_id, native_identity, line,
  {accounts.content}, content_digest({accounts.content}) AS digest
FROM staged_raw
