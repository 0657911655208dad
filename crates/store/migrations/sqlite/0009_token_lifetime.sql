-- How long a token of this credential holds, in seconds; null for the lifetime of the settings.
ALTER TABLE credentials ADD COLUMN token_lifetime_s INTEGER;
