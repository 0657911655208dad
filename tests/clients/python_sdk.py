"""Drives the published Python SDK, unmodified, against a running server.

`cargo xtask clients` installs the pinned versions, starts a server and runs this. By hand:

    pip install sailpoint==2.1.72        # or 1.4.2: the script finds out which it has
    export SAIL_BASE_URL=http://127.0.0.1:8080
    export SAIL_CLIENT_ID=... SAIL_CLIENT_SECRET=...                       # a user's credentials
    export MUSTER_APPLICATION_CLIENT_ID=... MUSTER_APPLICATION_CLIENT_SECRET=...
    export MUSTER_AUTHORITATIVE_SOURCE_ID=...                              # a source with a profile
    python tests/clients/python_sdk.py

`MUSTER_SOURCE_ID` and `MUSTER_SOURCE_NAME` name the source of the ACCOUNTS report; they default to the
demo organisation's "Active Directory". Prints one line for each check, then `N passed, N failed`, and exits
with 1 when one failed. It starts and cancels reports and fills the rate limit of its two clients: point it at
a demo, not at a service that people use.
Version 2.x of the SDK speaks /reports/v1 only; 1.4.2 speaks /v3, /v2024 and /v2025, and each is driven.
python_search.py, python_saved_searches.py, python_sod.py, python_task_status.py and python_history.py drive searches, saved
and scheduled searches, policies for separation of duties, the list of tasks, and the history of identities; python_examples.py has the examples.
"""

import contextlib
import csv
import functools
import importlib
import io
import json
import os
import re
import sys
import tempfile
import time
import traceback
import zipfile
from importlib.metadata import version
from pathlib import Path

from sailpoint.configuration import Configuration, ConfigurationParams

sys.dont_write_bytecode = True  # The checks beside this script are in a repository.
import python_history  # noqa: E402
import python_saved_searches  # noqa: E402
import python_search  # noqa: E402
import python_sod  # noqa: E402
import python_task_status  # noqa: E402
from python_examples import EXAMPLES  # noqa: E402

COLUMNS = json.loads((Path(__file__).parent / "columns.json").read_text())
SOURCE_ID = os.environ.get("MUSTER_SOURCE_ID", "2c9180897e7742b2017e781782f705b9")
SOURCE_NAME = os.environ.get("MUSTER_SOURCE_NAME", "Active Directory")
AUTHORITATIVE_SOURCE_ID = os.environ["MUSTER_AUTHORITATIVE_SOURCE_ID"]
UNKNOWN_ID = "0123456789abcdef0123456789abcdef"
# A report of the demo organisation ends in well under a second; this is for a machine that is busy.
DEADLINE_SECONDS = 120
# A cancel races the report it cancels: this many starts before "it always ended first" is a failure.
CANCEL_ATTEMPTS = 20


class Tally:
    """Counts checks and prints a line for each."""

    passed = 0
    failed = 0

    def check(self, name, condition, detail=""):
        if condition:
            self.passed += 1
            print(f"ok    {name}", flush=True)
        else:
            self.failed += 1
            # A page of documents would hide the failures around it.
            print(f"FAIL  {name}: {detail!s:.2000}", flush=True)

    @contextlib.contextmanager
    def group(self, name):
        """A check that raises is one failure and does not end the run."""
        try:
            yield
        except Exception:
            self.check(name, False, traceback.format_exc())


