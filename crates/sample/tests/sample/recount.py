"""Counts what the files of an organisation hold, knowing only its definitions.

Usage: recount.py FOLDER [LATER_FOLDER]. Prints the counts as JSON. With a later folder, identities are those of
both, and those without an account in the later folder's authoritative sources are orphans.
"""

import csv
import io
import json
import pathlib
import sys
import tomllib


def decode(data, encoding):
    for mark, codec in ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le")):
        if data.startswith(mark):
            return data[len(mark):].decode(codec, "surrogateescape")
    return data.decode(encoding, "surrogateescape")


def flag(settings, name, row):
    """The flag's value; None where the cell cannot be read."""
    rule = settings.get(name)
    if rule is None:
        return False
    cell = row[rule["column"]].strip().lower()
    if "values" in rule:
        return cell in [value.lower() for value in rule["values"]]
    return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False, "": False}.get(cell)


def read(folder, definition):
    """Accounts by native identity, records seen, records rejected."""
    settings = definition["delimited"]
    text = decode((folder / settings["path"]).read_bytes(), settings.get("encoding", "utf-8"))
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=settings.get("delimiter", ","), strict=True)
    header = next(rows)
    accounts, seen, rejected = {}, 0, 0
    for cells in rows:
        if not cells:
            continue
        seen += 1
        row = dict(zip(header, cells))
        broken = len(cells) != len(header) or any("\udc80" <= character <= "\udcff" for character in "".join(cells))
        if broken or not row[settings["native_identity"]].strip():
            rejected += 1
            continue
        flags = {name: flag(settings, name, row) for name in ("disabled", "locked", "system", "privileged")}
        if None in flags.values():
            rejected += 1
            continue
        native = row[settings["native_identity"]]
        if native in accounts:
            assert settings.get("merge_rows"), f"{definition['name']}: {native} twice"
        accounts[native] = {"row": row, "owner": None, **flags}
    return accounts, seen, rejected


def mapped(mapping, row):
    """The identity attribute's value, and whether a transform failed."""
    if "value" in mapping:
        value = mapping["value"]
    elif "template" in mapping:
        value = mapping["template"].format_map(row)
    else:
        value = row[mapping["from"]]
    for transform in mapping.get("transforms", []):
        if transform == "trim":
            value = value.strip()
        elif transform == "lower":
            value = value.lower()
        elif "split" in transform:
            parts = value.split(transform["split"])
            if len(parts) <= transform["index"]:
                return "", True
            value = parts[transform["index"]]
        elif "lookup" in transform:
            value = transform["lookup"].get(value, transform["default"])
        else:
            raise ValueError(transform)
    return value, False


class Index:
    """Identities by the value of an attribute, for each attribute when first asked for."""

    def __init__(self, identities):
        self.identities, self.by = identities, {}

    def find(self, attribute, value, ignore_case):
        key = (attribute, ignore_case)
        if key not in self.by:
            table = self.by[key] = {}
            for identity in self.identities:
                text = identity["attributes"].get(attribute, "")
                table.setdefault(text.lower() if ignore_case else text, []).append(identity)
        return self.by[key].get(value.lower() if ignore_case else value, [])


def correlate(definition, account, index):
    """Those whom the first rule that matches anybody finds."""
    for rule in definition.get("correlation", []):
        value = account["row"][rule["account_attribute"]]
        if value.strip():
            found = index.find(rule["identity_attribute"], value, rule.get("ignore_case", False))
            if found:
                return found
    return []


def authoritative_first(definition):
    return (0, definition["profile"]["priority"], "") if "profile" in definition else (1, 0, definition["name"])


def aggregate(folder, identities):
    """Reads everything in a folder; adds new people to `identities` and links accounts to them."""
    for identity in identities:
        identity["accounts"] = []
    sources = []
    for path in sorted(folder.glob("*.toml")):
        definition = tomllib.loads(path.read_text(encoding="utf-8"))
        definition["file"] = path.name
        if definition["kind"] != "documents":
            sources.append(definition)
    sources.sort(key=authoritative_first)
    result = []
    for definition in sources:
        accounts, seen, rejected = read(folder, definition)
        source = dict.fromkeys(
            ("linked", "of_removed", "uncorrelated", "system", "disputed", "without_uid", "disabled", "locked",
             "privileged"), 0)
        source |= {"name": definition["name"], "definition": definition["file"], "rows": seen, "rejected": rejected,
                   "accounts": len(accounts)}
        source["definition_data"] = definition
        source["account_list"] = accounts
        index, known = Index(identities), {identity["key"]: identity for identity in identities}
        for native, account in accounts.items():
            found = correlate(definition, account, index)
            if "profile" in definition and not found:
                if (definition["name"], native) in known:
                    found = [known[definition["name"], native]]
                else:
                    found = create(definition, native, account, identities)
            account["found"] = found
            if len(found) == 1:
                found[0]["accounts"].append((definition["name"], account))
            for name in ("disabled", "locked", "privileged"):
                source[name] += account[name]
        result.append(source)
    return result


