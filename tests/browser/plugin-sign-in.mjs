// Signs in, in a real browser, for the C example: at a page that the library opens, at one that the example prints, and at
// another device. `cargo xtask ci oauth-client` starts it, with an OpenID provider and a server.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { chromium } from "playwright-core";

const { WALK_PLUGIN: program, WALK_OPENED: opened } = process.env;
// A browser that shares its computer with builds takes its time.
const patience = 120_000;

/// The C example, and what it says until it ends.
function plugin(...words) {
  const child = spawn(program, words, { stdio: ["ignore", "pipe", "pipe"] });
  const told = { said: "" };
  for (const output of [child.stdout, child.stderr]) output.on("data", (text) => (told.said += text));
  told.ended = new Promise((resolve) => child.on("close", resolve));
  return told;
}

/// Waits until something is there.
async function until(find, what) {
  for (const end = Date.now() + patience; Date.now() < end; ) {
    const found = find();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail(`no ${what()}`);
}

const line = (told, name) => () => told.said.match(new RegExp(`^${name} +(\\S+)$`, "m"))?.[1];

async function signIn(page, name) {
  await page.getByPlaceholder("Enter any login").fill(name);
  await page.getByPlaceholder("and password").fill("any");
  await page.getByRole("button", { name: "Sign-in" }).click();
  await page.getByRole("button", { name: "Continue" }).click();
}

async function shows(page, text) {
  await page.getByText(text).waitFor();
}

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
const visit = async (url) => {
  const page = await (await browser.newContext()).newPage();
  page.setDefaultTimeout(patience);
  await page.goto(url);
  return page;
};
try {
  const here = plugin("sign-in");
  const url = await until(() => existsSync(opened) && readFileSync(opened, "utf8").trim(), () => `page: ${here.said}`);
  const first = await visit(url);
  await signIn(first, "mira@example.com");
  await shows(first, "You may close this window");
  assert.equal(await here.ended, 0, here.said);
  assert.ok(here.said.includes("unlocked (ok)"), here.said);
  assert.equal(await plugin("ping").ended, 0);

  const denied = plugin("sign-in", "page");
  const second = await visit(await until(line(denied, "page"), () => `page: ${denied.said}`));
  await second.getByRole("link", { name: "Cancel" }).click();
  await shows(second, "You are not signed in");
  assert.equal(await denied.ended, 1, denied.said);
  assert.ok(denied.said.includes("sign_in_refused"), denied.said);

  assert.equal(await plugin("sign-out").ended, 0);
  const device = plugin("sign-in", "device");
  const code = await until(line(device, "code"), () => `code: ${device.said}`);
  const third = await visit(await until(line(device, "page"), () => `page: ${device.said}`));
  await third.getByPlaceholder("Enter code").fill(code);
  await third.getByRole("button", { name: "Continue" }).click();
  await third.getByRole("button", { name: "Continue" }).click();
  await signIn(third, "mira@example.com");
  assert.equal(await device.ended, 0, device.said);
  console.log("3 sign-ins: opened by the library, denied, at another device");
} finally {
  await browser.close();
}
