// An owner's way through every page in a real browser: with axe-core on each of them, light and dark, wide and narrow,
// and once more without JavaScript. `cargo xtask ci browser` starts it, with a server and the C example.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const { WALK_SERVER: server, WALK_PLUGIN: program } = process.env;
const owner = { email: process.env.WALK_EMAIL, password: process.env.WALK_PASSWORD };
const admin = { email: process.env.WALK_ADMIN, password: process.env.WALK_ADMIN_PASSWORD };
const screenshots = process.env.WALK_SCREENSHOTS;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const looks = [1280, 390].flatMap((width) => ["light", "dark"].map((scheme) => ({ width, scheme })));
// A browser that shares its computer with builds takes its time.
const patience = 120_000;
let seen = 0;

async function contextOf(browser, options) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(patience);
  return context;
}

/// The C example on a computer of its own; answers what it says and how it ended.
function plugin(computer, words, input) {
  const env = { ...process.env, SEATLOCK_MACHINE_ID: `computer-of-${computer}` };
  env.EXAMPLE_STATE_FOLDER = `${process.env.EXAMPLE_STATE_FOLDER}/${computer}`;
  try {
    return { code: 0, said: execFileSync(program, words, { input, env, encoding: "utf8", stdio: "pipe" }) };
  } catch (error) {
    return { code: error.status, said: `${error.stdout}${error.stderr}` };
  }
}

/// Looks at the page that is there, in every way that it can look.
async function look(page, name) {
  await page.waitForLoadState();
  for (const { width, scheme } of looks) {
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
    await page.setViewportSize({ width, height: width === 390 ? 844 : 800 });
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => globalThis.axe.run(document));
    const told = violations.map((found) => `${found.id}: ${found.nodes.map((node) => node.html).join(" ")}`);
    assert.deepEqual(told, [], `${name}, ${scheme}, ${width}`);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(wide <= 0, `${name} is ${wide} pixels wider than a screen of ${width}`);
    if (screenshots) {
      await page.screenshot({ path: `${screenshots}/${name}-${scheme}-${width}.png`, fullPage: true });
    }
    seen += 1;
  }
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize({ width: 1280, height: 800 });
}

async function signIn(page, { email, password }) {
  await page.goto(`${server}/`);
  await page.getByLabel("E-mail address").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL("**/seats");
}

/// Waits until the page says so.
async function says(page, text) {
  const body = page.locator("body");
  await body.filter({ hasText: text }).waitFor().catch(async () => {
    assert.fail(`no "${text}" on ${new URL(page.url()).pathname}:\n${await body.innerText()}`);
  });
}

async function makeSeat(page, person) {
  await page.goto(`${server}/seats/new`);
  await page.getByLabel("E-mail address of the person who will use the seat").fill(person);
  await page.getByRole("button", { name: "Create seat" }).click();
  await says(page, "Copy this token now");
  return (await page.locator("#secret").innerText()).trim();
}

