/**
 * Drives the published TypeScript SDK, unmodified, against a running server.
 *
 * `cargo xtask clients` installs the pinned version, starts a server and runs this. By hand, with the same
 * environment as python_sdk.py says:
 *
 *     npm install sailpoint-api-client@1.4.15
 *     node tests/clients/typescript_sdk.mjs node_modules
 *
 * The argument is the folder that holds the package. The script is plain JavaScript on the compiled package,
 * so that it needs Node and no compiler. Prints one line for each check, then `N passed, N failed`, and exits
 * with 1 when one failed. It starts and cancels reports and fills the rate limit of its two clients: point it
 * at a demo, not at a service that people use.
 *
 * The SDK speaks /v3 and /v2024; each is driven. It has the list of tasks and the history of identities in /v2024 only.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { searchChecks } from "./typescript_searches.mjs";

const modules = resolve(process.argv[2] ?? "node_modules");
const require = createRequire(`${modules}/`);
const sdk = require("sailpoint-api-client");
const sdkVersion = require("sailpoint-api-client/package.json").version;

const documentedColumns = JSON.parse(readFileSync(new URL("./columns.json", import.meta.url), "utf8"));
const environment = process.env;
const sourceId = environment.MUSTER_SOURCE_ID ?? "2c9180897e7742b2017e781782f705b9";
const sourceName = environment.MUSTER_SOURCE_NAME ?? "Active Directory";
const authoritativeSourceId = environment.MUSTER_AUTHORITATIVE_SOURCE_ID;
const unknownId = "0123456789abcdef0123456789abcdef";
// A report of the demo organisation ends in well under a second; this is for a machine that is busy.
const deadlineMilliseconds = 120_000;
// A cancel races the report it cancels: this many starts before "it always ended first" is a failure.
const cancelAttempts = 20;

const argumentsOf = {
  ACCOUNTS: { application: sourceId, sourceName },
  IDENTITIES: { correlatedOnly: false },
  IDENTITIES_DETAILS: { correlatedOnly: false },
  IDENTITY_PROFILE_IDENTITY_ERROR: { authoritativeSource: authoritativeSourceId },
  ORPHAN_IDENTITIES: { selectedFormats: ["CSV"] },
  UNCORRELATED_ACCOUNTS: { selectedFormats: ["CSV"] },
};

let passed = 0;
let failed = 0;

/** Characters of a failure that are printed: a page of documents would hide the failures around it. */
const SHOWN_MAX = 2_000;

function check(name, condition, ...detail) {
  if (condition) {
    passed += 1;
    console.log(`ok    ${name}`);
  } else {
    failed += 1;
    console.log(`FAIL  ${name}: ${detail.map((part) => JSON.stringify(part)).join(" ").slice(0, SHOWN_MAX)}`);
  }
}

/** A check that throws is one failure and does not end the run. */
async function group(name, body) {
  try {
    await body();
  } catch (error) {
    check(name, false, String(error.stack ?? error));
  }
}

/** What `request` gives; while the answer is a 429, waits as its Retry-After says and begins again. */
async function waitingOut(request) {
  for (;;) {
    try {
      return await request();
    } catch (error) {
      if (error.response?.status !== 429) throw error;
      await sleep(Number(error.response.headers["retry-after"]) * 1000);
    }
  }
}

/** The operations of one API class; waits out a 429 as its Retry-After says. */
class Calls {
  constructor(name, api, bodyKey) {
    this.name = name;
    this.api = api;
    this.bodyKey = bodyKey;
  }

  /** `{status, data, headers}` of an answer or of an error's answer, without waiting. */
  async raw(operation, parameters, options) {
    try {
      return await this.api[operation](parameters, options);
    } catch (error) {
      if (error.response === undefined) throw error;
      return error.response;
    }
  }

  async call(operation, parameters, options) {
    for (;;) {
      const answer = await this.raw(operation, parameters, options);
      if (answer.status !== 429) return answer;
      await sleep(Number(answer.headers["retry-after"]) * 1000);
    }
  }

  start(reportType, reportArguments) {
    const details = reportArguments === undefined ? { reportType } : { reportType, arguments: reportArguments };
    return this.call("startReport", { [this.bodyKey]: details });
  }

