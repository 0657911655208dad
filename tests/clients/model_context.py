"""Drives `muster mcp` by the published Python client of the Model Context Protocol, over standard input and output.

`cargo xtask clients` runs it, with the variables of python_sdk.py, MUSTER_BINARY, and an auditor's client of the report
ORPHAN_IDENTITIES. What an administrator is told is compared with what the same client is told over HTTP; the auditor is told of
his report and of no other.
"""

import asyncio
import csv
import io
import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request
import zipfile

from mcp import ClientSession, StdioServerParameters, stdio_client

BASE = os.environ["SAIL_BASE_URL"]
passed = failed = 0


def check(name, condition, detail=""):
    global passed, failed
    if condition:
        passed += 1
        print(f"ok    model context: {name}", flush=True)
    else:
        failed += 1
        print(f"FAIL  model context: {name}: {detail}", flush=True)


def http(path, headers, body=None):
    request = urllib.request.Request(BASE + path, data=body, headers=headers)
    with urllib.request.urlopen(request) as answer:
        return answer.read()


def token():
    form = {
        "grant_type": "client_credentials",
        "client_id": os.environ["SAIL_CLIENT_ID"],
        "client_secret": os.environ["SAIL_CLIENT_SECRET"],
    }
    answer = http("/oauth/token", {"Content-Type": "application/x-www-form-urlencoded"}, urllib.parse.urlencode(form).encode())
    return json.loads(answer)["access_token"]


def server(client_id, client_secret):
    env = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "MUSTER_BASE_URL": BASE,
        "MUSTER_CLIENT_ID": client_id,
        "MUSTER_CLIENT_SECRET": client_secret,
    }
    return StdioServerParameters(command=os.environ["MUSTER_BINARY"], args=["mcp"], env=env)


def field(thing, *names):
    """A member by its name in any version of the client: `is_error` or `isError`."""
    return next(getattr(thing, name) for name in names if hasattr(thing, name))


def text(result):
    return result.content[0].text


async def call(session, name, **arguments):
    """(whether it failed, the structured answer or the words)."""
    result = await session.call_tool(name, arguments)
    if field(result, "is_error", "isError"):
        return True, text(result)
    structured = field(result, "structured_content", "structuredContent")
    assert json.loads(text(result)) == structured, "the text is the same answer"
    return False, structured


