-- The links of the recomputed accounts, including authoritative accounts.
SELECT * FROM links_of_others
UNION ALL
SELECT account_id, identity_id, situation, matched_rule, manual_link, linked_as,
  CASE WHEN situation = 'DISPUTED' THEN candidates END AS candidates
FROM (
  SELECT account_id, identity_id, 'LINKED' AS situation, matched_rule, CAST(NULL AS VARCHAR) AS manual_link,
    CAST(NULL AS VARCHAR) AS linked_as, make_array('') AS candidates
  FROM owned)
UNION ALL
SELECT account_id, identity_id, situation, matched_rule, manual_link, linked_as,
  CASE WHEN situation = 'DISPUTED' THEN candidates END AS candidates
FROM (
  SELECT o.account_id, CAST(NULL AS VARCHAR) AS identity_id,
    CASE WHEN d.n > 1 THEN 'DISPUTED' ELSE 'UNMATCHED' END AS situation, d.rule AS matched_rule,
    CAST(NULL AS VARCHAR) AS manual_link, CAST(NULL AS VARCHAR) AS linked_as, d.candidates
  FROM open o LEFT JOIN open_decisions d ON d.account_id = o.account_id)
