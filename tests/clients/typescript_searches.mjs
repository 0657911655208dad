/** Aggregations, saved and scheduled searches of the published TypeScript SDK; typescript_sdk.mjs runs this. */

/** The checks, which count and call as `check`, `Calls` and `isError` of typescript_sdk.mjs do. */
export function searchChecks({ check, Calls, isError }) {
  /** Aggregations in both languages, compared with each other. */
  async function checkAggregations(label, api, key) {
    const calls = new Calls(label, api, key);
    // Whoever has no displayName is in no bucket.
    const body = (more) => ({ indices: ["identities"], query: { query: "displayName:*" }, ...more });
    const bucket = { name: "Names", type: "TERMS", field: "displayName", size: 10_000 };
    const sailpoint = await calls.call("searchAggregate", { [key]: body({ aggregationType: "SAILPOINT", aggregations: { bucket } }), limit: 2, count: true });
    const buckets = sailpoint.data.aggregations?.Names?.buckets ?? [];
    const counted = buckets.reduce((sum, one) => sum + one.doc_count, 0);
    check(
      `${label} buckets`,
      sailpoint.status === 200 && sailpoint.data.hits.length === 2 && counted > 500 && sailpoint.headers["x-total-count"] === String(counted),
      sailpoint.status,
      sailpoint.data,
    );
    const aggregationsDsl = { Names: { terms: { field: "displayName.exact", size: 10_000 } } };
    const dsl = await calls.call("searchAggregate", { [key]: body({ aggregationType: "DSL", aggregationsDsl }), limit: 0 });
    check(`${label} buckets in DSL`, JSON.stringify(dsl.data.aggregations) === JSON.stringify(sailpoint.data.aggregations), dsl.status, dsl.data);
    const wide = await calls.call("searchPost", { [key]: body({ sort: ["id"] }), limit: 10_000 });
    check(`${label} a limit of 10,000`, wide.status === 200 && wide.data.length === counted, wide.status, wide.data.length);
  }

  /** Saved and scheduled searches. `suffix` is what the SDK puts after the names of bodies. */
  async function checkSavedSearches(label, savedApi, scheduledApi, suffix, searchApi, searchKey) {
    const saved = new Calls(label, savedApi);
    const scheduled = new Calls(label, scheduledApi);
    const search = new Calls(label, searchApi);
    const found = await search.call("searchPost", { [searchKey]: { indices: ["identities"], query: { query: "email:*" }, sort: ["id"] }, limit: 1 });
    const recipients = found.data.map((one) => ({ type: "IDENTITY", id: one.id }));
    const content = { name: "A", indices: ["identities"], query: "name:a*", columns: { identity: [{ field: "displayName", header: "Name" }] } };
    const made = await saved.call("createSavedSearch", { [`createSavedSearchRequest${suffix}`]: content });
    const { id, owner } = made.data;
    check(`${label} create`, made.status === 201 && made.data.columns.identity[0].header === "Name" && made.data.public === false, made.status, made.data);
    const put = await saved.call("putSavedSearch", { id, [`savedSearch${suffix}`]: { ...made.data, name: "B" } });
    const read = await saved.call("getSavedSearch", { id });
    check(`${label} put and get`, put.status === 200 && read.data.name === "B" && JSON.stringify(read.data) === JSON.stringify(put.data), put.status, put.data, read.data);
    const listed = await saved.call("listSavedSearches", { filters: `owner.id eq "${owner.id}"`, count: true });
    check(`${label} list`, listed.status === 200 && listed.data.some((one) => one.id === id) && listed.headers["x-total-count"] === String(listed.data.length), listed.status, listed.data);

    const schedule = { type: "WEEKLY", days: { type: "LIST", values: ["MON"] }, hours: { type: "LIST", values: ["9"] } };
    const appointed = await scheduled.call("createScheduledSearch", { [`createScheduledSearchRequest${suffix}`]: { savedSearchId: id, schedule, recipients } });
    const scheduleId = appointed.data.id;
    check(`${label} schedule`, appointed.status === 201 && appointed.data.enabled === false && appointed.data.schedule.type === "WEEKLY", appointed.status, appointed.data);
    const updated = await scheduled.call("updateScheduledSearch", { id: scheduleId, [`scheduledSearch${suffix}`]: { ...appointed.data, enabled: true } });
    const agenda = await scheduled.call("listScheduledSearch", { filters: `savedSearchId eq "${id}"` });
    check(`${label} schedule update and list`, updated.status === 200 && updated.data.enabled && JSON.stringify(agenda.data) === JSON.stringify([updated.data]), updated.status, agenda.data);
    const executed = await saved.call("executeSavedSearch", { id, [`searchArguments${suffix}`]: { owner, recipients } });
    check(`${label} execute`, executed.status === 202, executed.status, executed.data);
    const left = await scheduled.call("unsubscribeScheduledSearch", { id: scheduleId, [`typedReference${suffix}`]: recipients[0] });
    const removed = await scheduled.call("deleteScheduledSearch", { id: scheduleId });
    const gone = await scheduled.call("getScheduledSearch", { id: scheduleId });
    check(`${label} unsubscribe and delete the schedule`, left.status === 204 && removed.status === 204 && gone.status === 404, left.status, removed.status, gone.status);
    const deleted = await saved.call("deleteSavedSearch", { id });
    const absent = await saved.call("getSavedSearch", { id });
    check(`${label} delete`, deleted.status === 204 && absent.status === 404 && isError(absent.data, "404", id), deleted.status, absent.data);
  }

  return { checkAggregations, checkSavedSearches };
}