def create(definition, native, account, identities):
    values, failed = {}, 0
    for mapping in definition["profile"]["attributes"]:
        values[mapping["name"]], failure = mapped(mapping, account["row"])
        failed += failure
    if not values["uid"]:
        return []
    lifecycle = definition["lifecycle"]
    state = lifecycle["states"].get(account["row"][lifecycle["attribute"]])
    protected = native in definition["profile"].get("protected", [])
    identities.append({"key": (definition["name"], native), "attributes": values, "failed": failed, "state": state,
                       "protected": protected, "accounts": []})
    return [identities[-1]]


def count_documents(folder):
    """The source of documents in a folder, checked against the entitlements that the other files have."""
    (path,) = [path for path in folder.glob("*.toml") if '"documents"' in path.read_text(encoding="utf-8")]
    definition = tomllib.loads(path.read_text(encoding="utf-8"))
    lines = (folder / definition["documents"]["path"]).read_text(encoding="utf-8").splitlines()
    documents = [json.loads(line) for line in lines]
    profiles = {d["id"]: d["name"] for d in documents if d["_type"] == "accessprofile"}
    roles = [d for d in documents if d["_type"] == "role"]
    for role in roles:
        assert role["accessProfileCount"] == len(role["accessProfiles"]) > 0
        for profile in role["accessProfiles"]:
            assert profiles[profile["id"]] == profile["name"]
    for profile in documents:
        for entitlement in profile.get("entitlements", []):
            data = (folder / profile["source"]["name"].lower().replace(" ", "-"))
            (file,) = [file for ending in (".csv", ".tsv") if (file := data.with_suffix(ending)).exists()]
            raw = file.read_bytes()
            text = raw.decode("utf-16" if raw[:2] == b"\xff\xfe" else "utf-8-sig", errors="replace")
            assert entitlement["attribute"] in text.splitlines()[0]
    assert len(profiles) + len(roles) == len(documents) == len({d["id"] for d in documents})
    return {"name": definition["name"], "definition": path.name, "access_profiles": len(profiles), "roles": len(roles)}


def count(folders):
    identities = []
    for folder in folders:
        sources = aggregate(pathlib.Path(folder), identities)
    authoritative = {s["name"] for s in sources if "profile" in s["definition_data"]}
    for identity in identities:
        identity["homes"] = {name for name, _ in identity["accounts"]} & authoritative
    present = [identity for identity in identities if identity["homes"]]
    gone = [identity for identity in identities if not identity["homes"]]
    for source in sources:
        for account in source.pop("account_list").values():
            found = account["found"]
            if len(found) > 1:
                source["disputed"] += 1
            elif found:
                source["linked" if found[0]["homes"] else "of_removed"] += 1
            elif source["name"] in authoritative:
                source["without_uid"] += 1
            else:
                source["system" if account["system"] else "uncorrelated"] += 1
        del source["definition_data"]
    uids = {}
    for identity in present:
        uids[identity["attributes"]["uid"]] = uids.get(identity["attributes"]["uid"], 0) + 1
    assert set(uids.values()) <= {1, 2}

    def enabled(identity):
        return any(name == "Active Directory" and not account["disabled"] for name, account in identity["accounts"])

    def having(test):
        return sum(1 for identity in present if test(identity))

    return {
        "identities": len(present),
        "terminated": having(lambda i: i["state"] == "terminated"),
        "terminated_enabled": having(lambda i: i["state"] == "terminated" and enabled(i)),
        "removed": len(gone),
        "removed_protected": sum(identity["protected"] for identity in gone),
        "in_both": having(lambda i: len(i["homes"]) == 2),
        "without_last_name": having(lambda i: not i["attributes"]["lastname"]),
        "without_email": having(lambda i: not i["attributes"]["email"]),
        "uid_pairs": sum(1 for number in uids.values() if number == 2),
        "manager_unresolved": having(lambda i: i["attributes"]["manager"] and uids.get(i["attributes"]["manager"]) != 1),
        "transform_failed": having(lambda i: i["failed"]),
        "sources": sources,
        "documents": count_documents(pathlib.Path(folders[-1])),
    }


if __name__ == "__main__":
    print(json.dumps(count(sys.argv[1:])))
