"""Sends the requests of the published command line, `sail search query`, `sail search template` and `sail report template`.

Its program cannot be installed from a package registry that the tests use, so its requests are made here from what its
source sends: the members of the bodies with the defaults of its SDK, pages of 250 by offset up to 10,000, and counts
without indices. `cargo xtask clients` runs it; it needs nothing but Python, and the variables of python_sdk.py.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

BASE = os.environ["SAIL_BASE_URL"]
PAGE = 250
# The command reads no further.
READ_MAX = 10_000
passed = failed = 0


def check(name, condition, detail=""):
    global passed, failed
    if condition:
        passed += 1
        print(f"ok    command line {name}", flush=True)
    else:
        failed += 1
        print(f"FAIL  command line {name}: {detail}", flush=True)


def send(path, body, headers):
    """(status, body, headers); waits out a 429."""
    while True:
        request = urllib.request.Request(BASE + path, data=body, headers=headers, method="POST")
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, answer.read(), answer.headers
        except urllib.error.HTTPError as error:
            if error.code != 429:
                return error.code, error.read(), error.headers
            time.sleep(int(error.headers["Retry-After"]))


def token():
    form = {
        "grant_type": "client_credentials",
        "client_id": os.environ["SAIL_CLIENT_ID"],
        "client_secret": os.environ["SAIL_CLIENT_SECRET"],
    }
    body = urllib.parse.urlencode(form).encode()
    _, answer, _ = send("/oauth/token", body, {"Content-Type": "application/x-www-form-urlencoded"})
    return json.loads(answer)["access_token"]


HEADERS = {"Authorization": f"Bearer {token()}", "Content-Type": "application/json", "Accept": "application/json"}
# What the SDK of the command puts into each search.
DEFAULTS = {"queryType": "SAILPOINT", "includeNested": True, "aggregationType": "DSL"}


def search(members):
    """All documents as the command reads them: (status of the last page, documents)."""
    documents, offset = [], 0
    body = json.dumps({**DEFAULTS, **members}).encode()
    while offset < READ_MAX:
        status, answer, _ = send(f"/v3/search?limit={PAGE}&offset={offset}", body, HEADERS)
        if status != 200:
            return status, answer
        page = json.loads(answer)
        documents += page
        if len(page) < PAGE:
            break
        offset += PAGE
    return 200, documents


def count(members):
    """What X-Total-Count says, as a text, or the status."""
    status, _, headers = send("/v3/search/count", json.dumps({**DEFAULTS, **members}).encode(), HEADERS)
    return headers["X-Total-Count"] if status in (200, 204) else f"status {status}"


# `sail search query QUERY --indices INDEX`; the command knows a type by `_type`.
for index, kind in [
    ("identities", "identity"),
    ("entitlements", "entitlement"),
    ("events", "event"),
    ("accessprofiles", "accessprofile"),
    ("accountactivities", "accountactivity"),
    ("roles", "role"),
]:
    status, found = search({"indices": [index], "query": {"query": "*"}, "sort": []})
    check(f"search query of {index}", status == 200, found)
    if status == 200:
        kinds = {document.get("_type") for document in found}
        check(f"types of {index}", kinds <= {kind}, kinds)
        ids = {document["id"] for document in found}
        check(f"pages of {index} repeat nothing", len(ids) == len(found), f"{len(found)} documents, {len(ids)} ids")
        total = count({"indices": [index], "query": {"query": "*"}})
        check(f"count of {index}", total == str(len(found)) or len(found) == READ_MAX, f"{total}, read {len(found)}")

events = "(type:provisioning AND created:[now-90d TO now])"
status, found = search({"indices": ["events"], "query": {"query": events}, "sort": []})
check("search query of its example", status == 200, found)
status, found = search({"indices": ["identities", "events"], "query": {"query": "*"}, "sort": ["+id"]})
check("search query of two indices, sorted", status == 200, found)
if status == 200:
    ids = [document["id"] for document in found]
    check("two indices are sorted by id", ids == sorted(ids), ids[:5])

# `sail search template`: the members of its templates, some of them null or empty.
template = {"queryType": None, "queryVersion": None, "searchAfter": [], "sort": [], "indices": ["events"]}
status, found = search({**template, "query": {"query": events}})
check("search template", status == 200, found)

# `sail report template`: a count over all indices, without naming one.
for query in [events.replace("90", "7"), "(USER_UNLOCK_PASSED AND created:[now-7d TO now])"]:
    total = count({"query": {"query": query}})
    check(f"report template {query}", total is not None and total.isdigit(), total)
everything = count({"query": {"query": "*"}})
indices = ["identities", "entitlements", "events", "accessprofiles", "accountactivities", "roles"]
named = count({"query": {"query": "*"}, "indices": indices})
check("a count without indices is over all", everything == named, f"{everything} and {named}")

# An error's body is the published one, which the command prints.
status, answer = search({"indices": ["identities"], "query": {"query": "name:("}, "sort": []})
messages = json.loads(answer).get("messages") if status == 400 else None
check("a query that cannot be parsed", bool(messages), answer)

print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed else 0)
