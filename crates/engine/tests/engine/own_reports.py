# What the reports of our own must say of real people and accounts, computed from the files alone.
#
# usage: own_reports.py DATASET SHARED_DATA OUT
#
# The shared data has people, accounts and groups, and no times. Times, states and owners are made up from hashes of the names, so
# they are the same each time. The script writes hr-1.csv, dir-1.csv, hr-2.csv and dir-2.csv to OUT: what two refreshes read, at
# 2026-01-01 01:00 and 02:00 UTC; and policies.json, the policies of SOD_VIOLATIONS. It prints one line for each expected row: the report, then cells, with TABs between them.
import base64, csv, hashlib, itertools, json, os, sys
from datetime import datetime, timedelta

DATASET, DATA, OUT = sys.argv[1:4]
FIRST, SECOND = datetime(2026, 1, 1, 1), datetime(2026, 1, 1, 2)
ADMINS = ["CN=Domain Admins,CN=Users,DC=x", "cn=schema admins,cn=users,dc=x"]


def number(text, what):
    return int(hashlib.sha256(f"{what} {text}".encode()).hexdigest()[:12], 16)


def ldif(path):
    entries, entry, lines = [], [], []
    for line in open(path, encoding="utf-8", errors="replace").read().splitlines() + [""]:
        if line.startswith(" ") and lines:
            lines[-1] += line[1:]
        elif not line.startswith("#"):
            lines.append(line)
    for line in lines:
        if not line.strip():
            if entry:
                entries.append(entry)
            entry = []
        elif ":" in line:
            name, value = line.split(":", 1)
            if value.startswith(":"):
                value = base64.b64decode(value[1:]).decode("utf-8", "replace")
            entry.append((name.lower(), value.strip()))
    if entry:
        entries.append(entry)
    return entries


def first(entry, name):
    return next((value for key, value in entry if key == name), "")


