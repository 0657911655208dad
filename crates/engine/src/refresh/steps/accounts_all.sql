-- Every account.
SELECT {accounts.all} FROM accounts_next UNION ALL SELECT {accounts.all} FROM carried_accounts
