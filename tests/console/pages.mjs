// The console in a browser: every page, with each credential, by keyboard, without JavaScript, in both themes, at three
// widths; no violation that axe knows, and none of the content security policy.
//
// Usage: node pages.mjs NODE_MODULES BASE_URL FOLDER [PART], with the credentials in the environment:
// USER_ID, USER_SECRET, APPLICATION_ID, APPLICATION_SECRET, LEVELS, a list of users of the other levels, and those of reviews.mjs.
// Prints a line for each check that fails, and totals. Screenshots are written to FOLDER.
import { createRequire } from "node:module";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { reviewing } from "./reviews.mjs";

const [modules, base, folder, only] = process.argv.slice(2);
const require = createRequire(join(modules, "index.js"));
const { chromium } = require("playwright-core");
const axe = require("axe-core").source;
const { USER_ID, USER_SECRET, APPLICATION_ID, APPLICATION_SECRET, LEVELS } = process.env;
const WIDTHS = [320, 768, 1440];
const THEMES = ["light", "dark"];
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
// A name that would be markup; it must be shown as it is.
const HOSTILE = `<img src=x onerror="document.title='broken'">`;

mkdirSync(folder, { recursive: true });
let [passed, failed] = [0, 0];

async function check(name, what) {
  try {
    await what();
    passed += 1;
  } catch (error) {
    failed += 1;
    console.log(`FAIL  ${name}: ${String(error.message ?? error).split("\n").slice(0, 12).join(" | ")}`);
  }
}

function expect(condition, text) {
  if (!condition) {
    throw new Error(text);
  }
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-dev-shm-usage"],
});

// A context that notes what the policy forbids, errors of scripts, and requests to other hosts.
async function context(options) {
  const made = await browser.newContext({ baseURL: base, timezoneId: "Europe/Berlin", locale: "en-GB", ...options });
  const wrong = [];
  made.on("console", (message) => {
    if (message.type() === "error" && !/status of (4|5)\d\d/.test(message.text())) {
      wrong.push(message.text());
    }
  });
  made.on("weberror", (error) => wrong.push(error.error().message));
  made.on("request", (request) => {
    if (!request.url().startsWith(base)) {
      wrong.push(`a request to ${request.url()}`);
    }
  });
  await made.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`);
    });
  });
  return { made, wrong };
}

async function signIn(page, id, secret) {
  await page.goto("/ui/sign-in");
  await page.getByLabel("Client id").fill(id);
  await page.getByLabel("Client secret").fill(secret);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL("**/ui/runs");
}

async function violations(page) {
  // The policy forbids scripts that a page did not name; the test's own runs outside of the page's world.
  await page.evaluate(axe);
  const found = await page.evaluate(
    (rules) => globalThis.axe.run(document, { runOnly: { type: "tag", values: rules } }),
    RULES,
  );
  return found.violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.html).slice(0, 2).join(" ")}`);
}

// The page is not wider than the window, what scrolls sideways can be reached and has a name, and targets are large enough.
async function layoutFaults(page) {
  return page.evaluate(() => {
    const faults = [];
    if (document.documentElement.scrollWidth > document.documentElement.clientWidth) {
      faults.push(`the page is ${document.documentElement.scrollWidth} px wide`);
    }
    for (const one of document.querySelectorAll("main *")) {
      const scrolls = one.scrollWidth > one.clientWidth + 1 && /auto|scroll/.test(getComputedStyle(one).overflowX);
      if (scrolls && !one.matches("textarea, input, select, [aria-hidden=true], [role=region][tabindex='0'][aria-label]")) {
        faults.push(`${one.outerHTML.slice(0, 80)} scrolls sideways and is no region with a name`);
      }
    }
    for (const target of document.querySelectorAll("a, button, input:not([type=hidden]), select, textarea, summary")) {
      const inText = target.matches("p a, dd a, td a") && !target.matches(".button, .path a, .actions a, .pages a, .brand a");
      const box = target.getBoundingClientRect();
      const label = target.closest("label")?.getBoundingClientRect();
      if (!inText && box.width > 1 && Math.max(box.height, label?.height ?? 0) < 23.5 && !target.matches(".skip")) {
        faults.push(`${target.outerHTML.slice(0, 80)} is ${box.height} px high`);
      }
    }
    return faults;
  });
}