class Face:
    """One API class of the SDK, its models and its method names."""

    def __init__(self, name, package, suffix, argument_models):
        self.name = name
        self.suffix = suffix
        self.search = python_search.of_face(name, package, suffix)
        self.saved_searches = python_saved_searches.of_face(name, package, suffix)
        self.policies = python_sod.of_face(name, package, suffix)
        self.models_module = f"{package}.models"
        self.api_module = f"{package}.api.reports_data_extraction_api"
        self.client_module = f"{package}.api_client"
        self.api_class = importlib.import_module(self.api_module).ReportsDataExtractionApi
        self.client_class = importlib.import_module(self.client_module).ApiClient
        self.exception = importlib.import_module(f"{package}.exceptions").ApiException
        self.details = self.model("report_details", "ReportDetails")
        self.wrapper = self.model("report_details_arguments", "ReportDetailsArguments")
        self.argument_models = {kind: self.model(*place) for kind, place in argument_models.items()}

    def model(self, module, name):
        return getattr(importlib.import_module(f"{self.models_module}.{module}"), name)

    def api(self, configuration):
        return Calls(self, self.api_class(self.client_class(configuration)))

    def body(self, kind, arguments):
        """A request with the argument model of its kind, built by hand: `from_json` picks the wrong model."""
        if arguments is None:
            return self.details(reportType=kind, arguments=None)
        model = self.argument_models[kind](**arguments)
        return self.details(reportType=kind, arguments=self.wrapper(model))

    def example(self, name, task_id=None):
        """Runs an example of the documentation page; what it printed."""
        text = EXAMPLES[name].format(
            api_module=self.api_module,
            client_module=self.client_module,
            models_module=self.models_module,
            suffix=self.suffix,
            id=task_id,
        )
        while True:
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile(text, f"<example {name}>", "exec"), {})
            # The example prints what went wrong; a reader who is told to wait does, and runs it again.
            wait = re.search(r"\(429\).*'Retry-After': '([0-9]+)'", printed.getvalue(), re.DOTALL | re.IGNORECASE)
            if wait is None:
                return printed.getvalue()
            time.sleep(int(wait.group(1)))


def named(headers):
    """Headers by their names as documents write them: on the wire their case says nothing."""
    return {name.title(): value for name, value in (headers or {}).items()}