# People: id, name, terminated, manager. Accounts: dn, id of the person or empty, groups.
people, accounts = [], []
if DATASET == "hris":
    rows = list(csv.DictReader(open(f"{DATA}/hris/people.csv", encoding="utf-8")))
    for at, row in enumerate(rows):
        people.append([row["empnum"], row["surname"], row["status"] == "Former employee", rows[at // 5]["empnum"] if at else ""])
    for row in csv.DictReader(open(f"{DATA}/hris/directory.csv", encoding="utf-8")):
        accounts.append([row["dn"], row["employeeNumber"], [value for value in row["memberOf"].split(";") if value]])
elif DATASET == "webinar":
    rows = list(csv.DictReader(open(f"{DATA}/webinar/hr.csv", encoding="utf-8")))
    for at, row in enumerate(rows):
        people.append([row["empNo"], row["lastName"], number(row["empNo"], "gone") % 12 == 0, rows[at // 9]["empNo"] if at else ""])
        dn = f"uid={row['firstName']}.{row['lastName']}.{row['empNo']},ou=people,dc=x".lower()
        accounts.append([dn, row["empNo"], [f"cn={row['department']},ou=groups,dc=x"]])
    for entry in ldif(f"{DATA}/webinar/changes.ldif"):
        accounts.append([first(entry, "dn"), "", []])
else:
    entries = [entry for entry in ldif(f"{DATA}/ldif/{DATASET}.ldif") if first(entry, "uid") and first(entry, "sn")]
    uid_of = {first(entry, "dn").replace(" ", "").lower(): first(entry, "uid") for entry in entries}
    seen = set()
    for entry in entries:
        uid = first(entry, "uid")
        if uid in seen:
            continue
        seen.add(uid)
        manager = uid_of.get(first(entry, "manager").replace(" ", "").lower(), "")
        people.append([uid, first(entry, "sn"), number(uid, "gone") % 12 == 0, manager])
        accounts.append([first(entry, "dn"), uid if number(uid, "stranger") % 10 else "", [f"ou={first(entry, 'ou')}"]])


def filetime(time):
    return str(int((time - datetime(1601, 1, 1)).total_seconds()) * 10**7)


def made_time(text, what, span):
    """A cell and what it means: a time, None (unknown), or "unreadable"."""
    case = number(text, what + " case") % 7
    if case < 3:
        return [("", None), ("0", None), ("soon", "unreadable")][case]
    seed = number(text, what)
    time = FIRST - timedelta(days=seed % span, seconds=(seed // span) % 86400)
    return filetime(time), time


def day_end(time):
    return time.replace(hour=23, minute=59, second=59, microsecond=999000)


ids = {person[0] for person in people}
made = {}
for at, (dn, emp, groups) in enumerate(accounts):
    if number(dn, "admin") % 10 == 0:
        groups.append(ADMINS[number(dn, "which") % 2])
    used_text, used = made_time(dn, "used", 200)
    set_text, password = made_time(dn, "password", 300)
    end = number(dn, "end") % 5
    end_time = FIRST - timedelta(minutes=30) if end == 3 else FIRST + timedelta(days=40)
    end_text = ["0", "9223372036854775807", "", filetime(end_time), filetime(end_time)][end]
    owner = ["", "nobody", accounts[number(dn, "owner") % len(accounts)][0]][number(dn, "owner case") % 3]
    made[dn] = {
        "emp": emp, "groups": groups, "used_text": used_text, "used": used, "set_text": set_text, "password": password,
        "end_text": end_text, "expires": end_time if end >= 3 else None, "owner": owner,
        "class": "computer" if number(dn, "class") % 9 == 0 else "user",
        "admin": number(dn, "flag") % 15 == 0,
        "off": [number(dn, "off") % 11 == 0, number(dn, "off") % 11 == 0 or number(dn, "off") % 13 == 0],
        "gone": number(dn, "gone") % 17 == 0,
    }
    # A group that the account has in the second refresh only.
    made[dn]["late"] = "cn=late,ou=groups,dc=x" if number(dn, "late") % 7 == 0 and not made[dn]["gone"] else ""
life = {}
for id, name, terminated, manager in people:
    case = number(id, "leaving") % 8
    left = ["", "", "", "2025-12-30", "2026-01-01T00:40:00Z", "2026-01-01T01:30:00Z", "2026-03-01", "soon"][case]
    ends = "2025-12-28" if number(id, "contract") % 9 == 0 else ""
    times = [None, None, None, day_end(datetime(2025, 12, 30)), datetime(2026, 1, 1, 0, 40), datetime(2026, 1, 1, 1, 30),
             day_end(datetime(2026, 3, 1)), None]
    life[id] = {"left_text": left, "left": times[case], "ends_text": ends,
                "ends": day_end(datetime(2025, 12, 28)) if ends else None,
                "lost": number(id, "lost") % 23 == 0, "terminated": terminated, "manager": manager, "name": name}

for turn in (0, 1):
    with open(f"{OUT}/hr-{turn + 1}.csv", "w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["id", "name", "mail", "status", "manager", "ends", "left"])
        for id, person in life.items():
            if not (turn == 1 and person["lost"]):
                status = "T" if person["terminated"] else "A"
                out.writerow([id, person["name"], f"{id}@example.com", status, person["manager"], person["ends_text"], person["left_text"]])
    with open(f"{OUT}/dir-{turn + 1}.csv", "w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["dn", "emp", "off", "admin", "lastLogonTimestamp", "pwdLastSet", "accountExpires", "objectClass", "managedBy", "memberOf"])
        line = 1
        for dn, account in made.items():
            if not (turn == 1 and account["gone"]):
                line += 1
                groups = account["groups"] + ([account["late"]] if turn == 1 and account["late"] else [])
                # The record of which the content of the account is: the last one that was another than the one before.
                if turn == 0 or account["late"] or account["off"][0] != account["off"][1]:
                    account["line"] = line
                flag = lambda value: "yes" if value else "no"
                out.writerow([dn, account["emp"], flag(account["off"][turn]), flag(account["admin"]), account["used_text"],
                              account["set_text"], account["end_text"], account["class"], account["owner"], "|".join(groups)])
        # Records with a cell too many, of accounts that nobody knows.
        refused = [(line + at + 1, f"refused {at}") for at in range(max(1, len(made) // 30))] if turn == 1 else []
        for _, dn in refused:
            out.writerow([dn] + [""] * 10)


def say(*cells):
    print("\t".join("" if cell is None else str(cell) for cell in cells))


def at_least(time, days):
    return SECOND - time >= timedelta(days=days)


# An account belongs to the identity of its number, as long as there was one.
for account in made.values():
    account["person"] = account["emp"] if account["emp"] in ids else None
live = {dn: account for dn, account in made.items() if not account["gone"]}
since = {}
for dn, account in made.items():
    since[dn] = {group: "2026-01-01T01:00:00.000Z" for group in account["groups"]}
    if account["late"]:
        account["groups"] = account["groups"] + [account["late"]]
        since[dn][account["late"]] = "2026-01-01T02:00:00.000Z"
known = lambda value: value is not None and value != "unreadable"

for dn, account in live.items():
    if not account["off"][1]:
        used = account["used"]
        if not known(used):
            say("DORMANT_ACCOUNTS", dn, "UNKNOWN")
        elif at_least(used + timedelta(days=14), 90):
            say("DORMANT_ACCOUNTS", dn, "DORMANT")
        elif at_least(used, 90):
            say("DORMANT_ACCOUNTS", dn, "PERHAPS")
        if not known(account["password"]):
            say("PASSWORD_AGE", dn, "UNKNOWN")
        elif at_least(account["password"], 90):
            say("PASSWORD_AGE", dn, "OLD")
    rights = [group for group in account["groups"] if group in ADMINS]
    if rights or account["admin"]:
        marks = ["by its values", "marked by its source", "marked by its source, and by its values"]
        say("PRIVILEGED_ACCESS", dn, marks[2 if rights and account["admin"] else 1 if account["admin"] else 0])
    if account["class"] == "computer":
        owner = account["owner"]
        held = live[owner]["person"] if owner in live else owner if owner in ids else None
        if not owner:
            verdict = "NO_OWNER"
        elif held is None:
            verdict = "OWNER_NOT_FOUND"
        elif life[held]["terminated"] or life[held]["lost"]:
            verdict = "OWNER_LEFT"
        else:
            verdict = "OWNED"
        say("MACHINE_ACCOUNTS", dn, verdict)
    for group in account["groups"] or [""]:
        say("ACCESS", account["person"], dn, group, account["line"], since[dn].get(group, "2026-01-01T01:00:00.000Z"))
    if account["person"]:
        say("MANAGER_REVIEW", life[account["person"]]["manager"] if life[account["person"]]["manager"] in ids else "", dn)

holders = {}
for dn, account in live.items():
    for group in set(account["groups"]):
        holders.setdefault(group, []).append((dn, account))
for group, found in holders.items():
    enabled = sum(1 for _, account in found if not account["off"][1])
    owners = {account["person"] for _, account in found if account["person"]}
    say("ENTITLEMENTS", group, len(found), enabled, len(owners))

DAY = timedelta(days=1)
for dn, account in made.items():
    if not account["person"]:
        continue
    person = life[account["person"]]
    date = person["left"] if person["left"] is not None else person["ends"]
    leaving = date if date is not None and date <= SECOND else None
    if leaving is None and not person["terminated"] and not person["lost"]:
        continue
    if leaving is not None:
        basis, latest = ("LEFT" if person["left"] is not None else "CONTRACT"), leaving
    elif person["lost"]:
        basis, latest = "LOST", SECOND
    else:
        basis, latest = "STATUS", FIRST
    # When access ended: after the one, by the other.
    ended = None
    if account["off"][0]:
        ended = (None, FIRST)
    elif account["off"][1] or account["gone"]:
        ended = (FIRST, SECOND)
    if account["expires"] is not None and account["expires"] <= SECOND:
        end = account["expires"]
        ended = (end, end) if ended is None else (None if ended[0] is None else min(end, ended[0]), min(end, ended[1]))
    whole = lambda time: time.replace(microsecond=0)
    if known(account["used"]) and whole(account["used"]) > whole(latest):
        verdict = "USED_AFTER_LEAVING"
    elif ended is None and SECOND > whole(latest) + DAY or ended and ended[0] and ended[0] > whole(latest) + DAY:
        verdict = "LATE"
    elif leaving is None:
        verdict = "CANNOT_TELL"
    elif ended is None:
        verdict = "OPEN"
    elif ended[1] <= whole(leaving) + DAY:
        verdict = "IN_TIME"
    else:
        verdict = "CANNOT_TELL"
    say("LEAVERS_WITH_ACCESS", dn, basis, verdict)

# What the second snapshot has and the first has not, and the other way round; and everything that one of them has.
for dn, account in made.items():
    groups = sorted(set(account["groups"]))
    if account["gone"]:
        say("ACCESS_CHANGES", dn, "ACCOUNT", "LOST", "", "")
        for group in groups:
            say("ACCESS_CHANGES", dn, "ENTITLEMENT", "LOST", group, "")
    elif account["off"][0] != account["off"][1]:
        say("ACCESS_CHANGES", dn, "ACCOUNT", "CHANGED", "", "disabled")
    if account["late"]:
        say("ACCESS_CHANGES", dn, "ENTITLEMENT", "GAINED", account["late"], "")
    for group in [""] + groups:
        verdict = "ENDED" if account["gone"] else "BEGUN" if group and group == account["late"] else "THROUGHOUT"
        say("ACCESS_IN_PERIOD", account["person"], dn, group, verdict)
for id, person in life.items():
    if person["lost"]:
        for attribute in ("authoritativeSource", "correlated", "identityProfile"):
            say("IDENTITY_CHANGES", id, "CHANGED", attribute)

# Three policies: of the two rights that most people have together, of one that everybody may have and one that nobody has, and of
# people with a disabled account in the directory.
rights = {}
for dn, account in live.items():
    if account["person"]:
        for group in account["groups"]:
            rights.setdefault(account["person"], {}).setdefault(group, set()).add(dn)
together = {}
for groups in rights.values():
    for pair in itertools.combinations(sorted(groups), 2):
        together[pair] = together.get(pair, 0) + 1
left, right = min(together, key=lambda pair: (-together[pair], pair))
by_value = lambda value: {"source": "Directory", "value": value}
lists = lambda left, right: {"leftCriteria": {"criteriaList": [left]}, "rightCriteria": {"criteriaList": [right]}}
policies = [
    {"name": "Most", "conflictingAccessCriteria": lists(by_value(left), by_value(right))},
    {"name": "Nobody", "conflictingAccessCriteria": lists({"query": "name:*"}, by_value("cn=nobody has it"))},
    {"name": "Off", "type": "GENERAL", "policyQuery": "@accounts(source.name:Directory AND disabled:true)"},
]
json.dump(policies, open(f"{OUT}/policies.json", "w"))
for person, groups in rights.items():
    if left in groups and right in groups:
        for side, group in (("LEFT", left), ("RIGHT", right)):
            for dn in groups[group]:
                say("SOD_VIOLATIONS", "Most", "VIOLATION", person, side, dn, group)
for person in sorted({account["person"] for account in live.values() if account["person"] and account["off"][1]}):
    say("SOD_VIOLATIONS", "Off", "VIOLATION", person, "QUERY", "", "")

# What the reads came to, and how the attributes of people are made.
people_now = [person for person in life.values() if not person["lost"]]
for line, dn in refused:
    say("REFUSED_RECORDS", "Directory", line, dn)
say("SOURCE_FRESHNESS", "Directory", "FRESH", len(live) + len(refused), len(refused), len(live), 2)
say("SOURCE_FRESHNESS", "HR", "FRESH", len(people_now), 0, len(people_now), 2)
managed = sum(1 for person in people_now if person["manager"])
for attribute, filled in (
    ("manager", managed), ("uid", len(people_now)), ("lastname", len(people_now)), ("email", len(people_now)),
    ("displayName", len(people_now)), ("cloudLifecycleState", len(people_now)),
):
    verdict = "OK" if filled else "NEVER_FILLED"
    say("ATTRIBUTE_MAPPINGS", attribute, verdict, len(people_now), filled, len(people_now) - filled)
