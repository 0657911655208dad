// What pages do with JavaScript: local times, live updates, and checking a query while it is typed.
// Every page works without it.
(() => {
  "use strict";

  const seconds = { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false };

  // Adds the browser's time after a time in UTC.
  function addLocalTimes(root) {
    for (const time of root.querySelectorAll("time[datetime]:not([data-local])")) {
      const at = new Date(time.dateTime);
      if (Number.isNaN(at.getTime()) || at.getTimezoneOffset() === 0) {
        continue;
      }
      const sameDay = at.getDate() === at.getUTCDate();
      const day = sameDay ? {} : { month: "2-digit", day: "2-digit" };
      const local = document.createElement("span");
      local.className = "local";
      local.textContent = ` ${at.toLocaleString(undefined, { ...day, ...seconds })} local`;
      time.dataset.local = "";
      time.append(local);
    }
  }

  // One stream of events for the page. It says that something has changed; htmx then fetches the part again.
  let stream = null;
  let paused = false;

  function region() {
    return document.querySelector("[data-live]");
  }

  function close() {
    stream?.close();
    stream = null;
  }

  function open() {
    const live = region();
    if (!live || stream || paused || document.hidden) {
      return;
    }
    stream = new EventSource(live.dataset.live);
    const update = () => region()?.dispatchEvent(new CustomEvent("live"));
    stream.addEventListener("change", update);
    stream.addEventListener("last", () => {
      close();
      update();
    });
  }

  function showPause() {
    for (const button of document.querySelectorAll("[data-pause]")) {
      button.hidden = !region();
      button.setAttribute("aria-pressed", String(paused));
      button.textContent = paused ? "Go on with live update" : "Pause live update";
    }
  }

  // Says a change of state to screen readers, once.
  let said = null;
  function say() {
    const status = document.querySelector("[data-status]")?.dataset.status;
    const place = document.querySelector("[data-said]");
    if (place && said !== null && status !== said) {
      place.textContent = status ?? "";
    }
    said = status ?? null;
  }

  document.addEventListener("click", (event) => {
    if (event.target.closest?.("[data-pause]")) {
      paused = !paused;
      if (paused) {
        close();
      } else {
        open();
      }
      showPause();
    }
  });
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  window.addEventListener("pagehide", close);

  // Checks a query some time after the last key.
  let waiting = 0;
  document.addEventListener("input", (event) => {
    const query = event.target;
    if (!query.matches?.("[data-query]")) {
      return;
    }
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      const form = query.form;
      window.htmx?.ajax("POST", form.getAttribute("action"), {
        source: query,
        target: "#preview",
        select: "#preview",
        swap: "outerHTML",
      });
    }, 600);
  });

  // An answer without the wanted part is a page of a problem. What is shown stays.
  document.addEventListener("htmx:after:request", (event) => {
    const { select, text, hx } = event.detail.ctx;
    if (!select || hx?.redirect || text?.includes(`id="${select.slice(1)}"`)) {
      return;
    }
    event.preventDefault();
    if (select === "#live") {
      setTimeout(() => region()?.dispatchEvent(new CustomEvent("live")), 5000);
    } else {
      const place = document.querySelector(select);
      const told = document.createElement("p");
      told.className = "notice bad";
      told.textContent = "The query cannot be checked now. Use the button to see why.";
      place?.replaceChildren(told);
    }
  });

  function refreshed() {
    addLocalTimes(document);
    showPause();
    say();
  }

  document.addEventListener("htmx:after:swap", (event) => {
    refreshed();
    // The sentence about what was found, not the table.
    const checked = document.querySelector("[data-checked]");
    if (checked && event.detail.ctx?.select === "#preview") {
      checked.textContent = document.querySelector("#preview p")?.textContent ?? "";
    }
  });
  refreshed();
  open();
})();