class Calls:
    """The operations; waits out a 429 as its `Retry-After` says, and gives back the status too."""

    def __init__(self, face, api):
        self.face = face
        self.api = api

    def raw(self, operation, *arguments, **options):
        """(status, data or the error's body as JSON, headers), without waiting."""
        method = getattr(self.api, f"{operation}{self.face.suffix}_with_http_info")
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                answer = method(*arguments, **options)
        except self.face.exception as error:
            return error.status, json.loads(error.body), named(error.headers)
        return answer.status_code, answer.data, named(answer.headers)

    def call(self, operation, *arguments, **options):
        while True:
            status, data, headers = self.raw(operation, *arguments, **options)
            if status != 429:
                return status, data, headers
            time.sleep(int(headers["Retry-After"]))

    def start(self, kind, arguments):
        return self.call("start_report", self.face.body(kind, arguments))

    def result(self, task_id, **options):
        return self.call("get_report_result", task_id, **options)

    def download(self, task_id, file_format="csv", **options):
        return self.call("get_report", task_id, file_format, **options)

    def cancel(self, task_id):
        return self.call("cancel_report", task_id)

    def occupy_workers(self):
        """Gives the server its largest reports to do, so that what is started next waits a moment."""
        for correlated_only in (False, True):
            self.start("IDENTITIES_DETAILS", {"correlatedOnly": correlated_only})

    def ended(self, task_id):
        """The result once it has a status."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        pause = 0.02
        while time.monotonic() < deadline:
            _, result, _ = self.result(task_id)
            if result.status is not None:
                return result
            time.sleep(pause)
            pause = min(pause * 2, 1.0)
        raise TimeoutError(f"{task_id} has not ended in {DEADLINE_SECONDS} s")


def faces():
    """The API classes that the installed SDK has."""
    kinds = [
        ("ACCOUNTS", "AccountsExportReportArguments"),
        ("IDENTITIES", "IdentitiesReportArguments"),
        ("IDENTITIES_DETAILS", "IdentitiesDetailsReportArguments"),
        ("IDENTITY_PROFILE_IDENTITY_ERROR", "IdentityProfileIdentityErrorReportArguments"),
        ("ORPHAN_IDENTITIES", "OrphanIdentitiesReportArguments"),
        ("UNCORRELATED_ACCOUNTS", "UncorrelatedAccountsReportArguments"),
        ("SEARCH_EXPORT", "SearchExportReportArguments"),
    ]
    if version("sailpoint").startswith("2."):
        models = {kind: (name.lower(), name.capitalize()) for kind, name in kinds}
        return [Face("reports/v1", "sailpoint.reports_data_extraction", "_v1", models)]

    def module(name):
        return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()

    models = {kind: (module(name), name) for kind, name in kinds}
    return [Face(name, f"sailpoint.{name}", "", models) for name in ("v3", "v2024", "v2025")]


def arguments_of(kind):
    return {
        "ACCOUNTS": {"application": SOURCE_ID, "sourceName": SOURCE_NAME},
        "IDENTITIES": {"correlatedOnly": False},
        "IDENTITIES_DETAILS": {"correlatedOnly": False},
        "IDENTITY_PROFILE_IDENTITY_ERROR": {"authoritativeSource": AUTHORITATIVE_SOURCE_ID},
        "ORPHAN_IDENTITIES": {"selectedFormats": ["CSV"]},
        "UNCORRELATED_ACCOUNTS": {"selectedFormats": ["CSV"]},
    }[kind]


def read_csv(path):
    """Header and number of data rows; line ends must be CR LF outside quotes."""
    content = Path(path).read_bytes()
    assert not content.startswith(b"\xef\xbb\xbf"), "the file starts with a byte order mark"
    assert content.endswith(b"\r\n"), "the last line does not end in CR LF"
    rows = list(csv.reader(io.StringIO(content.decode("utf-8"), newline=""), strict=True))
    assert all(len(row) == len(rows[0]) for row in rows), "a row has another number of cells than the header"
    return rows[0], len(rows) - 1


def is_error(body, code, *words):
    """Whether this is the published error body and its texts, messages and causes, have all the words."""
    parts = body.get("messages", []) + body.get("causes", [])
    return (
        body.get("detailCode", "").startswith(code)
        and re.fullmatch(r"[0-9a-f]{32}", body.get("trackingId", "")) is not None
        and len(body.get("messages", [])) > 0
        and all(part["locale"] == "en-US" and part["localeOrigin"] == "DEFAULT" for part in parts)
        and all(any(word in part["text"] for part in parts) for word in words)
    )


def check_kind(tally, name, user, application, kind):
    """Run, poll, download, cancel."""
    arguments = arguments_of(kind)
    formats = arguments.get("selectedFormats", ["CSV", "PDF"])
    status, task, _ = user.start(kind, arguments)
    tally.check(
        f"{name} start",
        status == 200
        and task.type == "QUARTZ"
        and re.fullmatch(r"[0-9a-f]{32}", task.id or "")
        and task.report_type == kind
        and bool(task.launcher)
        and bool((task.attributes or {}).get("org"))
        and task.created is not None,
        (status, task),
    )
    result = user.ended(task.id)
    tally.check(
        f"{name} result",
        result.status in ("SUCCESS", "WARNING")
        and result.id == task.id
        and result.report_type == kind
        and isinstance(result.rows, int)
        and isinstance(result.duration, int)
        and result.available_formats == formats
        and bool(result.task_def_name),
        result,
    )
    definition_id = task.attributes.get("taskDefinitionId")
    _, by_definition, _ = user.result(definition_id, completed=True)
    tally.check(f"{name} result by definition id", by_definition.id == task.id, by_definition)

    status, path, headers = user.download(task.id)
    header, rows = read_csv(path)
    documented = COLUMNS[kind]
    fixed = documented["columns"]
    tally.check(
        f"{name} csv header",
        header[: len(fixed)] == fixed and (documented["attributesFollow"] or len(header) == len(fixed)),
        header,
    )
    tally.check(f"{name} csv rows", status == 200 and rows == result.rows, (status, rows, result.rows))
    tally.check(
        f"{name} csv name and type",
        Path(path).name == f"{result.task_def_name}.csv" and headers["Content-Type"] == "application/csv",
        (path, headers),
    )

    status, path, headers = user.download(task.id, "pdf")
    if "PDF" in formats:
        content = Path(path).read_bytes() if status == 200 else b""
        tally.check(
            f"{name} pdf",
            content.startswith(b"%PDF-1.7") and content.rstrip().endswith(b"%%EOF") and headers["Content-Type"] == "application/pdf",
            (status, path, headers),
        )
    else:
        tally.check(f"{name} pdf is a 404", status == 404 and is_error(path, "404", "PDF"), (status, path))
    status, body, _ = user.cancel(task.id)
    tally.check(f"{name} cancel after its end is a 400", status == 400 and is_error(body, "400"), (status, body))

    for attempt in range(CANCEL_ATTEMPTS):
        if attempt >= 3:
            user.occupy_workers()
        _, task, _ = user.start(kind, arguments)
        status, body, _ = user.cancel(task.id)
        if status != 400:
            break
    tally.check(f"{name} cancel", status == 204 and body is None, (status, body))
    result = user.ended(task.id)
    tally.check(f"{name} cancel ends it", result.status == "TERMINATED" and not result.available_formats, result)
    status, _, _ = user.cancel(task.id)
    tally.check(f"{name} cancel again", status == 204, status)
    status, body, _ = user.download(task.id)
    tally.check(f"{name} cancelled has no file", status == 404 and is_error(body, "404", "cancelled"), (status, body))
    status, body, _ = application.cancel(task.id)
    tally.check(f"{name} cancel by an application is a 403", status == 403 and is_error(body, "403"), (status, body))


def check_search(tally, name, user):
    """A search: a zip of one CSV for each index that was asked for."""
    arguments = {
        "query": "name:*",
        "indices": ["identities", "entitlements"],
        "columns": "name,attributes.cloudLifecycleState,access.spread",
        "sort": ["-name"],
    }
    status, task, _ = user.start("SEARCH_EXPORT", arguments)
    tally.check(
        f"{name} start",
        status == 200
        and task.report_type == "SEARCH_EXPORT"
        and task.description == "Extract query data from ElasticSearch to CSV"
        and task.attributes["queryParams"]["query"] == "name:*"
        and task.attributes["queryParams"]["columns"] == arguments["columns"]
        and bool(task.attributes["queryHash"]),
        (status, task),
    )
    result = user.ended(task.id)
    tally.check(f"{name} result", result.status in ("SUCCESS", "WARNING") and result.available_formats == ["CSV"], result)
    status, path, headers = user.download(task.id)
    with zipfile.ZipFile(path) as archive:
        broken = archive.testzip()
        names = archive.namelist()
        files = {entry: list(csv.reader(io.StringIO(archive.read(entry).decode("utf-8"), newline=""), strict=True)) for entry in names if entry.endswith(".csv")}
        cover = json.loads(archive.read("cover.json"))
    tally.check(
        f"{name} zip",
        status == 200 and broken is None and names == ["identities.csv", "entitlements.csv", "cover.json"] and headers["Content-Type"] == "application/zip",
        (status, broken, names, headers),
    )
    tally.check(f"{name} rows", sum(len(rows) - 1 for rows in files.values()) == result.rows > 0, result.rows)
    people = files["identities.csv"]
    listed = [row[0] for row in people[1:]]
    tally.check(
        f"{name} columns and order",
        people[0][:3] == ["name", "attributes.cloudLifecycleState", "access.id"] and listed == sorted(listed, reverse=True),
        people[0],
    )
    digests = {file["name"]: file["rows"] for file in cover["files"]}
    tally.check(f"{name} cover counts the rows", all(digests[entry] == len(rows) - 1 for entry, rows in files.items()), digests)


def check_errors(tally, name, face, user, application):
    """What clients get for bad input."""
    for kind, argument in (("ACCOUNTS", "application"), ("IDENTITY_PROFILE_IDENTITY_ERROR", "authoritativeSource")):
        status, body, _ = user.start(kind, None)
        tally.check(f"{name} {kind} without {argument}", status == 400 and is_error(body, "400.1", argument), (status, body))
    status, body, _ = user.start("ACCOUNTS", {"application": UNKNOWN_ID, "sourceName": "none"})
    tally.check(f"{name} unknown source", status == 400 and is_error(body, "400.1", "application", UNKNOWN_ID), (status, body))
    status, body, _ = user.start("SEARCH_EXPORT", {"query": "name:a AND"})
    tally.check(f"{name} SEARCH_EXPORT says where a query is wrong", status == 400 and is_error(body, "400.1", "query", "column 11"), (status, body))
    mangled = face.details.from_json('{"reportType": "SEARCH_EXPORT", "arguments": {"query": "*"}}')
    status, body, _ = user.call("start_report", mangled)
    tally.check(f"{name} SEARCH_EXPORT without query", status == 400 and is_error(body, "400.1", "query"), (status, body))

    # `from_json` turns the arguments of these two kinds into {"correlatedOnly": false}.
    mangled = face.details.from_json('{"reportType": "ORPHAN_IDENTITIES", "arguments": {"selectedFormats": ["CSV"]}}')
    status, task, _ = user.call("start_report", mangled)
    tally.check(f"{name} mangled optional arguments still run", status == 200 and task.report_type == "ORPHAN_IDENTITIES", (status, task))
    mangled = face.details.from_json(
        '{"reportType": "IDENTITY_PROFILE_IDENTITY_ERROR", "arguments": {"authoritativeSource": "' + AUTHORITATIVE_SOURCE_ID + '"}}'
    )
    status, body, _ = user.call("start_report", mangled)
    tally.check(f"{name} mangled required argument", status == 400 and is_error(body, "400.1", "authoritativeSource"), (status, body))

    status, result, _ = user.result(UNKNOWN_ID)
    tally.check(f"{name} result of an unknown id is empty", status == 200 and result.to_dict() == {}, (status, result))
    status, body, _ = user.download(UNKNOWN_ID)
    tally.check(f"{name} file of an unknown id is a 404", status == 404 and is_error(body, "404", UNKNOWN_ID), (status, body))
    status, body, _ = user.cancel(UNKNOWN_ID)
    tally.check(f"{name} cancel of an unknown id is a 404", status == 404 and is_error(body, "404"), (status, body))
    status, body, _ = user.download(UNKNOWN_ID, "docx")
    tally.check(f"{name} unknown format is a 400", status == 400 and is_error(body, "400", "fileFormat"), (status, body))

    status, task, _ = application.start("IDENTITIES", arguments_of("IDENTITIES"))
    tally.check(f"{name} an application may start", status == 200, (status, task))
    tally.check(f"{name} an application may read", application.ended(task.id).status in ("SUCCESS", "WARNING"))

    stranger = face.api(configuration(access_token="not-a-token"))
    for operation, arguments in (("get_report_result", [UNKNOWN_ID]), ("get_report", [UNKNOWN_ID, "csv"]), ("cancel_report", [UNKNOWN_ID])):
        status, body, _ = stranger.call(operation, *arguments)
        tally.check(f"{name} {operation} with a bad token", status == 401 and body.get("error", "").startswith("JWT validation failed"), (status, body))
    status, body, _ = stranger.start("IDENTITIES", arguments_of("IDENTITIES"))
    tally.check(f"{name} start_report with a bad token", status == 401 and "error" in body, (status, body))


def check_names(tally, name, user):
    """The SDK writes a file of the name that the server sends into the working directory."""
    _, task, _ = user.start("IDENTITIES", arguments_of("IDENTITIES"))
    user.ended(task.id)
    status, path, _ = user.download(task.id, "CSV", name="Quarter end", auditable=True)
    tally.check(f"{name} auditable download under a name", status == 200 and Path(path).name == "Quarter end.csv", (status, path))
    status, path, _ = user.download(task.id, name='../../etc/"evil\\name')
    inside = status == 200 and Path(path).resolve().parent == Path.cwd().resolve() and Path(path).suffix == ".csv"
    tally.check(f"{name} a hostile name stays in the folder", inside, (status, path))


def check_examples(tally, name, face, user):
    """The documentation page's examples as a reader would run them."""
    printed = face.example("start")
    found = re.search(r'"id": ?"([0-9a-f]{32})"', printed)
    tally.check(f"{name} example start_report", found is not None and "Exception" not in printed, printed)
    task_id = found.group(1)
    printed = face.example("result", task_id)
    tally.check(f"{name} example get_report_result", f'"{task_id}"' in printed and "Exception" not in printed, printed)
    result = user.ended(task_id)
    expected = Path(f"{result.task_def_name}.csv")
    expected.unlink(missing_ok=True)
    printed = face.example("download", task_id)
    # The SDK saves the file and returns its path, on which the example's last line cannot work.
    tally.check(
        f"{name} example get_report",
        "File has been saved to" in printed and "model_dump_json" in printed and read_csv(expected)[1] == result.rows,
        printed,
    )
    for attempt in range(CANCEL_ATTEMPTS):
        if attempt >= 3:
            user.occupy_workers()
        printed = face.example("start")
        task_id = re.search(r'"id": ?"([0-9a-f]{32})"', printed).group(1)
        printed = face.example("cancel", task_id)
        if printed == "":
            break
    tally.check(f"{name} example cancel_report", printed == "" and user.ended(task_id).status == "TERMINATED", printed)


