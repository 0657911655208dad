"""Saved and scheduled searches through the published Python SDK; python_sdk.py runs this.

Version 2.x of the SDK speaks /saved-searches/v1 only; 1.4.2 speaks /v3, /v2024 and /v2025, and each is driven.
"""

import importlib
import json
import time

QUERY = "name:* AND NOT name:a*"
UNKNOWN_ID = "0123456789abcdef0123456789abcdef"


class Operations:
    """The operations of one API class."""

    def __init__(self, package, module, name, suffix):
        self.package = package
        self.suffix = suffix
        self.api_class = getattr(importlib.import_module(f"{package}.api.{module}"), name)
        self.client_class = importlib.import_module(f"{package}.api_client").ApiClient
        self.exception = importlib.import_module(f"{package}.exceptions").ApiException

    def model(self, module, name):
        return getattr(importlib.import_module(f"{self.package}.models.{module}"), name)

    def bind(self, configuration):
        self.api = self.api_class(self.client_class(configuration))
        return self

    def call(self, operation, *arguments, **options):
        """(status, data or the error's body as JSON, headers); waits out a 429."""
        method = getattr(self.api, f"{operation}{self.suffix}_with_http_info")
        while True:
            try:
                answer = method(*arguments, **options)
                status, data, headers = answer.status_code, answer.data, answer.headers
            except self.exception as error:
                status, data, headers = error.status, json.loads(error.body), error.headers
            headers = {name.title(): value for name, value in (headers or {}).items()}
            if status != 429:
                return status, data, headers
            time.sleep(int(headers["Retry-After"]))


class Face:
    """Saved and scheduled searches of one version."""

    def __init__(self, name, saved, scheduled, suffix):
        self.name = name
        request = f"{suffix.lstrip('_')}_request" if suffix else "request"
        camel = "V1Request" if suffix else "Request"
        self.saved = Operations(saved, "saved_search_api", "SavedSearchApi", suffix)
        self.scheduled = Operations(scheduled, "scheduled_search_api", "ScheduledSearchApi", suffix)
        self.new_saved = self.saved.model(f"create_saved_search_{request}", f"CreateSavedSearch{camel}")
        self.new_scheduled = self.scheduled.model(f"create_scheduled_search_{request}", f"CreateScheduledSearch{camel}")


def of_face(name, package, suffix):
    """The saved searches beside a face of the reports; None where the SDK has none."""
    if suffix:
        return Face("saved-searches/v1", "sailpoint.saved_search", "sailpoint.scheduled_search", suffix)
    return None if name == "v2026" else Face(name, package, package, suffix)


def check_saved(tally, label, saved, face, is_error):
    """Keeps a search, and returns its id and its owner's."""
    content = {
        "name": "Everybody but A",
        "description": "A search of a test.",
        "indices": ["identities"],
        "query": QUERY,
        "columns": {"identity": [{"field": "displayName", "header": "Name"}, {"field": "email"}]},
        "sort": ["displayName"],
        "orderBy": {"identity": ["-displayName"]},
    }
    status, made, _ = saved.call("create_saved_search", face.new_saved.from_dict(content))
    tally.check(
        f"{label} create",
        status == 201
        and (made.name, made.query, made.public) == (content["name"], QUERY, False)
        and made.columns["identity"][0].header == "Name"
        and made.order_by == content["orderBy"]
        and made.owner.id == made.owner_id
        and made.created == made.modified,
        (status, made),
    )
    status, found, _ = saved.call("get_saved_search", made.id)
    tally.check(f"{label} get", status == 200 and found == made, (status, found))
    status, listed, headers = saved.call("list_saved_searches", count=True, filters=f'owner.id eq "{made.owner_id}"')
    tally.check(
        f"{label} list",
        status == 200 and made in listed and headers["X-Total-Count"] == str(len(listed)),
        (status, listed, headers),
    )
    made.name = "Renamed"
    status, put, _ = saved.call("put_saved_search", made.id, made)
    tally.check(
        f"{label} put",
        status == 200 and put.name == "Renamed" and put.columns == made.columns and put.created == made.created,
        (status, put),
    )
    status, body, _ = saved.call("get_saved_search", UNKNOWN_ID)
    tally.check(f"{label} unknown id is a 404", status == 404 and is_error(body, "404", UNKNOWN_ID), (status, body))
    wrong = face.new_saved.from_dict({**content, "query": "name:a AND"})
    status, body, _ = saved.call("create_saved_search", wrong)
    tally.check(f"{label} says where a query is wrong", status == 400 and is_error(body, "400.1", "column 11"), (status, body))
    return made.id, made.owner_id


