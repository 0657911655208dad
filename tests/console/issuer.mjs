// Signing in to the console at an issuer: oidc-provider, a certified OpenID Provider, on this machine, and Chromium.
//
// Usage: node issuer.mjs NODE_MODULES BASE_URL FOLDER. Prints `issuer URL` when the provider answers, and then waits for a
// line on its standard input, which says that the service is there. Prints a line for each check that fails, and totals.
import { createRequire } from "node:module";
import { createServer } from "node:http";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { once } from "node:events";
import { pathToFileURL } from "node:url";

const [modules, base, folder] = process.argv.slice(2);
const require = createRequire(join(modules, "index.js"));
const { chromium } = require("playwright-core");
const axe = require("axe-core").source;
const { Provider } = await import(pathToFileURL(join(modules, "oidc-provider", "lib", "index.js")));
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const AUDIENCE = "https://reports.example.org";

mkdirSync(folder, { recursive: true });
const server = createServer();
server.listen(0, "127.0.0.1");
await once(server, "listening");
const issuer = `http://127.0.0.1:${server.address().port}`;
const provider = new Provider(issuer, {
  clients: [{
    client_id: "muster-console",
    client_secret: "a secret: with % and +",
    application_type: "native",
    redirect_uris: [`${base}/ui/sign-in/at/corp/answer`],
    post_logout_redirect_uris: [`${base}/ui/sign-in`],
    token_endpoint_auth_method: "client_secret_basic",
  }],
  cookies: { keys: ["only for a test"] },
  pkce: { required: () => true },
  findAccount: (ctx, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
  // What a person may do is in the access token, as an administrator of the issuer sets it.
  extraTokenClaims: (ctx, token) => ({
    user_name: `${token.accountId}.of.corp`,
    levels: token.accountId === "ada" ? ["ORG_ADMIN"] : [],
    tenant_id: token.accountId === "stranger" ? "elsewhere" : "default",
  }),
  features: {
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: () => ({
        scope: "sp:scopes:all",
        audience: AUDIENCE,
        accessTokenFormat: "jwt",
        accessTokenTTL: 600,
        jwt: { sign: { alg: "RS256" } },
      }),
      useGrantedResource: () => true,
    },
  },
});
server.on("request", provider.callback());
console.log(`issuer ${issuer}`);
await once(process.stdin, "data");

let passed = 0;
let failed = 0;
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
const context = (options) => browser.newContext({ baseURL: base, ...options });
// Where the issuer leads a person back to.
const ANSWER = `${base}/ui/sign-in/at/corp/answer`;

async function begin(page, next = "") {
  await page.goto(`/ui/sign-in${next}`);
  await page.getByRole("link", { name: "Sign in with Corp & Sons" }).click();
  await page.waitForURL(`${issuer}/**`);
}

// The provider's own pages for developers: any name and password, then consent.
async function atTheIssuer(page, name) {
  await page.locator("input[name=login]").fill(name);
  await page.locator("input[name=password]").fill("any");
  await page.locator("button[type=submit]").click();
  await page.getByRole("button", { name: /continue/i }).click();
}

await check("issuer: a person signs in, sees her pages, and signs out here and there", async () => {
  const made = await context();
  const page = await made.newPage();
  await begin(page, "?next=%2Fui%2Fsources");
  const asked = new URL(page.url().includes("/auth") ? page.url() : `${issuer}/`);
  expect(!asked.searchParams.has("code_verifier"), "the verifier stays with the service");
  await atTheIssuer(page, "ada");
  await page.waitForURL("**/ui/sources");
  expect((await page.locator(".who").textContent()).includes("ada.of.corp (user)"), "she is named");
  expect((await page.locator("table tbody tr").count()) > 0, "she sees the sources");
  await page.goto("/ui/runs");
  expect((await page.getByRole("link", { name: "New run" }).count()) > 0, "her level starts reports");
  const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]));
  expect(kept === '[{},{},""]', `scripts see ${kept}`);
  const cookies = (await made.cookies(base)).filter((cookie) => cookie.name.startsWith("__Host-muster"));
  expect(cookies.every((one) => one.httpOnly && one.secure && one.sameSite === "Lax" && one.path === "/" && one.value.length === 64), JSON.stringify(cookies));
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByText("At Corp & Sons you may still be signed in.").waitFor();
  await page.screenshot({ path: join(folder, "signed-out-of-the-console.png") });
  await page.getByRole("link", { name: "Sign out at Corp & Sons too" }).click();
  await page.waitForURL(`${issuer}/session/end**`);
  await page.getByRole("button", { name: /yes/i }).click();
  await page.waitForURL(`${base}/ui/sign-in**`);
  // The issuer asks again.
  await begin(page);
  await page.locator("input[name=login]").waitFor();
  await made.close();
});