function file(name) {
  return join(folder, `${name.replace(/[^a-z0-9]+/gi, "-")}.png`);
}

// Addresses of pages, found as a person finds them: from the lists.
async function addresses(page, level) {
  const first = async (list, pattern) => {
    await page.goto(list);
    const links = await page.locator("main a").evaluateAll((all) => all.map((one) => one.getAttribute("href")));
    return links.find((link) => pattern.test(link ?? ""));
  };
  const review = await first("/ui/reviews", /^\/ui\/reviews\/[0-9a-f]{32}$/);
  const found = {
    runs: "/ui/runs",
    "runs of a state": "/ui/runs?state=succeeded",
    "runs of days": "/ui/runs?since=2026-01-01",
    "runs of a report": "/ui/runs?kind=ORPHAN_IDENTITIES",
    run: await first("/ui/runs", /^\/ui\/runs\/[0-9a-f]{32}$/),
    "new run": "/ui/new",
    reports: "/ui/reports",
    report: "/ui/reports/IDENTITIES_DETAILS",
    verify: "/ui/verify",
    "new definition": "/ui/definitions",
    source: await first("/ui/sources", /^\/ui\/sources\/[^#]+$/),
    "verify another file": `/ui/verify?sha256=${"ab".repeat(32)}&run=${(await first("/ui/runs?state=succeeded", /^\/ui\/runs\/[0-9a-f]{32}$/))?.slice(9) ?? ""}`,
    "new accounts": "/ui/new/ACCOUNTS",
    "new search": "/ui/new/SEARCH_EXPORT?query=name%3Aa*&indices=identities",
    "new search with a mistake": "/ui/new/SEARCH_EXPORT?query=name%3A%28a",
    searches: "/ui/searches",
    "new saved search": "/ui/searches/new?query=attributes.department%3A*",
    schedules: "/ui/schedules",
    "kinds of schedules": "/ui/schedules/new",
    "new schedule": "/ui/schedules/new/ACCOUNTS",
    identities: "/ui/identities",
    "identities found": "/ui/identities?q=a*",
    identity: await first("/ui/identities", /^\/ui\/identities\/[^/?]+$/),
    reviews: "/ui/reviews", "new review": level === "user" && "/ui/reviews/new",
    review,
    "undecided items of a review": review && `${review}?undecided=true&after=3`,
    "items to decide": review && `${review}/decide`,
    "closing a review": review && `${review}/close`,
    sources: "/ui/sources",
    snapshots: "/ui/snapshots",
    snapshot: await first("/ui/snapshots", /^\/ui\/snapshots\/[0-9a-f]{32}$/),
    "why a link": level === "user" ? await (async () => {
      await page.goto(await first("/ui/identities", /^\/ui\/identities\/[^/?]+$/) ?? "/ui/identities");
      return page.locator("main a[href^='/ui/links?']").first().getAttribute("href");
    })() : "/ui/links",
    clients: "/ui/administration/clients",
    "audit trail": "/ui/administration/audit",
    administration: "/ui/administration",
    "no page": "/ui/nothing",
  };
  return Object.fromEntries(Object.entries(found).filter(([, address]) => address));
}

async function everyPage(level, id, secret) {
  const { made, wrong } = await context({ viewport: { width: 1440, height: 900 } });
  const page = await made.newPage();
  await check(`${level}: signs in`, () => signIn(page, id, secret));
  const pages = await addresses(page, level);
  for (const [name, address] of Object.entries(pages)) {
    await check(`${level}: ${name}`, async () => {
      await page.setViewportSize({ width: 1440, height: 900 });
      const answer = await page.goto(address);
      // An application may not use all of them, and is told so in words.
      const fits = name === "no page" ? [404] : level === "user" ? [200] : [200, 403];
      expect(fits.includes(answer.status()), `status ${answer.status()}`);
      expect((await page.locator("h1").count()) === 1, "there is one heading of the first level");
      const focused = await page.evaluate(() => document.activeElement?.matches("h1, [role=alert]"));
      expect(focused, "the focus is at the heading");
      for (const theme of THEMES) {
        await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
        for (const width of WIDTHS) {
          await page.setViewportSize({ width, height: width < 500 ? 640 : 900 });
          await page.screenshot({ path: file(`${level} ${name} ${theme} ${width}`), fullPage: true });
          const faults = await layoutFaults(page);
          expect(faults.length === 0, `${width} px: ${faults.slice(0, 3).join("; ")}`);
          if (width !== 768) {
            const found = await violations(page);
            expect(found.length === 0, `${theme}, ${width} px: ${found.join("; ")}`);
          }
        }
      }
      expect(wrong.length === 0, wrong.splice(0).join("; "));
    });
  }
  await check(`${level}: 200 % zoom`, async () => {
    // A window of 640 px at 200 % has the layout of 320 px.
    await page.setViewportSize({ width: 640, height: 900 });
    await page.goto("/ui/runs");
    await page.evaluate(() => { document.documentElement.style.fontSize = "175%"; });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(wide <= 0, `the page is ${wide} px too wide`);
    wrong.length = 0;
  });
  await made.close();
  return pages;
}

// Pages that a level is refused, as docs/contract.md has the rights of their routes.
const SEARCHED = ["identities", "identities found"];
const REFUSED = {
  HELPDESK: SEARCHED,
  USER: SEARCHED,
  AUDITOR: [...SEARCHED, "searches", "schedules", "reviews"],
};

// Every page in one look, signed in as each level. What a menu offers is never refused.
async function eachLevel() {
  for (const { level, id, secret } of JSON.parse(LEVELS ?? "[]")) {
    const { made, wrong } = await context({ viewport: { width: 1440, height: 900 }, reducedMotion: "reduce" });
    const page = await made.newPage();
    await check(`${level}: signs in`, () => signIn(page, id, secret));
    const menu = await page.locator("header nav a").evaluateAll((all) => all.map((one) => one.getAttribute("href")));
    await check(`${level}: the menu offers what is permitted`, async () => {
      expect(menu.length >= 6, `${menu.length} entries`);
      for (const address of menu) {
        expect((await page.goto(address)).status() === 200, `${address} is refused`);
      }
    });
    const refused = [...(REFUSED[level] ?? []), "clients", "audit trail"];
    for (const [name, address] of Object.entries(await addresses(page, level))) {
      await check(`${level}: ${name}`, async () => {
        await page.emulateMedia({ colorScheme: "light" });
        await page.setViewportSize({ width: 1440, height: 900 });
        const status = (await page.goto(address)).status();
        const fits = name === "no page" || (level === "AUDITOR" && /^new (accounts|search)|^report$|schedule$/.test(name))
          ? [404] : refused.includes(name) ? [403] : [200];
        expect(fits.includes(status), `status ${status}, expected ${fits}`);
        expect((await page.locator("h1").count()) === 1, "there is one heading of the first level");
        await page.screenshot({ path: file(`level ${level} ${name}`), fullPage: true });
        for (const [theme, width] of [["light", 1440], ["dark", 320]]) {
          await page.emulateMedia({ colorScheme: theme });
          await page.setViewportSize({ width, height: 800 });
          const found = [...(await layoutFaults(page)), ...(await violations(page))];
          expect(found.length === 0, `${theme}, ${width} px: ${found.join("; ")}`);
        }
        expect(wrong.length === 0, wrong.splice(0).join("; "));
      });
    }
    await made.close();
  }
}

// Presses Tab until an element has the focus.
async function tabTo(page, selector, most = 80) {
  for (let pressed = 0; pressed < most; pressed += 1) {
    await page.keyboard.press("Tab");
    if (await page.evaluate((wanted) => document.activeElement?.matches(wanted), selector)) {
      const ring = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
      expect(ring !== "none", `${selector} has no visible focus`);
      return;
    }
  }
  throw new Error(`${selector} is not reached by Tab`);
}

async function byKeyboard() {
  const { made, wrong } = await context({ viewport: { width: 1280, height: 800 } });
  const page = await made.newPage();
  await check("keyboard: signs in, runs a report, opens its file, signs out", async () => {
    await page.goto("/ui/sign-in");
    await tabTo(page, "#client-id");
    await page.keyboard.type(USER_ID);
    await page.keyboard.press("Tab");
    await page.keyboard.type(USER_SECRET);
    await page.keyboard.press("Enter");
    await page.waitForURL("**/ui/runs");
    await tabTo(page, "a[href='/ui/new'].main");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/ui/new");
    await tabTo(page, "a[href='/ui/new/ORPHAN_IDENTITIES']");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/ui/new/ORPHAN_IDENTITIES");
    await tabTo(page, "button[value=run]");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/ui/runs/*?done=started");
    // Live update shows the end without a key, and leaves the focus where it is.
    await tabTo(page, "nav a[href='/ui/sources']", 200);
    await page.locator("#live .now .state", { hasText: /Succeeded|With warnings/ }).waitFor({ timeout: 60_000 });
    await page.getByText("The two counts agree").waitFor();
    expect(await page.evaluate(() => document.activeElement.matches("nav a[href='/ui/sources']")), "the focus stays");
    await tabTo(page, "a[href$='/files/csv']");
    const download = page.waitForEvent("download");
    await page.keyboard.press("Enter");
    expect((await (await download).suggestedFilename()).endsWith(".csv"), "a CSV file is downloaded");
    await page.goto("/ui/runs");
    await page.keyboard.press("Shift+Tab");
    await page.keyboard.press("Shift+Tab");
    await tabTo(page, ".who button", 120);
    await page.keyboard.press("Enter");
    await page.waitForURL("**/ui/sign-in");
    expect(wrong.length === 0, wrong.join("; "));
  });
  await made.close();
}

async function withoutScript() {
  const { made } = await context({ javaScriptEnabled: false, viewport: { width: 1024, height: 800 } });
  const page = await made.newPage();
  await check("without JavaScript: a search is previewed, saved and removed", async () => {
    await signIn(page, USER_ID, USER_SECRET);
    await page.goto("/ui/new/SEARCH_EXPORT");
    await page.getByLabel(/^Query/).fill("name:a*");
    await page.getByRole("button", { name: "Check and preview" }).click();
    await page.getByText("documents in the newest snapshot").waitFor();
    await page.goto("/ui/searches/new");
    await page.getByLabel(/^Name/).fill(HOSTILE);
    await page.getByLabel(/^Query/).fill("name:a*");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("It is saved.").waitFor();
    expect((await page.locator("h1").textContent()).includes(HOSTILE), "a hostile name is shown as text");
    expect((await page.locator("main img").count()) === 0, "a hostile name makes no element");
    await page.screenshot({ path: file("hostile name"), fullPage: true });
    await page.getByRole("link", { name: "Remove…" }).click();
    await page.getByRole("button", { name: "Remove the search" }).click();
    await page.getByText("It is removed.").waitFor();
  });
  await check("without JavaScript: a schedule is made, paused, run and removed", async () => {
    await page.goto("/ui/schedules/new/ORPHAN_IDENTITIES");
    await page.getByLabel(/^Name/).fill(`Test ${Date.now()}`);
    await page.getByRole("button", { name: "Make the schedule" }).click();
    await page.getByText("It is saved.").waitFor();
    await page.getByRole("button", { name: "Pause", exact: true }).click();
    await page.getByText("The schedule is paused.").waitFor();
    await page.getByRole("button", { name: "Resume" }).click();
    await page.getByText("The schedule goes on.").waitFor();
    await page.getByRole("button", { name: "Run now" }).click();
    await page.getByText("The run is started.").waitFor();
    await page.screenshot({ path: file("schedule"), fullPage: true });
    await page.getByRole("link", { name: "Remove…" }).click();
    await page.getByRole("button", { name: "Remove the schedule" }).click();
    await page.getByText("It is removed.").waitFor();
  });
  await check("without JavaScript: a definition is checked, kept, run and removed", async () => {
    await page.goto("/ui/reports");
    await page.getByRole("link", { name: "New definition" }).click();
    const text = await page.getByLabel(/^Definition/).inputValue();
    const id = `CONSOLE_${Date.now()}`;
    await page.getByLabel(/^Definition/).fill(text.replace("MY_REPORT", id).replace("manager_id IS NULL", "manger_id IS NULL"));
    await page.getByRole("button", { name: "Check" }).click();
    await page.getByRole("heading", { name: "What is wrong" }).waitFor();
    expect((await page.locator("#content table").textContent()).includes("manger_id"), "the mistake is named");
    await page.screenshot({ path: file("definition with a mistake"), fullPage: true });
    await page.getByLabel(/^Definition/).fill(text.replace("MY_REPORT", id));
    await page.getByRole("button", { name: "Keep" }).click();
    await page.getByText("The definition is kept.").waitFor();
    await page.screenshot({ path: file("kept definition"), fullPage: true });
    await page.goto(`/ui/new/${id}`);
    await page.getByRole("button", { name: "Run", exact: true }).click();
    const run = page.url().split("?")[0];
    for (let tries = 0; tries < 120 && !(await page.getByText("The two counts agree").count()); tries += 1) {
      await page.waitForTimeout(500);
      await page.goto(run);
    }
    await page.getByText("The two counts agree").waitFor();
    await page.goto(`/ui/runs?kind=${id}`);
    expect((await page.locator("main tbody tr").count()) === 1, "the list has this run and no other");
    await page.goto(`/ui/definitions/${id}`);
    await page.getByRole("link", { name: "Remove…" }).click();
    await page.getByRole("button", { name: "Remove the report" }).click();
    await page.getByText("It is removed.").waitFor();
  });
  await check("without JavaScript: a mistake in a query is marked", async () => {
    await page.goto("/ui/new/SEARCH_EXPORT?query=name%3A%28a");
    expect(/\^$/.test((await page.locator("pre.mark").textContent()).trimEnd()), "the place is marked");
  });
  await check("without JavaScript: two runs are compared", async () => {
    await page.goto("/ui/new/ORPHAN_IDENTITIES");
    await page.getByRole("button", { name: "Run", exact: true }).click();
    const run = page.url().split("?")[0];
    for (let tries = 0; tries < 120 && !(await page.getByText("The two counts agree").count()); tries += 1) {
      await page.waitForTimeout(500);
      await page.goto(run);
    }
    await page.getByRole("button", { name: "Compare" }).click();
    await page.getByText("Rows told apart by").waitFor();
    await page.screenshot({ path: file("comparison"), fullPage: true });
    await page.getByRole("link", { name: "Read the differences" }).click();
    expect((await page.title()) !== "", "the page of the differences has a title");
  });
  await made.close();
}

async function verifying() {
  const { made, wrong } = await context({ viewport: { width: 1280, height: 800 } });
  const page = await made.newPage();
  let [run, content] = ["", Buffer.alloc(0)];
  await check("verifying: a file that was downloaded is recognised, and a changed one is not", async () => {
    await signIn(page, USER_ID, USER_SECRET);
    // Of one kind: a run of a schedule, or a refresh, has no files of its own. It ends with warnings of refused records.
    await page.goto("/ui/runs?kind=ORPHAN_IDENTITIES");
    await page.locator("main a[href^='/ui/runs/']").first().click();
    await page.waitForURL(/\/ui\/runs\/[0-9a-f]{32}$/);
    run = new URL(page.url()).pathname.slice(9);
    const csv = page.locator("a[href$='/files/csv']");
    await csv.waitFor();
    const download = page.waitForEvent("download");
    await csv.click();
    content = readFileSync(await (await download).path());
    await page.goto(`/ui/verify?run=${run}`);
    const digest = createHash("sha256").update(content).digest("hex");
    await page.getByLabel("The file").setInputFiles({ name: "a.csv", mimeType: "text/csv", buffer: content });
    await page.getByText("the digest is filled in").waitFor();
    expect((await page.locator("#sha256").inputValue()) === digest, "the digest is that of another program");
    const asked = [];
    page.on("request", (request) => asked.push(request.url() + (request.postData() ?? "")));
    await page.getByRole("button", { name: "Compare" }).click();
    await page.getByText("byte for byte").waitFor();
    expect(asked.every((one) => one.length < 4096), "the file stays in the browser");
    await page.screenshot({ path: file("verified"), fullPage: true });
    const changed = Buffer.concat([content, Buffer.from(" ")]);
    await page.getByLabel("The file").setInputFiles({ name: "a.csv", mimeType: "text/csv", buffer: changed });
    await page.getByText("the digest is filled in").waitFor();
    await page.getByRole("button", { name: "Compare" }).click();
    await page.getByText("It is none of the files of this run").waitFor();
    await page.goto(`/ui/runs/${run}`);
    const packing = page.waitForEvent("download");
    await page.getByRole("link", { name: "Evidence package", exact: true }).click();
    const packed = readFileSync(await (await packing).path());
    await page.goto("/ui/verify");
    const give = (name, buffer) => page.getByLabel("The file").setInputFiles({ name, mimeType: "application/zip", buffer });
    await give("evidence.zip", packed);
    await page.getByText("evidence.zip holds as far as a browser checks it").waitFor();
    await page.getByText("The signature is made with this service's key.").waitFor();
    expect((await violations(page)).length === 0, "findings are accessible");
    await page.screenshot({ path: file("verified package"), fullPage: true });
    // A bit of the middle, and a whole file of another package.
    const flipped = Buffer.from(packed);
    flipped[Math.floor(flipped.length / 2)] ^= 1;
    await give("flipped.zip", flipped);
    await page.getByText(/^flipped.zip (does not hold|cannot be read)/).waitFor();
    await give("cut.zip", packed.subarray(0, packed.length - 30));
    await page.getByText("cut.zip cannot be read: it is not a whole zip archive").waitFor();
    expect(wrong.length === 0, wrong.join("; "));
  });
  await made.close();
  const { made: plain } = await context({ javaScriptEnabled: false });
  const bare = await plain.newPage();
  await check("verifying: without JavaScript, a digest is pasted", async () => {
    await signIn(bare, USER_ID, USER_SECRET);
    await bare.goto(`/ui/verify?run=${run}`);
    expect(!(await bare.getByLabel("The file").isVisible()), "what needs a script is not offered");
    await bare.locator("#sha256").fill(`${createHash("sha256").update(content).digest("hex")}  a.csv`);
    await bare.getByRole("button", { name: "Compare" }).click();
    await bare.getByText("byte for byte").waitFor();
    await bare.goto("/ui/snapshots");
    await bare.locator("main th a").first().click();
    await bare.getByLabel("Why it is kept").fill("year end");
    await bare.getByRole("button", { name: "Pin" }).click();
    await bare.getByText("The snapshot is pinned.").waitFor();
    await bare.getByRole("link", { name: "Unpin…" }).click();
    await bare.getByRole("button", { name: "Unpin the snapshot" }).click();
    await bare.getByText("The snapshot is no longer pinned.").waitFor();
  });
  await plain.close();
}

// The picture of the README: the list of runs, as people see it first.
async function picture() {
  const { made } = await context({ viewport: { width: 1000, height: 620 }, colorScheme: "light" });
  const page = await made.newPage();
  await check("picture: the list of runs", async () => {
    await signIn(page, USER_ID, USER_SECRET);
    await page.goto("/ui/runs");
    await page.evaluate(() => document.activeElement?.blur());
    await page.screenshot({ path: file("picture") });
  });
  await made.close();
}

async function typing() {
  const { made, wrong } = await context({ viewport: { width: 1280, height: 800 } });
  const page = await made.newPage();
  await check("typing: a query is checked without a button", async () => {
    await signIn(page, USER_ID, USER_SECRET);
    await page.goto("/ui/new/SEARCH_EXPORT");
    await page.getByLabel(/^Query/).pressSequentially("name:(a", { delay: 20 });
    await page.locator("#preview pre.mark").waitFor();
    await page.getByLabel(/^Query/).fill("name:a*");
    await page.locator("#preview").getByText("documents in the newest snapshot").waitFor();
    expect((await page.getByLabel(/^Query/).inputValue()) === "name:a*", "the text stays");
    expect(wrong.length === 0, wrong.join("; "));
  });
  await check("typing: fields are suggested, and taken by keyboard", async () => {
    await page.getByLabel(/^Query/).fill("");
    await page.getByLabel(/^Query/).pressSequentially("NOT attributes.dep", { delay: 20 });
    const offered = page.locator("[data-suggested] button");
    await offered.first().waitFor();
    const names = await offered.allTextContents();
    expect(names[0] === "attributes.department" && names.every((name) => /attributes\.dep/i.test(name)), names.join(" "));
    const found = await violations(page);
    expect(found.length === 0, found.join("; "));
    await page.screenshot({ path: file("suggested fields"), fullPage: true });
    await tabTo(page, "[data-suggestion='attributes.department']");
    await page.keyboard.press("Enter");
    expect((await page.getByLabel(/^Query/).inputValue()) === "NOT attributes.department:", "the word is completed");
    await page.keyboard.type("F*");
    await page.locator("#preview").getByText("documents in the newest snapshot").waitFor();
    expect(!(await page.locator("[data-suggested]").isVisible()), "a value has no suggestions");
    expect(wrong.length === 0, wrong.join("; "));
  });
  await check("typing: a refused check leaves the form as it is", async () => {
    const refuse = (route) => route.fulfill({ status: 429, contentType: "text/html", body: "<h1>Too many requests</h1>" });
    await page.route("**/ui/new/**", refuse);
    await page.getByLabel(/^Query/).fill("name:b*");
    await page.locator("#preview").getByText("The query cannot be checked now.").waitFor();
    await page.unroute("**/ui/new/**", refuse);
    await page.getByLabel(/^Query/).fill("name:c*");
    await page.locator("#preview").getByText("documents in the newest snapshot").waitFor();
    await page.goto("/ui/runs");
    await page.route("**/ui/runs*", refuse);
    const refused = page.waitForResponse((answer) => answer.status() === 429);
    await page.evaluate(() => document.querySelector("#live").dispatchEvent(new CustomEvent("live")));
    await refused;
    await page.unroute("**/ui/runs*", refuse);
    const again = page.waitForResponse((answer) => answer.url().includes("/ui/runs") && answer.status() === 200);
    expect((await page.locator("#live table").count()) === 1, "the list stays");
    await again;
    expect((await page.locator("#live table").count()) === 1, "the list is there again");
    wrong.length = 0;
  });
  await check("times: the local time follows that of UTC", async () => {
    await page.goto("/ui/runs");
    const time = await page.locator("time").first().textContent();
    expect(/UTC .*local/.test(time), time);
  });
  await check("live: the update can be paused", async () => {
    const pause = page.locator("[data-pause]");
    await pause.click();
    expect((await pause.getAttribute("aria-pressed")) === "true", "it is pressed");
    await pause.click();
    expect((await pause.getAttribute("aria-pressed")) === "false", "it is not pressed");
  });
  await made.close();
}

async function session() {
  const { made } = await context({});
  const page = await made.newPage();
  await check("session: the cookie is out of reach of scripts and other hosts", async () => {
    await signIn(page, USER_ID, USER_SECRET);
    const cookies = await made.cookies();
    const held = cookies.find((cookie) => cookie.name === "__Host-muster-session");
    expect(held?.httpOnly && held.secure && held.sameSite === "Lax" && held.path === "/" && held.expires === -1, JSON.stringify(held));
    expect(!(await page.evaluate(() => document.cookie)).includes("muster"), "scripts see no cookie");
  });
  await check("session: after signing out, no page is shown from memory", async () => {
    await page.goto("/ui/sources");
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.goBack();
    await page.waitForURL("**/ui/sign-in**");
  });
  await check("session: a wrong secret is told", async () => {
    await page.goto("/ui/sign-in");
    await page.getByLabel("Client id").fill(USER_ID);
    await page.getByLabel("Client secret").fill("wrong");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("The client id or the secret is wrong.").waitFor();
    const found = await violations(page);
    expect(found.length === 0, found.join("; "));
    await page.screenshot({ path: file("sign-in refused"), fullPage: true });
  });
  await made.close();
}

const parts = {
  user: () => everyPage("user", USER_ID, USER_SECRET),
  application: () => everyPage("application", APPLICATION_ID, APPLICATION_SECRET),
  eachLevel,
  keyboard: byKeyboard,
  withoutScript,
  verifying,
  reviewing: () => reviewing({ check, expect, context, signIn, tabTo, violations, layoutFaults, file, HOSTILE, THEMES, WIDTHS }),
  typing,
  session,
  picture,
};
for (const [name, part] of Object.entries(parts)) {
  if (only === undefined || only === name) {
    await part();
  }
}
await browser.close();
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
