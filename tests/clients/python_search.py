"""The search operations of the published Python SDK; python_sdk.py runs this.

A search is compared with an export of the same query by the same client: count, pages, and one document.
"""

import contextlib
import csv
import importlib
import io
import json
import time
import zipfile

from sailpoint.paginator import Paginator

QUERY = "name:* AND NOT name:a*"
PAGE = 250


class Search:
    """The search operations of one API class."""

    def __init__(self, name, package, suffix):
        self.name = name
        self.suffix = suffix
        self.api_class = importlib.import_module(f"{package}.api.search_api").SearchApi
        self.client_class = importlib.import_module(f"{package}.api_client").ApiClient
        self.exception = importlib.import_module(f"{package}.exceptions").ApiException
        models = importlib.import_module(f"{package}.models.search")
        self.model = models.Search

    def api(self, configuration):
        return self.api_class(self.client_class(configuration))

    def body(self, **members):
        return self.model.from_dict({"indices": ["identities"], "query": {"query": QUERY}, **members})

    def call(self, api, operation, *arguments, **options):
        """(status, data or the error's body as JSON, headers); waits out a 429."""
        method = getattr(api, f"{operation}{self.suffix}_with_http_info")
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

    def paginate(self, api, search, increment, limit):
        """The SDK's paginator, once more if the rate limit interrupts it."""
        for _ in range(5):
            try:
                with contextlib.redirect_stdout(io.StringIO()):
                    return Paginator.paginate_search(api, search(), increment, limit)
            except self.exception as error:
                if error.status != 429:
                    raise
                time.sleep(int(error.headers["Retry-After"]))
        raise TimeoutError("the rate limit interrupted the paginator five times")


def of_face(name, package, suffix):
    """The search operations beside a face of the reports; `package` is where its reports are."""
    if suffix:
        return Search("search/v1", "sailpoint.search", suffix)
    return Search(name, package, suffix)


def exported(user):
    """Ids and shown names, in the order of an export of the same search."""
    arguments = {"query": QUERY, "indices": ["identities"], "columns": "id,displayName", "sort": ["displayName"]}
    _, task, _ = user.start("SEARCH_EXPORT", arguments)
    user.ended(task.id)
    _, path, _ = user.download(task.id)
    with zipfile.ZipFile(path) as archive:
        text = archive.read("identities.csv").decode("utf-8")
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))[1:]


def check_other_queries(tally, label, search, api, rows):
    """Filters, texts and what somebody types, compared with the names of an export."""
    name = rows[0][1]
    status, _, headers = search.call(api, "search_count", search.body(filters={"displayName": {"type": "TERMS", "terms": [name], "exclude": True}}))
    expected = sum(row[1] != name for row in rows)
    tally.check(f"{label} filters", status == 204 and headers["X-Total-Count"] == str(expected), (headers, expected))
    body = {"indices": ["identities"], "query": {"query": f'"{name}" AND NOT name:a*', "fields": "displayName"}}
    status, _, headers = search.call(api, "search_count", search.model.from_dict(body))
    tally.check(f"{label} fields of a query", status == 204 and int(headers["X-Total-Count"]) >= 1, headers)
    begin = name[:3]
    body = {"indices": ["identities"], "queryType": "TEXT", "textQuery": {"terms": [begin.upper()], "fields": ["displayName"]}}
    status, documents, _ = search.call(api, "search_post", search.model.from_dict(body), None, 10_000)
    found = {one["id"] for one in documents}
    expected = {row[0] for row in rows if row[1].lower().startswith(begin.lower())}
    tally.check(
        f"{label} texts",
        status == 200 and expected <= found and all(one["displayName"].lower().startswith(begin.lower()) for one in documents),
        (begin, len(found), len(expected)),
    )
    ahead = {"query": begin, "field": "displayName", "size": 5, "sort": "asc", "sortByValue": True}
    body = {"indices": ["identities"], "queryType": "TYPEAHEAD", "typeAheadQuery": ahead}
    status, values, _ = search.call(api, "search_post", search.model.from_dict(body))
    tally.check(
        f"{label} type-ahead",
        status == 200 and values == sorted(values) and 1 <= len(values) <= 5 and all(begin.lower() in one.lower() for one in values),
        values,
    )


def check_aggregations(tally, label, search, api, rows, is_error):
    """Both languages, compared with each other and with the count."""
    sailpoint = {"bucket": {"name": "Names", "type": "TERMS", "field": "displayName", "size": 10_000}}
    body = search.body(aggregationType="SAILPOINT", aggregations=sailpoint)
    status, found, headers = search.call(api, "search_aggregate", body, None, 3, True)
    counted = {}
    for _, name in rows:
        if name:  # Documents without a value are in no bucket.
            counted[name] = counted.get(name, 0) + 1
    buckets = found.aggregations["Names"]["buckets"] if status == 200 else []
    tally.check(
        f"{label} buckets",
        {one["key"]: one["doc_count"] for one in buckets} == counted and headers["X-Total-Count"] == str(len(rows)) and len(found.hits) == 3,
        (status, found),
    )
    dsl = {"Names": {"terms": {"field": "displayName.exact", "size": 10_000}}}
    status, same, _ = search.call(api, "search_aggregate", search.body(aggregationType="DSL", aggregationsDsl=dsl), None, 0)
    tally.check(f"{label} buckets in DSL", status == 200 and same.aggregations == found.aggregations and same.hits == [], same)
    nested = {
        "nested": {"name": "Access", "type": "access"},
        "filter": {"name": "Entitlements", "field": "access.type", "value": "ENTITLEMENT"},
        "bucket": {"name": "Sources", "field": "access.source.name"},
        "subAggregation": {"metric": {"name": "Rights", "type": "UNIQUE_COUNT", "field": "access.name"}},
    }
    status, found, _ = search.call(api, "search_aggregate", search.body(aggregationType="SAILPOINT", aggregations=nested), None, 0)
    access = found.aggregations["Access"] if status == 200 else {}
    inside = access.get("Entitlements", {})
    buckets = inside.get("Sources", {}).get("buckets", [])
    tally.check(
        f"{label} nested aggregations",
        access.get("doc_count", 0) >= inside.get("doc_count", 0) == sum(one["doc_count"] for one in buckets) > 0
        and all(1 <= one["Rights"]["value"] <= one["doc_count"] for one in buckets),
        found,
    )
    wrong = {"metric": {"name": "M", "type": "AVG", "field": "displayNmae"}}
    status, body, _ = search.call(api, "search_aggregate", search.body(aggregationType="SAILPOINT", aggregations=wrong))
    tally.check(f"{label} an unknown field of an aggregation", status == 400 and is_error(body, "400.1", "displayName"), (status, body))


