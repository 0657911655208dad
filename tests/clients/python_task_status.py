"""The list of tasks through the published Python SDK; python_sdk.py runs it.

Version 2.x of the SDK speaks /task-status/v1 only; 1.4.2 speaks /beta, /v2024, /v2025 and /v2026, and each is driven.
"""

import importlib
import warnings
from importlib.metadata import version

UNKNOWN_ID = "0123456789abcdef0123456789abcdef"
# A task's end races the request that is to see it running: this many starts before "it always ended first" is a failure.
ATTEMPTS = 20
# The example of the published document.
PATCH = [
    {"op": "replace", "path": "/completionStatus", "value": "Error"},
    {"op": "replace", "path": "/completed", "value": "2024-05-17 19:33:16.470000+00:00"},
]

# The SDK warns of the pending forms, which the published service deprecates.
warnings.simplefilter("ignore", DeprecationWarning)


class Face:
    """One API class of the SDK, its model of a patch and its method names."""

    def __init__(self, name, package, suffix, has_pending):
        self.name = name
        self.suffix = suffix
        self.has_pending = has_pending
        self.api_class = importlib.import_module(f"{package}.api.task_management_api").TaskManagementApi
        self.client_class = importlib.import_module(f"{package}.api_client").ApiClient
        self.exception = importlib.import_module(f"{package}.exceptions").ApiException
        self.operation = importlib.import_module(f"{package}.models.json_patch_operation").JsonPatchOperation

    def make(self, configuration):
        # The SDK calls the operations of /v2026 experimental, and refuses them without this.
        configuration.experimental = True
        return self.api_class(self.client_class(configuration))


def faces():
    """The API classes that the installed SDK has."""
    if version("sailpoint").startswith("2."):
        return [Face("task-status/v1", "sailpoint.task_management", "_v1", False)]
    return [Face(name, f"sailpoint.{name}", "", True) for name in ("beta", "v2024", "v2025", "v2026")]


def check_ended(tally, name, tasks, reports):
    """A report that has ended, next to what get-report-result says of it."""
    _, started, _ = reports.start("IDENTITIES", {"correlatedOnly": False})
    result = reports.ended(started.id)
    status, task, _ = tasks.call("get_task_status", id=started.id)
    tally.check(
        f"{name} of an ended report",
        status == 200
        and (task.id, task.type, task.unique_name) == (started.id, "QUARTZ", result.task_def_name)
        and (task.launcher, task.description) == (started.launcher, started.description)
        and (task.completion_status, task.percent_complete) == (result.status, 100)
        and task.progress == f"{result.rows} of {result.rows} rows written"
        and task.created == started.created
        and task.created <= task.launched <= task.completed == task.modified
        and task.task_definition_summary.id == started.attributes["taskDefinitionId"],
        (status, task, result),
    )
    filters = f'id eq "{started.id}" and completionStatus in ("SUCCESS", "WARNING") and launcher eq "{started.launcher}"'
    status, listed, headers = tasks.call("get_task_status_list", filters=filters, count=True)
    tally.check(
        f"{name} list with filters",
        status == 200 and listed == [task] and headers["X-Total-Count"] == "1",
        (status, listed, headers),
    )
    status, listed, headers = tasks.call("get_task_status_list", filters='type eq "CLOUD_ACCOUNT_AGGREGATION"', count=True)
    tally.check(f"{name} list of aggregations", (status, listed, headers["X-Total-Count"]) == (200, [], "0"), (status, listed))


