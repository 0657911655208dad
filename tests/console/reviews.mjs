// Access reviews in the console: items are decided, and never those of the own access. pages.mjs gives the tools.
//
// In the environment: REVIEW, an access review, with REVIEWER_ID and REVIEWER_SECRET of a reviewer, and REVIEW_MANAGER_ID and
// REVIEW_MANAGER_SECRET of the same person as an administrator of reviews.
const { REVIEW, REVIEWER_ID, REVIEWER_SECRET, REVIEW_MANAGER_ID, REVIEW_MANAGER_SECRET } = process.env;

export async function reviewing(tools) {
  const { check, expect, context, signIn, tabTo, violations, layoutFaults, file, HOSTILE, THEMES, WIDTHS } = tools;
  const { made, wrong } = await context({ viewport: { width: 1280, height: 800 }, reducedMotion: "reduce" });
  const page = await made.newPage();
  const undecided = async () => Number((await page.locator(".tabs .count").textContent()).replaceAll(",", ""));
  let left = 0;
  await check("reviewing: a reviewer decides by keyboard", async () => {
    await signIn(page, REVIEWER_ID, REVIEWER_SECRET);
    await tabTo(page, "nav a[href='/ui/reviews']");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/ui/reviews");
    await tabTo(page, `a[href='/ui/reviews/${REVIEW}']`);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Your items" }).waitFor();
    await tabTo(page, "a[href$='/decide']");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/decide");
    left = await undecided();
    expect(left >= 2, `${left} items`);
    const second = await page.locator("input[name='item']").nth(1).inputValue();
    await tabTo(page, "input[value=KEEP]");
    await page.keyboard.press("Space");
    await tabTo(page, `input[name='decision-${second}'][value=KEEP]`);
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Tab");
    // A revoke of this review needs a comment, and the API says so.
    await page.keyboard.press("Enter");
    await page.getByRole("alert").getByText("comment is missing").waitFor();
    expect(await page.evaluate(() => document.activeElement.matches("[role=alert]")), "the focus is at what is wrong");
    expect(await page.locator(`input[name='decision-${second}'][value=REVOKE]`).isChecked(), "what was chosen stays");
    expect((await violations(page)).length === 0, "the refusal is accessible");
    await page.screenshot({ path: file("decisions refused"), fullPage: true });
    await tabTo(page, `input[name='comment-${second}']`);
    await page.keyboard.type(HOSTILE);
    await page.keyboard.press("Enter");
    await page.getByText("The decisions are recorded.").waitFor();
    expect((await undecided()) === left - 2, "two items are decided");
    await page.getByRole("link", { name: "All", exact: true }).click();
    expect((await page.locator(`input[name='comment-${second}']`).inputValue()) === HOSTILE, "the comment is as it was written");
    await page.goto(`/ui/reviews/${REVIEW}`);
    expect((await page.locator("main").textContent()).includes(HOSTILE), "a hostile comment is shown as text");
    expect((await page.locator("main img").count()) === 0, "a hostile comment makes no element");
    for (const theme of THEMES) {
      await page.emulateMedia({ colorScheme: theme });
      for (const width of WIDTHS) {
        for (const address of [`/ui/reviews/${REVIEW}`, `/ui/reviews/${REVIEW}/decide?all=true`]) {
          await page.setViewportSize({ width, height: 800 });
          await page.goto(address);
          const found = [...(await layoutFaults(page)), ...(await violations(page))];
          expect(found.length === 0, `${address}, ${theme}, ${width} px: ${found.join("; ")}`);
          await page.screenshot({ path: file(`reviewer ${address.slice(44)} ${theme} ${width}`), fullPage: true });
        }
      }
    }
    expect(wrong.length === 0, wrong.join("; "));
  });
  await made.close();
  const { made: plain } = await context({ javaScriptEnabled: false, viewport: { width: 1024, height: 800 } });
  const bare = await plain.newPage();
  await check("reviewing: without JavaScript", async () => {
    await signIn(bare, REVIEWER_ID, REVIEWER_SECRET);
    await bare.goto(`/ui/reviews/${REVIEW}/decide`);
    await bare.getByRole("button", { name: "Record the decisions" }).click();
    await bare.getByRole("alert").getByText("Nothing was decided").waitFor();
    await bare.getByRole("textbox", { name: /^Comment/ }).first().fill("why");
    await bare.getByRole("button", { name: "Record the decisions" }).click();
    await bare.getByRole("alert").getByText("has a comment and no decision").waitFor();
    await bare.getByRole("radio", { name: "Revoke" }).first().check();
    await bare.getByRole("button", { name: "Record the decisions" }).click();
    await bare.getByText("The decisions are recorded.").waitFor();
    await bare.goto(`/ui/reviews/${REVIEW}/close`);
    await bare.getByRole("button", { name: "Close the review" }).click();
    expect((await bare.locator("h1").count()) === 1 && !bare.url().includes("done="), "a reviewer closes no review");
  });
  await plain.close();
  const { made: managing } = await context({ viewport: { width: 1280, height: 800 } });
  const manager = await managing.newPage();
  await check("reviewing: nobody decides about access of their own", async () => {
    await signIn(manager, REVIEW_MANAGER_ID, REVIEW_MANAGER_SECRET);
    let address = `/ui/reviews/${REVIEW}/decide?reviewer=&all=true`;
    const own = manager.locator("tr", { hasText: "It is your own access" }).first();
    for (let pages = 0; pages < 200 && address; pages += 1) {
      await manager.goto(address);
      if (await own.count()) {
        break;
      }
      const next = manager.locator("a[rel=next]");
      address = (await next.count()) ? await next.getAttribute("href") : "";
    }
    expect((await own.count()) === 1, "the manager has access of their own");
    expect((await own.locator("input[type=radio]").count()) === 0, "it cannot be chosen");
    const item = await own.locator("input[name=item]").inputValue();
    await manager.evaluate((number) => {
      const form = document.querySelector("main form");
      const field = Object.assign(document.createElement("input"), { type: "hidden", name: `decision-${number}`, value: "KEEP" });
      form.append(field);
      form.requestSubmit();
    }, item);
    await manager.getByRole("alert").getByText("nobody reviews their own").waitFor();
    await manager.screenshot({ path: file("own access"), fullPage: true });
  });
  await managing.close();
}
