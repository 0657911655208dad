"""Writes identity documents for measuring searches: five accounts and ten access items each.

    python tests/bench/search_documents.py FOLDER [IDENTITIES]

FOLDER gets `documents.ndjson` (3.6 GB for a million) and `documents.toml`, the definition of a source with them. Register
it, refresh, serve, search; `report_peers.py` then does equal searches over the same tables. The same number of identities
gives the same file.
"""

import hashlib
import json
import random
import sys
from pathlib import Path

FIRST = "Anna Alice Adam Bob Berta Carl Clara Dora Emil Frida Gustav Hanna Ida Jan Karl Lena Max Nora Otto Paula".split()
LAST = "Abel Baker Cohen Dietz Evans Fischer Gruber Hill Ivanov Jansen Klein Lopez Meyer Novak Olsen Peters Quinn Roth Smith Weber".split()
CITIES = "Berlin London Paris Madrid Rome Vienna Oslo Prague Lisbon Dublin".split()
SOURCES = "Active Directory,SAP ERP,Salesforce,Service Desk,Payroll Portal,Badge System,Source Control".split(",")
ACCOUNTS, ACCESS_ITEMS, GROUPS = 5, 10, 5_000

DEFINITION = """id = "000000000000000000000000000000d1"
name = "Documents"
kind = "documents"
[documents]
path = "documents.ndjson"
"""


def hexadecimal(text):
    return hashlib.md5(text.encode()).hexdigest()


def source(number):
    name = SOURCES[number % len(SOURCES)]
    return {"id": hexadecimal(name), "name": name}


def access_item(number):
    name = f"Group {number}"
    return json.dumps(
        {
            "id": hexadecimal(f"group {number}"),
            "name": name,
            "displayName": name,
            "type": "ENTITLEMENT",
            "source": source(number),
            "attribute": "memberOf",
            "value": f"CN={name}",
        }
    )


def account(identity, number, disabled):
    name = f"u{identity}"
    return json.dumps(
        {
            "id": hexadecimal(f"account {identity} {number}"),
            "name": name,
            "accountId": name,
            "source": {**source(number), "type": "delimited"},
            "disabled": disabled,
            "locked": False,
        }
    )


def main():
    folder, identities = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
    folder.mkdir(parents=True, exist_ok=True)
    chance = random.Random(1)
    items = [access_item(number) for number in range(GROUPS)]
    with open(folder / "documents.ndjson", "w", buffering=1 << 22) as file:
        for identity in range(identities):
            first, last, city = chance.choice(FIRST), chance.choice(LAST), chance.choice(CITIES)
            document = json.dumps(
                {
                    "_type": "identity",
                    "id": hexadecimal(str(identity)),
                    "name": f"u{identity}",
                    "displayName": f"{first} {last}",
                    "firstName": first,
                    "lastName": last,
                    "email": f"u{identity}@example.com",
                    "status": "ACTIVE",
                    "created": "2026-01-02T03:04:05.000Z",
                    "attributes": {"city": city, "location": city},
                    "accountCount": ACCOUNTS,
                    "accessCount": ACCESS_ITEMS,
                }
            )
            accounts = (account(identity, number, chance.random() < 0.02) for number in range(ACCOUNTS))
            access = chance.sample(items, ACCESS_ITEMS)
            file.write(f'{document[:-1]}, "accounts": [{", ".join(accounts)}], "access": [{", ".join(access)}]}}\n')
    (folder / "documents.toml").write_text(DEFINITION)
    return 0


if __name__ == "__main__":
    sys.exit(main())