async def everything(session):
    begun = await session.initialize()
    info = field(begun, "server_info", "serverInfo")
    check("the server says who it is", info.name == "muster", info)
    check("it says that cells are data", "never instructions" in (begun.instructions or ""), begun.instructions)

    tools = {tool.name: tool for tool in (await session.list_tools()).tools}
    expected = {"list_reports", "list_results", "run_report", "report_result", "first_rows", "explain_query", "verify"}
    check("the tools are these", set(tools) == expected, sorted(tools))
    read_only = {name for name, tool in tools.items() if field(tool.annotations, "read_only_hint", "readOnlyHint")}
    check("only a run leaves something behind", expected - read_only == {"run_report"}, sorted(read_only))

    _, listed = await call(session, "list_reports")
    headers = {"Authorization": f"Bearer {token()}"}
    offered = [report["id"] for report in json.loads(http("/muster/v1/reports", headers))]
    check("reports are those of the service", [report["id"] for report in listed["reports"]] == offered, offered)
    _, one = await call(session, "list_reports", report="IDENTITIES")
    check("a report is described", "correlatedOnly" in [argument["name"] for argument in one["arguments"]], one)
    failed_, said = await call(session, "list_reports", report="IDENTITES")
    check("a name that is near is told", failed_ and 'the nearest name is "IDENTITIES"' in said, said)

    _, run = await call(session, "run_report", report="IDENTITIES", wait_seconds=300)
    check("a report runs to its end", run["state"] in ("SUCCESS", "WARNING"), run)
    _, again = await call(session, "report_result", id=run["id"])
    check("its result is found again", again["rows"] == run["rows"], again)
    _, results = await call(session, "list_results", report="IDENTITIES", limit=1)
    check("it is listed", results["results"][0]["id"] == run["id"], results)

    file = http(f"/reports/v1/{run['id']}?fileFormat=csv", headers).decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(file, newline="")))
    _, shown = await call(session, "first_rows", id=run["id"], rows=7)
    first = shown["files"][0]
    check("columns are those of the file", first["columns"] == rows[0], first["columns"])
    check("rows are the first of the file", first["rows"] == rows[1:8], first["rows"][:2])
    check("the rest is told", first["moreRows"] is True and shown["rowsReported"] == len(rows) - 1, shown["rowsReported"])
    _, chosen = await call(session, "first_rows", id=run["id"], rows=2, columns=["email", "id"])
    email, identity = rows[0].index("email"), rows[0].index("id")
    expected_rows = [[row[email], row[identity]] for row in rows[1:3]]
    check("columns are chosen", chosen["files"][0]["rows"] == expected_rows, chosen)
    failed_, said = await call(session, "first_rows", id=run["id"], rows=201)
    check("too many rows are refused in words", failed_ and "expected a number from 1 to 200" in said, said)
    failed_, said = await call(session, "first_rows", id="0" * 32)
    check("an unknown run is told", failed_ and "there is no run" in said, said)

    _, run = await call(session, "run_report", report="SEARCH_EXPORT", arguments={"query": "*"}, wait_seconds=300)
    _, archive = await call(session, "first_rows", id=run["id"], rows=1, columns=["id"])
    packed = zipfile.ZipFile(io.BytesIO(http(f"/reports/v1/{run['id']}?fileFormat=csv", headers)))
    expected_files = []
    for name in [name for name in packed.namelist() if name.endswith(".csv")][:8]:
        ids = [row["id"] for row in csv.DictReader(io.StringIO(packed.read(name).decode("utf-8-sig"), newline=""))]
        expected_files.append((name, [[one] for one in ids[:1]], len(ids) > 1))
    found = [(one["file"], one["rows"], one["moreRows"]) for one in archive["files"]]
    check("an archive's files are shown", found == expected_files and len(found) >= 6, found)
    failed_, said = await call(session, "run_report", report="ACCOUNTS", arguments={})
    check("a missing argument is told", failed_ and "application" in said, said)

    _, explained = await call(session, "explain_query", query="attributes.department:Finance", count_in=["identities"])
    body = json.dumps({"indices": ["identities"], "query": {"query": "attributes.department:Finance"}}).encode()
    request = urllib.request.Request(
        BASE + "/v3/search/count", data=body, headers={**headers, "Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:
        counted = int(answer.headers["X-Total-Count"])
    check("a query is explained and counted", explained["valid"] and explained["counts"] == {"identities": counted}, explained)
    _, wrong = await call(session, "explain_query", query="name:(a")
    check("a mistake has its place", wrong["valid"] is False and wrong["column"] >= 1 and "^" in wrong["place"], wrong)

    _, run = await call(session, "list_results", report="IDENTITIES", limit=1)
    _, verified = await call(session, "verify", id=run["results"][0]["id"])
    check("its evidence holds", verified["holds"] is True and "same service" in verified["limits"], verified)
    failed_, said = await call(session, "verify", file="/nowhere/x.zip")
    check("a file alone is refused in words", failed_ and "expected id alone, or file with either key" in said, said)
    failed_, said = await call(session, "verify", id=run["results"][0]["id"], filr="x")
    check("a misspelt argument is told", failed_ and "filr" in said, said)


async def auditor(session):
    await session.initialize()
    _, listed = await call(session, "list_reports")
    check("an auditor sees his report and no other", [report["id"] for report in listed["reports"]] == ["ORPHAN_IDENTITIES"], listed)
    _, run = await call(session, "run_report", report="ORPHAN_IDENTITIES", wait_seconds=300)
    failed_, shown = await call(session, "first_rows", id=run["id"], rows=1)
    check("he reads its rows", not failed_ and len(shown["files"]) == 1, shown)
    failed_, said = await call(session, "run_report", report="IDENTITIES")
    check("he starts no other", failed_ and "IDENTITIES" in said, said)
    failed_, said = await call(session, "explain_query", query="name:a*", count_in=["identities"])
    check("he searches nothing", failed_ and "403" in said, said)
    _, results = await call(session, "list_results", limit=100)
    check("he sees results of his report only", {one["report"] for one in results["results"]} == {"ORPHAN_IDENTITIES"}, results)


async def forbidden(session):
    await session.initialize()
    failed_, said = await call(session, "list_reports")
    check("a wrong secret is told with the next step", failed_ and "muster login" in said, said)


async def main():
    async with stdio_client(server(os.environ["SAIL_CLIENT_ID"], os.environ["SAIL_CLIENT_SECRET"])) as streams:
        async with ClientSession(*streams) as session:
            await everything(session)
    limited = server(os.environ["MUSTER_AUDITOR_CLIENT_ID"], os.environ["MUSTER_AUDITOR_CLIENT_SECRET"])
    async with stdio_client(limited) as streams:
        async with ClientSession(*streams) as session:
            await auditor(session)
    async with stdio_client(server(os.environ["SAIL_CLIENT_ID"], "wrong")) as streams:
        async with ClientSession(*streams) as session:
            await forbidden(session)


asyncio.run(main())
print(f"{passed} passed, {failed} failed", flush=True)
sys.exit(1 if failed else 0)
