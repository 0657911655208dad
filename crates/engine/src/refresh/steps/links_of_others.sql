-- Identity, situation, rule, manual link and candidates of every recomputed live account of the other sources.
SELECT account_id, identity_id, situation, matched_rule, manual_link, linked_as,
  CASE WHEN situation = 'DISPUTED' THEN candidates END AS candidates
FROM (
  SELECT o.account_id, coalesce(m.identity_id, CASE WHEN d.n = 1 THEN d.identity_id END) AS identity_id,
    CASE WHEN m.identity_id IS NOT NULL OR d.n = 1 THEN 'LINKED' WHEN d.n > 1 THEN 'DISPUTED' ELSE 'UNMATCHED' END
      AS situation,
    CASE WHEN m.identity_id IS NULL THEN d.rule END AS matched_rule, m.identity_name AS manual_link, o.linked_as,
    CASE WHEN m.identity_id IS NULL AND d.n > 1 THEN d.candidates END AS candidates
  FROM other o
  LEFT JOIN manual m ON m.account_id = o.account_id
  LEFT JOIN other_decisions d ON d.account_id = o.account_id)
