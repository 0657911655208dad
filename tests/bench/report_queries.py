"""The queries that reports run, as equal SQL for DuckDB, DataFusion and ClickHouse, whose functions differ in name."""

ACCESS = (
    "id name displayName description type enabled requestable requestCommentsRequired source.id source.name owner.id owner.name"
    " owner.displayName disabled privileged attribute value standalone revocable cloudEligible cloudGoverned schema"
).split()
TEN = "id name displayName firstName lastName email status created accountCount".split()

# Letters, digits and the rest of a word; an apostrophe within a word belongs to it, as in the search language.
IN_WORD = r"[\p{L}\p{N}_'’]"
NOT_IN_WORD = r"[^\p{L}\p{N}_'’]"
BEGINS_WITH_A = f"(^|{NOT_IN_WORD})a"
HAS_BERLIN = f"(^|{NOT_IN_WORD})berlin($|{NOT_IN_WORD})"
# The bounds of the tenth of all ids.
TENTH = ("0", "1a")


def quoted(value):
    return "'" + value.replace("'", "''") + "'"


class DuckDb:
    """DuckDB's names."""

    def joined(self, values):
        return f"array_to_string({values}, '; ')"

    def attribute(self, name, column="attributes"):
        return self.joined(f"{column}[{quoted(name)}]")

    def matches(self, value, pattern):
        return f"regexp_matches(lower({value}), {quoted(pattern)})"

    def any_account(self):
        return "len(list_filter(accounts, lambda one: lower(one.source.name) = 'active directory' AND one.disabled)) > 0"

    def spread(self):
        columns = ", ".join("one" + "".join(f"['{part}']" for part in path.split(".")) + f' AS "access.{path}"' for path in ACCESS)
        return (
            f'SELECT id, "displayName", {columns} FROM (SELECT id, "displayName",'
            " unnest(CASE WHEN len(access) > 0 THEN access ELSE [NULL] END) AS one"
            f" FROM identity_documents WHERE id >= '{TENTH[0]}' AND id < '{TENTH[1]}') ORDER BY id"
        )


class DataFusion(DuckDb):
    """DataFusion's names."""

    def matches(self, value, pattern):
        return f"regexp_like(lower({value}), {quoted(pattern)})"

    def any_account(self):
        return (
            "id IN (SELECT id FROM (SELECT id, unnest(accounts) AS one FROM identity_documents)"
            " WHERE lower(one['source']['name']) = 'active directory' AND one['disabled'])"
        )

    def spread(self):
        columns = ", ".join("one" + "".join(f"['{part}']" for part in path.split(".")) + f' AS "access.{path}"' for path in ACCESS)
        where = f"id >= '{TENTH[0]}' AND id < '{TENTH[1]}'"
        nothing = ", ".join("NULL" for _ in ACCESS)
        return (
            f'SELECT id, "displayName", {columns} FROM (SELECT id, "displayName", unnest(access) AS one FROM identity_documents'
            f' WHERE {where}) UNION ALL SELECT id, "displayName", {nothing} FROM identity_documents'
            f" WHERE {where} AND cardinality(access) = 0 ORDER BY id"
        )


class ClickHouse(DuckDb):
    """ClickHouse's names."""

    def joined(self, values):
        return f"arrayStringConcat({values}, '; ')"

    def matches(self, value, pattern):
        # A backslash begins an escape in its texts.
        escaped = quoted(pattern).replace("\\", "\\\\")
        return f"match(lowerUTF8({value}), {escaped})"

    def any_account(self):
        return "arrayExists(one -> lower(one.source.name) = 'active directory' AND one.disabled, accounts)"

    def spread(self):
        columns = ", ".join("one" + "".join(f".{part}" for part in path.split(".")) + f' AS "access.{path}"' for path in ACCESS)
        return (
            f'SELECT id, "displayName", {columns} FROM identity_documents LEFT ARRAY JOIN access AS one'
            f" WHERE id >= '{TENTH[0]}' AND id < '{TENTH[1]}' ORDER BY id"
        )


def queries(names, source, attributes):
    """SQL by the name of the query; `attributes` are those that the report has a column for."""
    extra = lambda column: "".join(f', {names.attribute(name, column)} AS "attributes.{name}"' for name in attributes)
    ten = ", ".join(f'"{name}"' for name in TEN)
    return {
        "accounts": f"""
SELECT a.native_identity AS "nativeIdentity", a.name AS "name", a.source_id AS "sourceId", a.source_name AS "sourceName",
  a.identity_id AS "identityId", i.name AS "identityName", i.display_name AS "identityDisplayName",
  NOT a.uncorrelated AS "correlated", a.manually_correlated AS "manuallyCorrelated", a.situation AS "situation",
  a.disabled AS "disabled", a.locked AS "locked", a.system AS "systemAccount", a.entitlement_count AS "entitlementCount",
  a.created AS "created", a.modified AS "modified"{extra("a.attributes")}
FROM accounts a LEFT JOIN identities i ON i.id = a.identity_id
WHERE a.source_id = {quoted(source)} AND a.dead_since IS NULL ORDER BY a.name, a.native_identity""",
        "identities": f"""
SELECT id, name, display_name, first_name, last_name, email, profile, authoritative_source, lifecycle_state, status, correlated,
  manager_name, account_count, created, modified{extra("attributes")}
FROM identities ORDER BY name, id""",
        "details": f"""
SELECT i.id AS "id", i.name AS "name", i.display_name AS "displayName", i.first_name AS "firstName", i.last_name AS "lastName",
  i.email AS "email", i.profile AS "identityProfile", i.authoritative_source AS "authoritativeSource",
  i.lifecycle_state AS "lifecycleState", i.status AS "status", i.correlated AS "correlated", i.manager_name AS "managerName",
  i.account_count AS "accountCount", a.source_id AS "sourceId", a.source_name AS "sourceName", a.id AS "accountId",
  a.name AS "accountName", a.native_identity AS "nativeIdentity", a.disabled AS "accountDisabled", a.locked AS "accountLocked",
  a.privileged AS "privileged", a.manually_correlated AS "manuallyCorrelated", {names.joined("a.entitlements")} AS "entitlements",
  a.created AS "accountCreated", a.modified AS "accountModified"
FROM identities i LEFT JOIN (SELECT * FROM accounts WHERE dead_since IS NULL) a ON a.identity_id = i.id
ORDER BY i.name, i.id, a.source_name, a.native_identity, a.id""",
        "uncorrelated": f"""
SELECT a.native_identity AS "account", a.display_name AS "displayName", i.name AS "userName", a.source_name AS "type",
  a.source_id AS "sourceId", a.source_name AS "sourceName", a.situation AS "situation", {names.joined("a.candidates")} AS "candidates",
  a.disabled AS "disabled", a.created AS "created", a.modified AS "modified"
FROM accounts a LEFT JOIN identities i ON i.id = a.identity_id
WHERE a.dead_since IS NULL AND NOT a.system AND a.uncorrelated ORDER BY a.source_name, a.native_identity, a.id""",
        "search-selective": f"""
SELECT id, "displayName", email FROM identity_documents
WHERE {names.matches('"displayName"', BEGINS_WITH_A)} AND {names.matches(names.attribute("location"), HAS_BERLIN)} ORDER BY id""",
        "search-nested": f'SELECT id, "displayName", email FROM identity_documents WHERE {names.any_account()} ORDER BY id',
        "search-everything": f"SELECT {ten}, {names.attribute('location')} AS location FROM identity_documents ORDER BY id",
        "search-spread": names.spread(),
    }