/// Everything, by clicking.
async function walk(browser) {
  const context = await contextOf(browser);
  await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: server });
  const page = await context.newPage();
  const complaints = [];
  let refusals = 0;
  page.on("pageerror", (error) => complaints.push(`${error}`));
  page.on("console", (message) => {
    // What the server refuses on purpose, the browser calls an error.
    if (message.text().startsWith("Failed to load resource: the server responded with a status of 4")) refusals += 1;
    else if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });

  await page.goto(`${server}/seats`);
  await look(page, "sign-in");
  await signIn(page, owner);
  await look(page, "seats-none");

  await page.getByRole("link", { name: "Create the first seat" }).click();
  await look(page, "new-seat");
  const token = await makeSeat(page, "jonas.weber@nordlicht.example");
  await look(page, "token");
  await page.getByRole("button", { name: "Copy token" }).click();
  await page.getByText("Copied").waitFor();
  // The pages themselves may not read it.
  const beside = await context.newPage();
  await beside.goto(`${server}/healthz`);
  assert.equal(await beside.evaluate(() => navigator.clipboard.readText()), token, "what was copied");
  await beside.close();
  await page.reload();
  assert.equal((await page.locator("#secret").innerText()).trim(), token, "a reload shows the same token");
  for (const person of ["aiko.tanaka", "samuel.okafor", "lea.fournier"]) {
    const other = await makeSeat(page, `${person}@nordlicht.example`);
    if (person !== "lea.fournier") assert.equal(plugin(person, ["activate", "-"], other).code, 0);
  }

  // The artist works; the owner sees it.
  const begun = plugin("old", ["activate", "-"], token);
  assert.equal(begun.code, 0, begun.said);
  await page.goto(`${server}/seats`);
  await says(page, "In use");
  await look(page, "seats");
  await page.getByLabel("Search").fill("jonas");
  await page.getByRole("button", { name: "Find" }).click();
  await page.waitForURL("**/seats?*jonas*");
  assert.equal(await page.locator("tbody tr").count(), 1);
  await page.locator("tbody tr td.main a").click();
  await look(page, "seat");
  const seat = page.url();

  await page.getByRole("link", { name: "Release …" }).click();
  await look(page, "release");
  await page.getByRole("button", { name: "Release the seat" }).click();
  await says(page, "The seat was released");
  await look(page, "seat-released");
  // Entering the token again on the old computer takes the seat back, and the day is not over.
  const back = plugin("old", ["activate", "-"], token);
  assert.equal(back.code, 0, back.said);
  await page.goto(`${seat}/release`);
  await says(page, "One release is possible per license in 24 hours");
  await look(page, "release-wait");

  await page.goto(`${seat}/refresh`);
  await look(page, "refresh");
  await page.getByRole("button", { name: "Replace the token" }).click();
  await look(page, "token-refreshed");
  const renewed = (await page.locator("#secret").innerText()).trim();
  assert.notEqual(renewed, token);
  assert.notEqual(plugin("old", ["activate", "-"], token).code, 0, "the old token is refused");
  const again = plugin("old", ["activate", "-"], renewed);
  assert.equal(again.code, 0, again.said);

  await page.goto(`${seat}/revoke`);
  await look(page, "revoke");
  await page.getByLabel("I want to close the seat").check();
  await page.getByRole("button", { name: "Revoke the seat" }).click();
  await says(page, "closed for good");
  await look(page, "seat-closed");

  await page.goto(`${server}/seats`);
  const [table] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("link", { name: "CSV" }).click(),
  ]);
  assert.match(readFileSync(await table.path(), "utf8"), /jonas\.weber@nordlicht\.example/);

  for (const name of ["onboarding script", "dashboard", "backup check"]) {
    await page.goto(`${server}/tokens`);
    if (name === "onboarding script") await look(page, "api-tokens-none");
    await page.getByLabel("Name").fill(name);
    await page.getByRole("button", { name: "Create token" }).click();
    await says(page, "Copy this token now");
    if (name === "dashboard") await look(page, "api-token");
  }
  await page.goto(`${server}/tokens`);
  await says(page, "as many as a user can have");
  await look(page, "api-tokens");
  await page.getByRole("link", { name: "Delete … dashboard" }).click();
  await look(page, "api-token-delete");
  await page.getByRole("button", { name: "Delete the token" }).click();
  await says(page, "was deleted");

  await page.goto(`${server}/airgap`);
  await look(page, "airgap");
  await page.getByLabel("File from the plug-in").setInputFiles({ name: "x.json", mimeType: "application/json", buffer: Buffer.from("{}") });
  await page.getByRole("button", { name: "Check the file" }).click();
  await says(page, "cannot be used");
  await look(page, "airgap-refused");
  await page.goto(`${server}/audit`);
  assert.equal(await page.getByRole("link", { name: "Verify the record now" }).count(), 0, "whoever runs the server does");
  await look(page, "audit");
  await page.goto(`${server}/account`);
  await look(page, "account");
  await page.goto(`${server}/nothing`);
  await look(page, "not-found");
  await page.goto(`${server}/open/${"A".repeat(43)}`);
  await look(page, "link-gone");

  await page.goto(`${server}/seats`);
  await page.getByRole("button", { name: "Sign out" }).click();
  await says(page, "You are signed out");
  await page.goto(seat);
  assert.match(page.url(), /\/sign-in\?next=/, "the session has ended");
  assert.deepEqual(complaints, [], "the browser complains");
  assert.ok(refusals >= 2, "refusals were met");
  await context.close();
}

/// What only whoever runs the server may do.
async function asAdministrator(browser) {
  const context = await contextOf(browser);
  const page = await context.newPage();
  await signIn(page, admin);
  await page.goto(`${server}/audit`);
  await page.getByRole("link", { name: "Verify the record now" }).click();
  await says(page, "The record is intact");
  await look(page, "audit-verified");
  await context.close();
}

/// The same essentials without JavaScript.
async function withoutJavaScript(browser) {
  const context = await contextOf(browser, { javaScriptEnabled: false });
  const page = await context.newPage();
  await signIn(page, owner);
  const token = await makeSeat(page, "plain@nordlicht.example");
  assert.match(token, /^sit_/);
  assert.equal(await page.getByRole("button", { name: "Copy token" }).count(), 0, "no button that does nothing");
  const begun = plugin("plain", ["activate", "-"], token);
  assert.equal(begun.code, 0, begun.said);
  await page.goto(`${server}/seats?q=plain`);
  await page.locator("tbody tr td.main a").click();
  await says(page, "In use");
  await page.getByRole("link", { name: "Revoke …" }).click();
  await page.getByLabel("I want to close the seat").check();
  await page.getByRole("button", { name: "Revoke the seat" }).click();
  await says(page, "closed for good");
  await page.getByRole("button", { name: "Sign out" }).click();
  await says(page, "You are signed out");
  await context.close();
}

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
try {
  await walk(browser);
  await asAdministrator(browser);
  await withoutJavaScript(browser);
} finally {
  await browser.close();
}
console.log(`${seen} views without a violation, and a walk without JavaScript`);
