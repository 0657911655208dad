// What pages do with JavaScript: local times, live updates, checking a query while it is typed, and digests of files.
// Every page works without it.
(() => {
  "use strict";

  const seconds = { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false };

  // Adds the browser's time after a time in UTC. A live update may give an element another time and leave what was added to
  // it, so the time that an addition is of is kept with it.
  function addLocalTimes(root) {
    for (const time of root.querySelectorAll("time[datetime]")) {
      const added = time.querySelector(".local");
      if (added !== null && time.dataset.local === time.dateTime) {
        continue;
      }
      time.replaceChildren(time.firstElementChild ?? time.textContent);
      const at = new Date(time.dateTime);
      if (Number.isNaN(at.getTime()) || at.getTimezoneOffset() === 0) {
        continue;
      }
      const sameDay = at.getDate() === at.getUTCDate();
      const day = sameDay ? {} : { month: "2-digit", day: "2-digit" };
      const local = document.createElement("span");
      local.className = "local";
      local.textContent = `${at.toLocaleString(undefined, { ...day, ...seconds })} local`;
      time.dataset.local = time.dateTime;
      // The space is outside of what does not break, so that a narrow page can put the local time on its own line.
      time.append(" ", local);
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

  // Suggests fields of the word that is typed in a query. A suggestion is a button: Tab leads to it, Enter takes it.
  const suggestionsMost = 8;
  const word = /[A-Za-z_][\w.@-]*$/;
  const fieldNames = [...new Set(Array.from(document.querySelectorAll("[data-fields] code"), (one) => one.textContent))];
  function suggest(query) {
    const place = document.querySelector("[data-suggested]");
    if (!place) {
      return;
    }
    const typed = word.exec(query.value.slice(0, query.selectionStart))?.[0].toLowerCase() ?? "";
    const after = query.value.slice(query.selectionStart);
    const begins = (name) => name.toLowerCase().startsWith(typed);
    const inside = (name) => !begins(name) && name.toLowerCase().includes(typed);
    const fits = typed.length < 2 || /^[\w:]/.test(after) ? [] : [...fieldNames.filter(begins), ...fieldNames.filter(inside)];
    const shown = fits.slice(0, suggestionsMost);
    const buttons = shown.map((name) => {
      const item = document.createElement("li");
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.suggestion = name;
      button.textContent = name;
      item.append(button);
      return item;
    });
    place.querySelector("ul").replaceChildren(...buttons);
    place.querySelector("[data-suggested-said]").textContent = shown.length ? `${fits.length} fields fit` : "";
    place.hidden = shown.length === 0;
  }
  document.addEventListener("input", (event) => event.target.matches?.("[data-query]") && suggest(event.target));
  document.addEventListener("click", (event) => {
    const name = event.target.closest?.("[data-suggestion]")?.dataset.suggestion;
    const query = document.querySelector("[data-query]");
    if (!name || !query) {
      return;
    }
    const end = query.selectionStart;
    const start = end - (word.exec(query.value.slice(0, end))?.[0].length ?? 0);
    query.setRangeText(name.endsWith("*") ? name.slice(0, -1) : `${name}:`, start, end, "end");
    query.focus();
    document.querySelector("[data-suggested]").hidden = true;
    query.dispatchEvent(new Event("input", { bubbles: true }));
  });

  // Computes the SHA-256 of a file that is verified. The file does not leave the browser.
  const fileBytesMost = 1024 * 1024 * 1024;
  let computing = 0;
  async function digest(form, file) {
    const told = form.querySelector("[data-told]");
    const field = form.querySelector("#sha256");
    const turn = (computing += 1);
    if (file.size > fileBytesMost) {
      told.textContent = `${file.name} is larger than 1 GiB: compute its digest with sha256sum, and paste it below.`;
      return;
    }
    told.textContent = `${file.name}: computing…`;
    form.querySelector("[data-package]").hidden = true;
    try {
      const findings = await packageFindings(file);
      if (turn !== computing) {
        return;
      }
      if (findings) {
        showFindings(form, file, findings);
        return;
      }
      const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()));
      if (turn !== computing) {
        return;
      }
      field.value = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
      told.textContent = `${file.name}: the digest is filled in.`;
    } catch (error) {
      told.textContent = `${file.name} cannot be read: ${error.message}.`;
    }
  }

  // What the check of an evidence package finds; nothing for another file.
  async function packageFindings(file) {
    const begin = new Uint8Array(await file.slice(0, 4).arrayBuffer());
    if (!globalThis.musterPackage || String.fromCharCode(...begin) !== "PK\u0003\u0004") {
      return null;
    }
    const answer = await fetch("/ui/evidence-key");
    if (!answer.ok) {
      throw new Error("the service's key cannot be fetched");
    }
    return globalThis.musterPackage.check(file, await answer.text());
  }

  const marks = new Map([[true, ["good", "✓", "holds"]], [false, ["bad", "✕", "fails"]], [null, ["warn", "!", "not checked"]]]);
  function showFindings(form, file, findings) {
    const lines = findings.map(({ holds, words }) => {
      const [kind, sign, word] = marks.get(holds);
      const [line, state, mark, said] = ["li", "span", "span", "span"].map((name) => document.createElement(name));
      state.className = `state ${kind}`;
      mark.ariaHidden = "true";
      mark.textContent = sign;
      state.append(mark, ` ${word}`);
      said.textContent = words;
      line.append(state, said);
      return line;
    });
    const place = form.querySelector("[data-package]");
    place.replaceChildren(...lines);
    place.hidden = false;
    const fails = findings.filter((finding) => finding.holds === false).length;
    form.querySelector("[data-told]").textContent = fails
      ? `${file.name} does not hold: ${fails} of ${findings.length} checks fail.`
      : `${file.name} holds as far as a browser checks it. muster verify checks the rest.`;
  }

  // Browsers compute digests only where the page came over TLS or from this machine.
  for (const form of document.querySelectorAll("[data-verify]")) {
    const part = form.querySelector("[data-file]");
    part.hidden = !globalThis.crypto?.subtle;
    const input = part.querySelector("input");
    input.addEventListener("change", () => input.files[0] && digest(form, input.files[0]));
    for (const kind of ["dragover", "drop"]) {
      form.addEventListener(kind, (event) => {
        if (event.dataTransfer?.types.includes("Files")) {
          event.preventDefault();
        }
      });
    }
    form.addEventListener("drop", (event) => {
      const file = event.dataTransfer?.files[0];
      if (file && !part.hidden) {
        digest(form, file);
      }
    });
  }

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