def check_pages(tally, name, tasks):
    """Pages in both orders."""
    filters = 'completionStatus in ("SUCCESS", "WARNING", "ERROR", "TERMINATED") and type eq "QUARTZ"'
    status, newest, headers = tasks.call("get_task_status_list", filters=filters, sorters="-created", limit=4, count=True)
    total = int(headers["X-Total-Count"])
    pages = [
        tasks.call("get_task_status_list", filters=filters, sorters="created", limit=2, offset=total - left)[1] for left in (4, 2)
    ]
    oldest_first = [task.id for page in pages for task in page]
    tally.check(
        f"{name} pages in both orders",
        status == 200 and total >= 4 and [task.id for task in reversed(newest)] == oldest_first,
        (status, total, oldest_first),
    )
    created = [task.created for task in newest]
    tally.check(f"{name} the newest first", created == sorted(created, reverse=True), created)
    status, _, headers = tasks.call("get_task_status_list", limit=1)
    tally.check(f"{name} no count unless asked for", status == 200 and "X-Total-Count" not in headers, headers)


def check_live(tally, name, tasks, reports, is_error):
    """A report that has not ended, and ending it."""
    seen = patched = None
    for attempt in range(ATTEMPTS):
        if attempt >= 3:
            reports.occupy_workers()
        _, started, _ = reports.start("IDENTITIES_DETAILS", {"correlatedOnly": False})
        _, task, _ = tasks.call("get_task_status", id=started.id)
        if task.completion_status is None:
            seen = task
            status, listed, headers = tasks.call("get_task_status_list", filters="completionStatus isnull", count=True)
            if tasks.face.has_pending:
                status, listed, headers = tasks.call("get_pending_tasks", count=True)
                _, _, head = tasks.call("get_pending_task_headers", count=True)
                headers = headers if head["X-Total-Count"].isdigit() else {}
        operations = [tasks.face.operation.from_dict(operation) for operation in PATCH]
        code, patched, _ = tasks.call("update_task_status", id=started.id, json_patch_operation=operations)
        if code == 200 and seen is not None:
            break
    tally.check(
        f"{name} of a report that has not ended",
        seen is not None and seen.completed is None and 0 <= seen.percent_complete < 100,
        seen,
    )
    tally.check(
        f"{name} list of those that have not ended",
        status == 200 and headers["X-Total-Count"].isdigit() and all(one.completion_status is None for one in listed),
        (status, listed, headers),
    )
    tally.check(
        f"{name} patch ends it",
        code == 200 and patched.completion_status == "ERROR" and patched.messages[-1].key == "task_cleared",
        (code, patched),
    )
    result = reports.ended(started.id)
    tally.check(f"{name} patch ends the report", result.status == "FAILURE", result)
    operations = [tasks.face.operation.from_dict({**PATCH[0], "value": "TERMINATED"})]
    code, body, _ = tasks.call("update_task_status", id=started.id, json_patch_operation=operations)
    tally.check(f"{name} patch of an ended task is a 400", code == 400 and is_error(body, "400.1", "ended already"), (code, body))


def check_errors(tally, name, tasks, application, stranger, is_error):
    """What clients get for bad input."""
    status, body, _ = tasks.call("get_task_status", id=UNKNOWN_ID)
    tally.check(f"{name} unknown id is a 404", status == 404 and is_error(body, "404", UNKNOWN_ID), (status, body))
    for parameters, word in (
        ({"filters": 'created gt "2020-01-01T00:00:00Z"'}, "created"),
        ({"filters": "completionStatus eq ERROR"}, "column 21"),
        ({"sorters": "launcher"}, "sorters"),
    ):
        status, body, _ = tasks.call("get_task_status_list", **parameters)
        tally.check(f"{name} {parameters} is a 400", status == 400 and is_error(body, "400.1", word), (status, body))
    status, body, _ = application.call("get_task_status_list", limit=1)
    tally.check(f"{name} an application reads the list", status == 200 and len(body) == 1, (status, body))
    status, body, _ = stranger.call("get_task_status_list")
    tally.check(f"{name} with a bad token is a 401", status == 401 and "error" in body, (status, body))


def check(tally, name, tasks, reports, application, stranger, is_error):
    """Everything, for one API class. The others are calls of task-status and of the report operations."""
    check_ended(tally, name, tasks, reports)
    check_live(tally, name, tasks, reports, is_error)
    check_pages(tally, name, tasks)
    check_errors(tally, name, tasks, application, stranger, is_error)