def check(tally, label, search, user, configuration, application_configuration, stranger_configuration, is_error):
    rows = exported(user)
    ids = [row[0] for row in rows]
    api = search.api(configuration)

    status, body, headers = search.call(api, "search_count", search.body())
    tally.check(
        f"{label} count", status == 204 and body is None and headers["X-Total-Count"] == str(len(rows)), (status, headers, len(rows))
    )
    status, documents, headers = search.call(api, "search_post", search.body(sort=["displayName"]), 5, 10, True)
    tally.check(
        f"{label} a page and the count",
        status == 200 and [one["id"] for one in documents] == ids[5:15] and headers["X-Total-Count"] == str(len(rows)),
        (status, documents, headers),
    )
    first = documents[0]
    tally.check(
        f"{label} a document",
        first["_type"] == "identity"
        and first["_version"] == "v2"
        and first["displayName"] == rows[5][1]
        and len(first["accounts"]) == first["accountCount"] > 0
        and "source" in first["accounts"][0],
        first,
    )
    status, document, _ = search.call(api, "search_get", "identities", first["id"])
    own = {name: value for name, value in first.items() if name not in ("_type", "type", "_version", "org", "pod")}
    tally.check(f"{label} the document of an id", status == 200 and document == own, (status, document))
    status, body, _ = search.call(api, "search_get", "identities", "none")
    tally.check(f"{label} no document is a 404", status == 404 and is_error(body, "404", "none"), (status, body))

    for sort in ("displayName", "+displayName"):
        found = search.paginate(api, lambda: search.body(sort=[sort]), PAGE, 0)
        tally.check(f"{label} paginator by {sort}", [one["id"] for one in found] == ids, (len(found), len(ids)))
    found = search.paginate(api, lambda: search.body(sort=["-id"]), PAGE, 0)
    tally.check(f"{label} paginator by -id", [one["id"] for one in found] == sorted(ids, reverse=True), (len(found), len(ids)))
    found = search.paginate(api, lambda: search.body(sort=["id"]), 100, 150)
    tally.check(f"{label} paginator with a limit", [one["id"] for one in found] == sorted(ids)[:200], len(found))

    fields = {"includes": ["name", "accounts.source.name", "manager"], "excludes": ["manager.id"]}
    status, documents, _ = search.call(api, "search_post", search.body(queryResultFilter=fields, sort=["id"]), None, 50)
    names = {name for one in documents for name in one}
    tally.check(
        f"{label} fields",
        status == 200
        and names <= {"name", "accounts", "manager", "_type", "type", "_version", "org", "pod"}
        and {"name", "accounts"} <= names
        and all(set(account) == {"source"} and set(account["source"]) == {"name"} for one in documents for account in one["accounts"])
        and all("id" not in one.get("manager", {}) for one in documents),
        names,
    )
    status, documents, _ = search.call(api, "search_post", search.body(includeNested=False), None, 5)
    tally.check(f"{label} without nested", status == 200 and all("accounts" not in one and "attributes" in one for one in documents), documents)

    for members, word in (
        ({"queryType": "DSL", "queryDsl": {"match_all": {}}}, "queryType"),
        ({"filters": {"name": {"type": "RANGE"}}}, "filters"),
        ({"query": {"query": "name:a AND"}}, "column 11"),
        ({"sort": ["displayNmae"]}, "displayName"),
        ({"sort": ["id"], "searchAfter": ["none"]}, "searchAfter"),
    ):
        status, body, _ = search.call(api, "search_post", search.body(**members))
        tally.check(f"{label} {word} is named", status == 400 and is_error(body, "400.1", word), (status, body))
    status, documents, _ = search.call(api, "search_post", search.body(sort=["displayName"]), None, 10_000)
    tally.check(f"{label} a limit of 10,000", status == 200 and [one["id"] for one in documents] == ids, (status, len(documents)))
    check_other_queries(tally, label, search, api, rows)
    check_aggregations(tally, label, search, api, rows, is_error)

    application = search.api(application_configuration)
    status, _, _ = search.call(application, "search_count", search.body())
    tally.check(f"{label} an application may search", status == 204, status)
    stranger = search.api(stranger_configuration)
    for operation, arguments in (("search_post", [search.body()]), ("search_count", [search.body()]), ("search_get", ["roles", "none"])):
        status, body, _ = search.call(stranger, operation, *arguments)
        tally.check(f"{label} {operation} with a bad token", status == 401 and body.get("error", "").startswith("JWT validation failed"), (status, body))
