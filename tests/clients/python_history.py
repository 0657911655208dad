"""The history of identities through the published Python SDK; python_sdk.py runs it.

Version 2.x of the SDK speaks /historical-identities/v1 only; 1.4.2 speaks /v2024 and /v2025, and each is driven. What the
newest snapshot says of an identity is compared with its document, which a search by the same client finds.
"""

import contextlib
import importlib
import io
import json
from importlib.metadata import version

UNKNOWN_ID = "0123456789abcdef0123456789abcdef"
TYPES = {"accessProfile", "account", "app", "entitlement", "role"}


class Face:
    """One API class of the SDK and its method names."""

    def __init__(self, name, package, suffix):
        self.name = name
        self.suffix = suffix
        self.api_class = importlib.import_module(f"{package}.api.identity_history_api").IdentityHistoryApi
        self.client_class = importlib.import_module(f"{package}.api_client").ApiClient
        self.exception = importlib.import_module(f"{package}.exceptions").ApiException

    def make(self, configuration):
        # The SDK calls these operations experimental, and refuses them without this.
        configuration.experimental = True
        return self.api_class(self.client_class(configuration))


def faces():
    """The API classes that the installed SDK has."""
    if version("sailpoint").startswith("2."):
        return [Face("historical-identities/v1", "sailpoint.identity_history", "_v1")]
    return [Face(name, f"sailpoint.{name}", "") for name in ("v2024", "v2025")]


def check_list(tally, name, history):
    """The list of identities in parts, and its filters. Returns an identity."""
    status, first, headers = history.call("list_historical_identities", limit=5)
    _, second, _ = history.call("list_historical_identities", limit=5, offset=5)
    _, both, _ = history.call("list_historical_identities", limit=10)
    ids = [one.id for one in both]
    tally.check(
        f"{name} list in parts",
        status == 200 and [one.id for one in first + second] == ids and len(set(ids)) == 10 and "X-Total-Count" not in headers,
        (status, ids, headers),
    )
    chosen = next(one for one in both if one.active and one.deleted_date is None)
    beginning = chosen.display_name[:4]
    status, found, _ = history.call("list_historical_identities", starts_with_query=beginning.upper(), is_active=True)
    names = [[one.first_name, one.last_name, one.display_name] for one in found]
    begins = all(any(name and name.lower().startswith(beginning.lower()) for name in of) for of in names)
    tally.check(
        f"{name} list by the beginning of a name",
        status == 200 and begins and chosen in found and all(one.active for one in found),
        (status, names),
    )
    status, gone, _ = history.call("list_historical_identities", is_deleted=True)
    left = all(one.deleted_date is not None and one.active is False for one in gone)
    tally.check(f"{name} list of those who left", status == 200 and left, (status, gone))
    # The demo organisation is refreshed twice, and somebody leaves between the two. An event has the time at which its
    # snapshot was published, and a person has left since the refresh began.
    status, events, _ = history.call("get_historical_identity_events", id=gone[0].id, access_item_types=["account"])
    events = [one.actual_instance for one in events]
    lost = [one for one in events if one.event_type == "AccessItemRemoved" and one.date_time >= gone[0].deleted_date]
    tally.check(f"{name} who leaves loses an account", status == 200 and lost, (status, events, gone[0]))
    return chosen


def check_identity(tally, name, history, chosen, search):
    """The newest snapshot of an identity, next to its document."""
    document = search("search_get", "identities", chosen.id)[1]
    status, seen, _ = history.call("get_historical_identity", id=chosen.id)
    counts = {"account": document["accountCount"], "entitlement": document["entitlementCount"], "app": document["appCount"]}
    tally.check(
        f"{name} newest snapshot",
        status == 200
        and (seen.id, seen.display_name) == (chosen.id, document["displayName"])
        and seen.attributes == document["attributes"]
        and set(seen.access_item_count) == TYPES
        and counts.items() <= seen.access_item_count.items(),
        (status, seen, document),
    )
    status, accounts, headers = history.call("list_identity_access_items", id=chosen.id, count=True)
    listed = sorted((one.actual_instance.id, one.actual_instance.native_identity) for one in accounts)
    tally.check(
        f"{name} accounts",
        status == 200
        and listed == sorted((one["id"], one["accountId"]) for one in document["accounts"])
        and headers["X-Total-Count"] == str(len(listed)),
        (status, listed),
    )
    rights = sorted((one["id"], one["value"]) for one in document["access"] if one["type"] == "ENTITLEMENT")
    status, entitlements, _ = history.call("list_identity_access_items", id=chosen.id, type="entitlement")
    listed = sorted((one.actual_instance.id, one.actual_instance.value) for one in entitlements)
    tally.check(f"{name} entitlements", status == 200 and listed == rights[:250], (status, listed, rights))
    return seen