def check_rate_limit(tally, name, api):
    """Calls until the limit answers; bounded in count.

    The SDK's HTTP library waits out a 429 of a GET by itself, as long as `Retry-After` says, so only a POST
    lets one see it. A cancel by an application is a POST that costs the server nothing: a 403.
    """
    for calls in range(1, 1001):
        status, body, headers = api.raw("cancel_report", UNKNOWN_ID)
        if status == 429:
            break
    wait = (headers or {}).get("Retry-After", "")
    tally.check(f"{name} rate limit answers", status == 429, f"{calls} calls, then {status}")
    tally.check(f"{name} rate limit text", body == {"message": " Rate Limit Exceeded "}, body)
    tally.check(f"{name} rate limit Retry-After", wait.isdigit() and 1 <= int(wait) <= 60, wait)
    status, _, _ = api.raw("get_report_result", UNKNOWN_ID)
    tally.check(f"{name} rate limit is over after Retry-After", status == 200, status)


def configuration(client_id=None, client_secret=None, access_token=None):
    parameters = ConfigurationParams()
    parameters.base_url = os.environ["SAIL_BASE_URL"]
    parameters.client_id = client_id
    parameters.client_secret = client_secret
    parameters.access_token = access_token
    return Configuration(parameters)


def main():
    tally = Tally()
    # No parameters: the SDK reads SAIL_BASE_URL, SAIL_CLIENT_ID and SAIL_CLIENT_SECRET itself.
    user_configuration = Configuration()
    application_configuration = configuration(
        os.environ["MUSTER_APPLICATION_CLIENT_ID"], os.environ["MUSTER_APPLICATION_CLIENT_SECRET"]
    )
    tally.check("token of a user", user_configuration.access_token is not None)
    tally.check("token of an application", application_configuration.access_token is not None)
    stranger_configuration = configuration(access_token="not-a-token")
    with contextlib.redirect_stdout(io.StringIO()):
        refused = configuration(os.environ["SAIL_CLIENT_ID"], "wrong")
    tally.check("no token for a wrong secret", refused.access_token is None, refused.access_token)

    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # The SDK saves downloads into the working directory.
        for face in faces():
            label = f"python {version('sailpoint')} {face.name}"
            user = face.api(user_configuration)
            application = face.api(application_configuration)
            for kind in COLUMNS:
                with tally.group(f"{label} {kind}"):
                    check_kind(tally, f"{label} {kind}", user, application, kind)
            with tally.group(f"{label} errors"):
                check_errors(tally, label, face, user, application)
            with tally.group(f"{label} SEARCH_EXPORT"):
                check_search(tally, f"{label} SEARCH_EXPORT", user)
            with tally.group(f"{label} search"):
                configurations = user_configuration, application_configuration, stranger_configuration
                python_search.check(tally, f"{label} search", face.search, user, *configurations, is_error)
            if face.saved_searches:
                with tally.group(f"{label} saved searches"):
                    python_saved_searches.check(
                        tally,
                        f"{label} saved searches",
                        face.saved_searches,
                        face.search,
                        user_configuration,
                        application_configuration,
                        is_error,
                    )
            if face.policies:
                with tally.group(f"{label} policies"):
                    python_sod.check(
                        tally,
                        f"{label} policies",
                        face.policies,
                        face.search,
                        user_configuration,
                        application_configuration,
                        is_error,
                    )
            with tally.group(f"{label} names"):
                check_names(tally, label, user)
            with tally.group(f"{label} examples"):
                check_examples(tally, label, face, user)
            with tally.group(f"{label} rate limit"):
                check_rate_limit(tally, label, application)
            reports, search = user, functools.partial(face.search.call, face.search.api(user_configuration))
        for face in python_task_status.faces():
            label = f"python {version('sailpoint')} {face.name} task status"
            configurations = user_configuration, application_configuration, stranger_configuration
            user, application, stranger = [Calls(face, face.make(each)) for each in configurations]
            with tally.group(label):
                python_task_status.check(tally, label, user, reports, application, stranger, is_error)
        for face in python_history.faces():
            label = f"python {version('sailpoint')} {face.name} history"
            configurations = user_configuration, application_configuration, stranger_configuration
            user, application, stranger = [Calls(face, face.make(each)) for each in configurations]
            with tally.group(label):
                python_history.check(tally, label, user, application, stranger, search, is_error)
        os.chdir("/")

    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