await check("issuer: rights follow from the claims", async () => {
  const made = await context();
  const page = await made.newPage();
  await begin(page);
  await atTheIssuer(page, "bob");
  await page.waitForURL("**/ui/runs");
  await page.goto("/ui/new/ORPHAN_IDENTITIES");
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await page.getByText("the user has none of the levels").waitFor();
  await made.close();
});

await check("issuer: an address that leads back works once, and in one browser", async () => {
  const [made, other] = [await context(), await context()];
  const [page, thief] = [await made.newPage(), await other.newPage()];
  // By the browser's own protocol: a route of Playwright does not see where a redirect leads.
  const answers = await made.newCDPSession(page);
  await answers.send("Fetch.enable", { patterns: [{ urlPattern: `${ANSWER}*` }] });
  const stopped = new Promise((resolve) => {
    answers.once("Fetch.requestPaused", async ({ requestId, request }) => {
      await answers.send("Fetch.failRequest", { requestId, errorReason: "Aborted" });
      resolve(request.url);
    });
  });
  await begin(page);
  await atTheIssuer(page, "ada").catch(() => {});
  const address = await Promise.race([stopped, page.waitForTimeout(10_000).then(() => "")]);
  expect(address !== "", "the issuer leads back");
  await thief.goto(address);
  await thief.getByText("This sign-in was begun in another browser").waitFor();
  const changed = new URL(address);
  changed.searchParams.set("iss", "https://evil.example");
  await answers.send("Fetch.disable");
  await page.goto(changed.href);
  await page.getByText("What Corp & Sons answered is not accepted here.").waitFor();
  await page.screenshot({ path: join(folder, "answer-of-another-issuer.png") });
  await page.goto(address);
  await page.getByText("has been finished already").waitFor();
  expect(!(await made.cookies(base)).some((cookie) => cookie.name === "__Host-muster-session"), "nobody is signed in");
  await made.close();
  await other.close();
});

await check("issuer: who cancels there is told so here", async () => {
  const made = await context();
  const page = await made.newPage();
  await begin(page);
  await page.getByRole("link", { name: /cancel/i }).click();
  await page.getByText("Corp & Sons did not sign you in: access_denied").waitFor();
  await made.close();
});

await check("issuer: a token of another tenant is not accepted", async () => {
  const made = await context();
  const page = await made.newPage();
  await begin(page);
  await atTheIssuer(page, "stranger");
  await page.getByText("What Corp & Sons answered is not accepted here.").waitFor();
  await made.close();
});

for (const colorScheme of ["light", "dark"]) {
  for (const width of [320, 768, 1440]) {
    await check(`issuer: the sign-in page, ${colorScheme}, ${width} px`, async () => {
      const made = await context({ colorScheme, viewport: { width, height: 800 } });
      const page = await made.newPage();
      await page.goto("/ui/sign-in?left=corp");
      await page.screenshot({ path: join(folder, `sign-in-${colorScheme}-${width}.png`), fullPage: true });
      expect(await page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth), "it fits");
      await page.evaluate(axe);
      const found = await page.evaluate((rules) => globalThis.axe.run(document, { runOnly: { type: "tag", values: rules } }), RULES);
      expect(found.violations.length === 0, found.violations.map((one) => one.id).join(" "));
      await made.close();
    });
  }
}

await check("issuer: by keyboard and without JavaScript here", async () => {
  const made = await context();
  const page = await made.newPage();
  // Only our pages do without scripts: those of the issuer are its own.
  await page.route(`${base}/ui/assets/**/*.js`, (route) => route.abort());
  await page.goto("/ui/sign-in");
  for (let pressed = 0; pressed < 10 && !(await page.evaluate(() => document.activeElement?.matches("a.main"))); pressed += 1) {
    await page.keyboard.press("Tab");
  }
  await page.keyboard.press("Enter");
  await page.waitForURL(`${issuer}/**`);
  await atTheIssuer(page, "ada");
  await page.waitForURL("**/ui/runs");
  await made.close();
});

await browser.close();
server.closeAllConnections();
server.close();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