def check_scheduled(tally, label, scheduled, face, saved_id, owner_id, recipients, is_error):
    """Schedules a saved search, and returns the schedule's id; None where the SDK cannot.

    The v2024 and v2025 models of 1.4.2 lose the content of a selector, and no version of 1.4.2 sends its token with
    get_scheduled_search.
    """
    identities = [{"type": "IDENTITY", "id": one} for one in recipients]
    content = {
        "name": "Every day",
        "savedSearchId": saved_id,
        "schedule": {"type": "DAILY", "hours": {"type": "LIST", "values": ["9"]}, "timeZoneId": "America/Chicago"},
        "recipients": identities,
        "enabled": True,
        "emailEmptyResults": True,
    }
    request = face.new_scheduled.from_dict(content)
    status, made, _ = scheduled.call("create_scheduled_search", request)
    if "type" not in request.to_dict()["schedule"]["hours"]:
        tally.check(f"{label} without hours", status == 400 and is_error(made, "400.1", "schedule"), (status, made))
        return None
    tally.check(
        f"{label} create",
        status == 201
        and (made.saved_search_id, made.owner_id, made.enabled) == (saved_id, owner_id, True)
        and (made.email_empty_results, made.display_query_details) == (True, False)
        and (made.schedule.type, made.schedule.time_zone_id) == ("DAILY", "America/Chicago"),
        (status, made),
    )
    status, found, _ = scheduled.call("get_scheduled_search", made.id)
    if scheduled.suffix:
        tally.check(f"{label} get", status == 200 and found == made, (status, found))
    else:
        tally.check(f"{label} get sends no token", status == 401 and "error" in found, (status, found))
    filters = f'savedSearchId eq "{saved_id}" and owner.id eq "{owner_id}"'
    status, listed, headers = scheduled.call("list_scheduled_search", count=True, filters=filters)
    tally.check(
        f"{label} list", status == 200 and listed == [made] and headers["X-Total-Count"] == "1", (status, listed, headers)
    )
    hours = {"type": "RANGE", "values": ["9", "18"], "interval": 3}
    weekly = {"type": "WEEKLY", "days": {"type": "LIST", "values": ["MON", "FRI"]}, "hours": hours}
    changed = scheduled.model("scheduled_search", "ScheduledSearch").from_dict({**json.loads(made.to_json()), "schedule": weekly, "id": made.id, "ownerId": owner_id})
    status, updated, _ = scheduled.call("update_scheduled_search", made.id, changed)
    tally.check(
        f"{label} update",
        status == 200 and updated.schedule.type == "WEEKLY" and updated.schedule.hours.interval == 3 and updated.created == made.created,
        (status, updated),
    )
    reference = scheduled.model("typed_reference", "TypedReference")
    status, _, _ = scheduled.call("unsubscribe_scheduled_search", made.id, reference.from_dict(identities[0]))
    _, listed, _ = scheduled.call("list_scheduled_search", filters=filters)
    left = [recipient.id for one in listed for recipient in one.recipients]
    tally.check(f"{label} unsubscribe", status == 204 and left == recipients[1:], (status, listed))
    for change, word in (
        ({"savedSearchId": UNKNOWN_ID}, UNKNOWN_ID),
        ({"schedule": {"type": "DAILY", "hours": {"type": "LIST", "values": ["24"]}}}, "hours"),
        ({"recipients": [{"type": "IDENTITY", "id": UNKNOWN_ID}]}, UNKNOWN_ID),
    ):
        status, body, _ = scheduled.call("create_scheduled_search", face.new_scheduled.from_dict({**content, **change}))
        tally.check(f"{label} {word} is named", status in (400, 404) and is_error(body, str(status), word), (status, body))
    return made.id


def check(tally, label, face, search, user_configuration, application_configuration, is_error):
    """Everything, for one version. `search` is the search of the same version, which finds recipients."""
    saved, scheduled = face.saved.bind(user_configuration), face.scheduled.bind(user_configuration)
    api = search.api(user_configuration)
    _, found, _ = search.call(api, "search_post", search.body(query={"query": "email:*"}, sort=["id"]), None, 2)
    recipients = [one["id"] for one in found]
    saved_id, owner_id = check_saved(tally, label, saved, face, is_error)
    schedule_id = check_scheduled(tally, f"{label} schedule", scheduled, face, saved_id, owner_id, recipients, is_error)

    arguments = saved.model("search_arguments", "SearchArguments")
    owner = {"type": "IDENTITY", "id": owner_id}
    identities = [{"type": "IDENTITY", "id": one} for one in recipients]
    executions = [("", {"owner": owner, "recipients": identities})]
    if schedule_id is not None:
        executions.append((" a schedule", {"scheduleId": schedule_id}))
    for name, body in executions:
        status, data, _ = saved.call("execute_saved_search", saved_id, arguments.from_dict(body))
        tally.check(f"{label} execute{name}", status == 202 and data is None, (status, data))
    status, body, _ = saved.call("execute_saved_search", saved_id, arguments.from_dict({"owner": owner}))
    tally.check(f"{label} execute without recipients", status == 400 and is_error(body, "400.1", "recipients"), (status, body))

    if schedule_id is not None:
        status, _, _ = scheduled.call("delete_scheduled_search", schedule_id)
        _, listed, _ = scheduled.call("list_scheduled_search", filters=f'savedSearchId eq "{saved_id}"')
        tally.check(f"{label} schedule delete", status == 204 and listed == [], (status, listed))
    status, _, _ = saved.call("delete_saved_search", saved_id)
    gone, _, _ = saved.call("get_saved_search", saved_id)
    tally.check(f"{label} delete", (status, gone) == (204, 404), (status, gone))
    status, body, _ = face.saved.bind(application_configuration).call("list_saved_searches")
    tally.check(f"{label} an application has none", status == 403, (status, body))