  result(taskResultId, completed) {
    return this.call("getReportResult", { taskResultId, completed });
  }

  download(taskResultId, fileFormat = "csv", more = {}) {
    return this.call("getReport", { taskResultId, fileFormat, ...more });
  }

  cancel(id) {
    return this.call("cancelReport", { id });
  }

  /** Gives the server its largest reports to do, so that what is started next waits a moment. */
  async occupyWorkers() {
    for (const correlatedOnly of [false, true]) await this.start("IDENTITIES_DETAILS", { correlatedOnly });
  }

  /** The result once it has a status. */
  async ended(taskResultId) {
    const deadline = Date.now() + deadlineMilliseconds;
    for (let pause = 20; Date.now() < deadline; pause = Math.min(pause * 2, 1000)) {
      const { data } = await this.result(taskResultId);
      if (data.status) return data;
      await sleep(pause);
    }
    throw new Error(`${taskResultId} has not ended in ${deadlineMilliseconds} ms`);
  }
}

/** Records of an RFC 4180 text. Throws where a line does not end in CR LF or a quote is out of place. */
function parseCsv(text) {
  const records = [];
  let record = [];
  let at = 0;
  while (at < text.length) {
    let cell = "";
    if (text[at] === '"') {
      for (at += 1; ; at += 1) {
        if (at >= text.length) throw new Error("a quoted cell has no end");
        if (text[at] !== '"') cell += text[at];
        else if (text[at + 1] === '"') (cell += '"'), (at += 1);
        else break;
      }
      at += 1;
    } else {
      const end = text.slice(at).search(/[,"\r\n]/);
      if (end < 0) throw new Error("the last line does not end in CR LF");
      cell = text.slice(at, at + end);
      at += end;
    }
    record.push(cell);
    if (text[at] === ",") at += 1;
    else if (text.startsWith("\r\n", at)) (at += 2), records.push(record), (record = []);
    else throw new Error(`unexpected ${JSON.stringify(text[at])} after a cell at ${at}`);
  }
  if (records.some((one) => one.length !== records[0].length)) throw new Error("a row is longer or shorter than the header");
  return records;
}

/** Whether this is the published error body and its texts, messages and causes, have all the words. */
function isError(data, code, ...words) {
  const texts = [...(data?.messages ?? []), ...(data?.causes ?? [])].map((part) => part.text);
  return (
    String(data?.detailCode).startsWith(code) &&
    /^[0-9a-f]{32}$/.test(data.trackingId) &&
    data.messages.length > 0 &&
    words.every((word) => texts.some((text) => text.includes(word)))
  );
}

async function checkKind(label, user, application, kind) {
  const started = await user.start(kind, argumentsOf[kind]);
  const task = started.data;
  check(
    `${label} start`,
    started.status === 200 &&
      task.type === "QUARTZ" &&
      /^[0-9a-f]{32}$/.test(task.id) &&
      task.reportType === kind &&
      "completed" in task &&
      !("completionStatus" in task) &&
      Boolean(task.launcher) &&
      Boolean(task.attributes.org),
    task,
  );
  const result = await user.ended(task.id);
  check(
    `${label} result`,
    ["SUCCESS", "WARNING"].includes(result.status) &&
      result.id === task.id &&
      result.reportType === kind &&
      Number.isInteger(result.rows) &&
      Number.isInteger(result.duration) &&
      result.availableFormats.includes("CSV"),
    result,
  );
  const byDefinition = await user.result(task.attributes.taskDefinitionId, true);
  check(`${label} result by definition id`, byDefinition.data.id === task.id, byDefinition.data);

  const file = await user.download(task.id);
  const [header, ...rows] = parseCsv(file.data);
  const { columns, attributesFollow } = documentedColumns[kind];
  check(
    `${label} csv header`,
    columns.every((column, index) => header[index] === column) && (attributesFollow || header.length === columns.length),
    header,
  );
  check(`${label} csv rows`, file.status === 200 && rows.length === result.rows, rows.length, result.rows);
  check(
    `${label} csv name and type`,
    file.headers["content-type"] === "application/csv" &&
      file.headers["content-disposition"].startsWith(`attachment;filename="${result.taskDefName}.csv"`),
    file.headers,
  );

  const pdf = await user.download(task.id, "pdf");
  const hasPdf = result.availableFormats.includes("PDF");
  check(
    `${label} pdf`,
    hasPdf ? pdf.status === 200 && String(pdf.data).startsWith("%PDF-1.7") : pdf.status === 404 && isError(pdf.data, "404", "PDF"),
    pdf.status,
  );
  const late = await user.cancel(task.id);
  check(`${label} cancel after its end is a 400`, late.status === 400 && isError(late.data, "400"), late.status, late.data);

  let cancelled;
  let again;
  for (let attempt = 0; attempt < cancelAttempts; attempt += 1) {
    if (attempt >= 3) await user.occupyWorkers();
    again = (await user.start(kind, argumentsOf[kind])).data;
    cancelled = await user.cancel(again.id);
    if (cancelled.status !== 400) break;
  }
  check(`${label} cancel`, cancelled.status === 204 && cancelled.data === "", cancelled.status, cancelled.data);
  const end = await user.ended(again.id);
  check(`${label} cancel ends it`, end.status === "TERMINATED" && !end.availableFormats?.length, end);
  check(`${label} cancel again`, (await user.cancel(again.id)).status === 204);
  const gone = await user.download(again.id);
  check(`${label} cancelled has no file`, gone.status === 404 && isError(gone.data, "404", "cancelled"), gone.status, gone.data);
  const refused = await application.cancel(again.id);
  check(`${label} cancel by an application is a 403`, refused.status === 403 && isError(refused.data, "403"), refused.status, refused.data);
}

/** A search; the SDK reads the zip as text, which keeps its beginning. */
async function checkSearch(label, user) {
  const started = await user.start("SEARCH_EXPORT", { query: "name:*", indices: ["identities"], columns: "name,accounts.spread", sort: ["name"] });
  const parameters = started.data.attributes.queryParams;
  check(`${label} start`, started.status === 200 && started.data.reportType === "SEARCH_EXPORT" && parameters.query === "name:*", started.data);
  const result = await user.ended(started.data.id);
  check(`${label} result`, ["SUCCESS", "WARNING"].includes(result.status) && result.rows > 0, result);
  const file = await user.download(started.data.id);
  check(
    `${label} zip`,
    file.status === 200 && file.headers["content-type"] === "application/zip" && String(file.data).startsWith("PK\u0003\u0004"),
    file.status,
    file.headers,
  );
}

/** The search operations, compared with an export of the same query. `key` is what the SDK calls the body. */
async function checkSearchOperations(label, user, api, key, stranger) {
  const query = "name:* AND NOT name:a*";
  const body = (more = {}) => ({ indices: ["identities"], query: { query }, ...more });
  const calls = new Calls(label, api, key);
  const started = await user.start("SEARCH_EXPORT", { query, indices: ["identities"], columns: "id" });
  const { rows } = await user.ended(started.data.id);

  const count = await calls.call("searchCount", { [key]: body() });
  check(`${label} count`, count.status === 204 && count.headers["x-total-count"] === String(rows) && rows > 500, count.status, count.headers);
  const page = await calls.call("searchPost", { [key]: body({ sort: ["-displayName", "id"] }), limit: 10, count: true });
  const shown = page.data.map((one) => one.displayName);
  check(
    `${label} a page`,
    page.status === 200 && shown.length === 10 && page.headers["x-total-count"] === String(rows) && shown.every((name, at) => at === 0 || shown[at - 1] >= name),
    page.status,
    shown,
  );
  const last = page.data[9];
  const next = await calls.call("searchPost", { [key]: body({ sort: ["-displayName", "id"], searchAfter: [last.displayName, last.id] }), limit: 10 });
  const twenty = await calls.call("searchPost", { [key]: body({ sort: ["-displayName", "id"] }), limit: 20 });
  const ids = (found) => found.map((one) => one.id).join();
  check(`${label} searchAfter`, ids([...page.data, ...next.data]) === ids(twenty.data), next.status, next.data);
  const counted = await calls.call("searchPost", { [key]: body({ sort: ["accountCount", "id"] }), limit: 10 });
  const after = [counted.data[9].accountCount, counted.data[9].id];
  const continued = await calls.call("searchPost", { [key]: body({ sort: ["accountCount", "id"], searchAfter: after }), limit: 10 });
  check(`${label} searchAfter with a number`, typeof after[0] === "number" && continued.status === 200, after, continued.data);

  const document = await calls.call("searchGet", { index: "identities", id: last.id });
  check(`${label} the document of an id`, document.status === 200 && document.data.displayName === last.displayName && Array.isArray(document.data.accounts), document.data);
  const dsl = await calls.call("searchPost", { [key]: body({ queryType: "DSL" }) });
  check(`${label} DSL is refused`, dsl.status === 400 && isError(dsl.data, "400.1", "queryType"), dsl.status, dsl.data);
  const refused = await new Calls(label, stranger, key).call("searchCount", { [key]: body() });
  check(`${label} count with a bad token`, refused.status === 401, refused.status, refused.data);

  if (key !== "search") return; // The paginator knows the first version only.
  for (const sort of ["id", "-id"]) {
    const quiet = console.log;
    console.log = () => {};
    let found;
    try {
      found = await waitingOut(() => sdk.Paginator.paginateSearchApi(api, body({ sort: [sort] }), 250, 0));
    } finally {
      console.log = quiet;
    }
    const all = found.data.map((one) => one.id);
    const inOrder = all.every((id, at) => at === 0 || (sort === "id" ? all[at - 1] < id : all[at - 1] > id));
    check(`${label} paginator by ${sort}`, all.length === rows && inOrder, all.length, rows);
  }
}

const { checkAggregations, checkSavedSearches } = searchChecks({ check, Calls, isError });

async function checkErrors(label, user, application, stranger) {
  for (const [kind, argument] of [
    ["ACCOUNTS", "application"],
    ["IDENTITY_PROFILE_IDENTITY_ERROR", "authoritativeSource"],
  ]) {
    const answer = await user.start(kind);
    check(`${label} ${kind} without ${argument}`, answer.status === 400 && isError(answer.data, "400.1", argument), answer.status, answer.data);
  }
  const kind = await user.start("NO_SUCH_REPORT", {});
  check(`${label} unknown kind`, kind.status === 400 && isError(kind.data, "400.1", "reportType"), kind.status, kind.data);
  const search = await user.start("SEARCH_EXPORT", { query: "name:a AND" });
  check(`${label} SEARCH_EXPORT says where a query is wrong`, search.status === 400 && isError(search.data, "400.1", "query", "column 11"), search.status, search.data);

  const result = await user.result(unknownId);
  check(`${label} result of an unknown id is empty`, result.status === 200 && JSON.stringify(result.data) === "{}", result.status, result.data);
  const file = await user.download(unknownId);
  check(`${label} file of an unknown id is a 404`, file.status === 404 && isError(file.data, "404", unknownId), file.status, file.data);
  const cancel = await user.cancel(unknownId);
  check(`${label} cancel of an unknown id is a 404`, cancel.status === 404 && isError(cancel.data, "404"), cancel.status, cancel.data);
  const format = await user.download(unknownId, "docx");
  check(`${label} unknown format is a 400`, format.status === 400 && isError(format.data, "400", "fileFormat"), format.status, format.data);

  const byApplication = await application.start("IDENTITIES", argumentsOf.IDENTITIES);
  check(`${label} an application may start`, byApplication.status === 200, byApplication.status, byApplication.data);
  const read = await application.ended(byApplication.data.id);
  check(`${label} an application may read`, ["SUCCESS", "WARNING"].includes(read.status), read);
  const named = await user.download(byApplication.data.id, "CSV", { name: "Größe/Q3", auditable: true });
  const disposition = named.headers["content-disposition"];
  check(
    `${label} auditable download under a name`,
    named.status === 200 && /^attachment;filename="[^"/\\]+\.csv"; ?filename\*=UTF-8''Gr%C3%B6%C3%9Fe/.test(disposition),
    disposition,
  );

  const calls = [
    ["startReport", { [stranger.bodyKey]: { reportType: "IDENTITIES", arguments: argumentsOf.IDENTITIES } }],
    ["getReportResult", { taskResultId: unknownId }],
    ["getReport", { taskResultId: unknownId, fileFormat: "csv" }],
    ["cancelReport", { id: unknownId }],
  ];
  for (const [operation, parameters] of calls) {
    const answer = await stranger.call(operation, parameters);
    check(
      `${label} ${operation} with a bad token`,
      answer.status === 401 && String(answer.data.error).startsWith("JWT validation failed"),
      answer.status,
      answer.data,
    );
  }
}

/** The list of tasks, next to what the report operations say. */
async function checkTasks(label, tasks, reports, application) {
  const started = (await reports.start("IDENTITIES", argumentsOf.IDENTITIES)).data;
  const result = await reports.ended(started.id);
  const one = await tasks.call("getTaskStatus", { id: started.id });
  const task = one.data;
  check(
    `${label} of an ended report`,
    one.status === 200 &&
      task.type === "QUARTZ" &&
      task.uniqueName === result.taskDefName &&
      task.launcher === started.launcher &&
      task.completionStatus === result.status &&
      task.percentComplete === 100 &&
      task.progress === `${result.rows} of ${result.rows} rows written` &&
      task.attributes.taskDefinitionId === started.attributes.taskDefinitionId,
    task,
  );
  const filters = `id eq "${started.id}" and type eq "QUARTZ" and launcher in ("nobody", "${started.launcher}")`;
  const listed = await tasks.call("getTaskStatusList", { filters, sorters: "-created", limit: 250, offset: 0, count: true });
  check(
    `${label} list with filters`,
    listed.status === 200 && listed.headers["x-total-count"] === "1" && JSON.stringify(listed.data) === JSON.stringify([task]),
    listed.data,
  );

  let live;
  let patched;
  let pending;
  let head;
  let id;
  for (let attempt = 0; attempt < cancelAttempts; attempt += 1) {
    if (attempt >= 3) await reports.occupyWorkers();
    id = (await reports.start("IDENTITIES_DETAILS", argumentsOf.IDENTITIES_DETAILS)).data.id;
    live = (await tasks.call("getTaskStatus", { id })).data;
    pending = await tasks.call("getPendingTasks", { count: true });
    head = await tasks.call("getPendingTaskHeaders", { count: true });
    const operations = [{ op: "replace", path: "/completionStatus", value: "TERMINATED" }];
    patched = await tasks.call("updateTaskStatus", { id, jsonPatchOperationV2024: operations });
    if (patched.status === 200 && live.completionStatus === null) break;
  }
  check(
    `${label} of a report that has not ended`,
    live.completionStatus === null && live.completed === null && live.percentComplete >= 0 && live.percentComplete < 100,
    live,
  );
  check(
    `${label} pending tasks`,
    pending.status === 200 &&
      /^[0-9]+$/.test(pending.headers["x-total-count"]) &&
      pending.data.every((each) => each.completionStatus === null),
    pending.data,
  );
  check(`${label} pending tasks, headers only`, head.status === 200 && /^[0-9]+$/.test(head.headers["x-total-count"]) && head.data === "", head.status);
  check(`${label} patch ends it`, patched.status === 200 && patched.data.completionStatus === "TERMINATED", patched.status, patched.data);
  check(`${label} patch ends the report`, (await reports.ended(id)).status === "TERMINATED");

  const unknown = await tasks.call("getTaskStatus", { id: unknownId });
  check(`${label} unknown id is a 404`, unknown.status === 404 && isError(unknown.data, "404", unknownId), unknown.data);
  const wrong = await tasks.call("getTaskStatusList", { filters: 'created gt "2020-01-01T00:00:00Z"' });
  check(`${label} unknown filter is a 400`, wrong.status === 400 && isError(wrong.data, "400.1", "created"), wrong.data);
  const read = await application.call("getTaskStatusList", { limit: 1 });
  check(`${label} an application reads the list`, read.status === 200 && read.data.length === 1, read.data);
}

/** The history of identities, next to what a search says of one. */
async function checkHistory(label, history, search, application) {
  const listed = await history.call("listHistoricalIdentities", { limit: 10 });
  const chosen = listed.data.find((one) => one.active && one.deletedDate === null);
  const part = await history.call("listHistoricalIdentities", { limit: 5, offset: 5, isDeleted: undefined });
  check(
    `${label} list in parts`,
    listed.status === 200 && JSON.stringify(part.data) === JSON.stringify(listed.data.slice(5)) && part.data.length === 5,
    listed.data,
  );
  const { id } = chosen;
  const document = (await search.call("searchGet", { index: "identities", id })).data;
  const seen = await history.call("getHistoricalIdentity", { id });
  check(
    `${label} newest snapshot`,
    seen.status === 200 &&
      seen.data.displayName === document.displayName &&
      JSON.stringify(seen.data.attributes) === JSON.stringify(document.attributes) &&
      seen.data.accessItemCount.account === document.accountCount &&
      seen.data.accessItemCount.entitlement === document.entitlementCount,
    seen.data,
  );
  const accounts = await history.call("listIdentityAccessItems", { id, type: "account", count: true });
  const natives = (items, key) => items.map((item) => item[key]).sort().join("\n");
  check(
    `${label} accounts`,
    accounts.headers["x-total-count"] === String(document.accountCount) &&
      natives(accounts.data, "nativeIdentity") === natives(document.accounts, "accountId"),
    accounts.data,
  );
  const snapshots = await history.call("listIdentitySnapshots", { id, count: true });
  const times = snapshots.data.map((one) => one.snapshot);
  check(`${label} snapshots`, times[0] === seen.data.snapshot && snapshots.headers["x-total-count"] === String(times.length), times);
  const again = await history.call("getIdentitySnapshot", { id, date: times[0] });
  check(`${label} snapshot at its time`, JSON.stringify(again.data) === JSON.stringify(seen.data), again.data);
  const items = await history.call("listIdentitySnapshotAccessItems", { id, date: times[0], type: "entitlement" });
  check(`${label} access items at that time`, items.data.length === document.entitlementCount, items.data);
  const start = await history.call("getIdentityStartDate", { id });
  check(`${label} start date`, start.status === 200 && start.data <= times.at(-1), start.data);
  const events = await history.call("getHistoricalIdentityEvents", { id, eventTypes: ["AccessAddedEvent", "AccessRemovedEvent"], count: true });
  check(
    `${label} events`,
    events.status === 200 && events.data.every((event) => times.includes(event.dateTime) && event.accessItem.id),
    events.data,
  );
  const summary = await history.call("getIdentitySnapshotSummary", { id, interval: "day", timeZone: "Europe/Berlin" });
  check(`${label} summary`, summary.status === 200 && summary.data.every((bar) => bar.value > 0), summary.data);
  const compared = await history.call("compareIdentitySnapshots", { id, snapshot1: times[0], snapshot2: times[0], accessItemTypes: ["role", "app"] });
  const nothing = { accessAdded: 0, accessRemoved: 0 };
  check(`${label} compare`, JSON.stringify(compared.data) === JSON.stringify([{ accessItemDiff: { app: nothing, role: nothing } }]), compared.data);
  // The SDK does not put the type into the path, so the service cannot know it.
  const ofType = await history.call("compareIdentitySnapshotsAccessType", { id, accessType: "role" });
  check(`${label} compare of one type is a 400`, ofType.status === 400 && isError(ofType.data, "400.1", "access-type"), ofType.data);
  const unknown = await history.call("getHistoricalIdentity", { id: unknownId });
  check(`${label} unknown id is a 404`, unknown.status === 404 && isError(unknown.data, "404", unknownId), unknown.data);
  const read = await application.call("listHistoricalIdentities", { limit: 1 });
  check(`${label} an application reads the list`, read.status === 200 && read.data.length === 1, read.data);
}

/** Calls until the limit answers; bounded in count. */
async function checkRateLimit(label, application) {
  let answer;
  for (let count = 0; count < 1000; count += 1) {
    answer = await application.raw("cancelReport", { id: unknownId });
    if (answer.status === 429) break;
  }
  const wait = String(answer.headers["retry-after"]);
  check(`${label} rate limit answers`, answer.status === 429, answer.status);
  check(`${label} rate limit text`, JSON.stringify(answer.data) === '{"message":" Rate Limit Exceeded "}', answer.data);
  check(`${label} rate limit Retry-After`, /^[0-9]{1,2}$/.test(wait) && Number(wait) >= 1, wait);
  await sleep(Number(wait) * 1000);
  answer = await application.raw("getReportResult", { taskResultId: unknownId });
  check(`${label} rate limit is over after Retry-After`, answer.status === 200, answer.status);
}

function configuration(clientId, clientSecret, accessToken) {
  const baseurl = environment.SAIL_BASE_URL;
  return new sdk.Configuration({ baseurl, clientId, clientSecret, accessToken, tokenUrl: `${baseurl}/oauth/token` });
}

// No parameters: the SDK reads SAIL_BASE_URL, SAIL_CLIENT_ID and SAIL_CLIENT_SECRET itself.
const userConfiguration = new sdk.Configuration();
const applicationConfiguration = configuration(
  environment.MUSTER_APPLICATION_CLIENT_ID,
  environment.MUSTER_APPLICATION_CLIENT_SECRET,
);
check("token of a user", Boolean(await userConfiguration.accessToken));
check("token of an application", Boolean(await applicationConfiguration.accessToken));
const strangerConfiguration = configuration("none", "none", "not-a-token");

const faces = [
  ["v3", (configured) => new sdk.ReportsDataExtractionApi(configured), "reportDetails", sdk.SearchApi, "search"],
  ["v2024", (configured) => new sdk.ReportsDataExtractionV2024Api(configured), "reportDetailsV2024", sdk.SearchV2024Api, "searchV2024"],
];
for (const [version, make, bodyKey, SearchApi, searchKey] of faces) {
  const label = `typescript ${sdkVersion} ${version}`;
  const user = new Calls(label, make(userConfiguration), bodyKey);
  const application = new Calls(label, make(applicationConfiguration), bodyKey);
  const stranger = new Calls(label, make(strangerConfiguration), bodyKey);
  for (const kind of Object.keys(documentedColumns)) {
    await group(`${label} ${kind}`, () => checkKind(`${label} ${kind}`, user, application, kind));
  }
  await group(`${label} SEARCH_EXPORT`, () => checkSearch(`${label} SEARCH_EXPORT`, user));
  await group(`${label} search`, () =>
    checkSearchOperations(`${label} search`, user, new SearchApi(userConfiguration), searchKey, new SearchApi(strangerConfiguration)),
  );
  await group(`${label} aggregate`, () => checkAggregations(`${label} aggregate`, new SearchApi(userConfiguration), searchKey));
  const suffix = version === "v3" ? "" : "V2024";
  const [SavedSearchApi, ScheduledSearchApi] = ["SavedSearch", "ScheduledSearch"].map((name) => sdk[`${name}${suffix}Api`]);
  await group(`${label} saved searches`, () =>
    checkSavedSearches(
      `${label} saved searches`,
      new SavedSearchApi(userConfiguration),
      new ScheduledSearchApi(userConfiguration),
      suffix,
      new SearchApi(userConfiguration),
      searchKey,
    ),
  );
  await group(`${label} errors`, () => checkErrors(label, user, application, stranger));
  await group(`${label} rate limit`, () => checkRateLimit(label, application));
}

{
  const label = `typescript ${sdkVersion} v2024 task status`;
  const reports = new Calls(label, new sdk.ReportsDataExtractionV2024Api(userConfiguration), "reportDetailsV2024");
  // The SDK calls these operations experimental, and refuses them without this.
  for (const each of [userConfiguration, applicationConfiguration]) each.experimental = true;
  const tasks = new Calls(label, new sdk.TaskManagementV2024Api(userConfiguration));
  const application = new Calls(label, new sdk.TaskManagementV2024Api(applicationConfiguration));
  await group(label, () => checkTasks(label, tasks, reports, application));
}

{
  const label = `typescript ${sdkVersion} v2024 history`;
  const history = new Calls(label, new sdk.IdentityHistoryV2024Api(userConfiguration));
  const application = new Calls(label, new sdk.IdentityHistoryV2024Api(applicationConfiguration));
  const search = new Calls(label, new sdk.SearchV2024Api(userConfiguration));
  await group(label, () => checkHistory(label, history, search, application));
}

console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
