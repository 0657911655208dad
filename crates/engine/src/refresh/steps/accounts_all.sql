-- Every account.
SELECT {accounts.all} FROM accounts_next