def check_snapshots(tally, name, history, seen):
    """The snapshots of an identity, by their times."""
    status, snapshots, headers = history.call("list_identity_snapshots", id=seen.id, count=True)
    times = [one.snapshot for one in snapshots]
    tally.check(
        f"{name} snapshots",
        status == 200
        and times == sorted(times, reverse=True)
        and times[0] == seen.snapshot
        and headers["X-Total-Count"] == str(len(times)),
        (status, times, seen.snapshot),
    )
    status, again, _ = history.call("get_identity_snapshot", id=seen.id, var_date=times[0])
    tally.check(f"{name} snapshot at its time", status == 200 and again == seen, (status, again))
    # The SDK's own reader refuses every answer but one of apps: to it, an account or an entitlement is an app as well.
    method = getattr(history.api, f"list_identity_snapshot_access_items{history.face.suffix}_without_preload_content")
    with contextlib.redirect_stdout(io.StringIO()):
        answer = method(id=seen.id, var_date=times[0])
    items = json.loads(answer.data)
    types = {kind: sum(1 for item in items if item["accessType"] == kind) for kind in TYPES}
    tally.check(
        f"{name} access items at that time",
        answer.status == 200 and types == seen.access_item_count,
        (answer.status, types, seen.access_item_count),
    )
    status, apps, _ = history.call("list_identity_snapshot_access_items", id=seen.id, var_date=times[0], type="app")
    tally.check(f"{name} apps at that time", status == 200 and len(apps) == seen.access_item_count["app"], (status, apps))
    status, start, _ = history.call("get_identity_start_date", id=seen.id)
    tally.check(f"{name} start date", status == 200 and start.strip('"') <= times[-1], (status, start, times))
    return times


def check_events(tally, name, history, seen, times):
    """Events, and their number in each month."""
    status, events, headers = history.call("get_historical_identity_events", id=seen.id, count=True)
    events = [one.actual_instance for one in events]
    dates = [one.date_time for one in events]
    total = int(headers["X-Total-Count"])
    tally.check(
        f"{name} events",
        status == 200 and dates == sorted(dates, reverse=True) and set(dates) <= set(times) and total >= len(events),
        (status, dates, times),
    )
    status, bars, _ = history.call("get_identity_snapshot_summary", id=seen.id, time_zone="UTC")
    tally.check(f"{name} summary", status == 200 and sum(bar.value for bar in bars) == total, (status, bars, total))
    kinds = ["AccessAddedEvent", "AccessRemovedEvent"]
    status, gained, _ = history.call("get_historical_identity_events", id=seen.id, event_types=kinds, access_item_types=["account"])
    only = all(one.actual_instance.access_item_type == "account" for one in gained)
    tally.check(f"{name} events about accounts", status == 200 and only, (status, gained))


def check_compare(tally, name, history, seen, times):
    """A snapshot compared with itself."""
    same = {"snapshot1": times[0], "snapshot2": times[0]}
    status, compared, _ = history.call("compare_identity_snapshots", id=seen.id, access_item_types=["role", "account"], **same)
    nothing = {"accessAdded": 0, "accessRemoved": 0}
    tally.check(
        f"{name} compare",
        status == 200 and [one.access_item_diff for one in compared] == [{"role": nothing, "account": nothing}],
        (status, compared),
    )


def check_errors(tally, name, history, application, stranger, seen, is_error):
    """What clients get for bad input."""
    status, body, _ = history.call("get_identity_snapshot", id=seen.id, var_date="2001-01-01")
    tally.check(f"{name} before the first snapshot is a 404", status == 404 and is_error(body, "404", "2001-01-01"), (status, body))
    status, body, _ = history.call("get_historical_identity", id=UNKNOWN_ID)
    tally.check(f"{name} unknown id is a 404", status == 404 and is_error(body, "404", UNKNOWN_ID), (status, body))
    status, body, _ = history.call("get_historical_identity_events", id=seen.id, event_types=["AccessGained"])
    tally.check(f"{name} unknown type of event is a 400", status == 400 and is_error(body, "400.1", "AccessGained"), (status, body))
    # The SDK does not put the type into the path, so the service cannot know it.
    status, body, _ = history.call("compare_identity_snapshots_access_type", id=seen.id, access_type="role")
    tally.check(f"{name} compare of one type is a 400", status == 400 and is_error(body, "400.1", "access-type"), (status, body))
    status, body, _ = application.call("list_historical_identities", limit=1)
    tally.check(f"{name} an application reads the list", status == 200 and len(body) == 1, (status, body))
    status, body, _ = stranger.call("list_historical_identities")
    tally.check(f"{name} with a bad token is a 401", status == 401 and "error" in body, (status, body))


def check(tally, name, history, application, stranger, search, is_error):
    """Everything, for one API class; `search` calls an operation of the search."""
    chosen = check_list(tally, name, history)
    seen = check_identity(tally, name, history, chosen, search)
    times = check_snapshots(tally, name, history, seen)
    check_events(tally, name, history, seen, times)
    check_compare(tally, name, history, seen, times)
    check_errors(tally, name, history, application, stranger, seen, is_error)
