// Signing in with a real OpenID provider: a machine takes a seat and reads the admin API by HTTP, and a person signs in on the
// seat page in a real browser. `cargo xtask ci sign-in` starts it, with a server and a provider.

import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { chromium } from "playwright-core";

const { WALK_SERVER: server, WALK_PROVIDER: provider, WALK_PERSON: person, WALK_PRODUCT: product } = process.env;

/// An access token for the machine.
async function token(scope) {
  const answer = await fetch(`${provider}/token`, {
    method: "POST",
    headers: { authorization: `Basic ${btoa("farm:farm-secret")}` },
    body: new URLSearchParams({ grant_type: "client_credentials", scope }),
  });
  assert.equal(answer.status, 200);
  return (await answer.json()).access_token;
}

async function activate(bearer) {
  const answer = await fetch(`${server}/v1/seat/activate`, {
    method: "POST",
    headers: { authorization: `Bearer ${bearer}`, "content-type": "application/json" },
    body: JSON.stringify({
      nonce: randomBytes(16).toString("base64url"),
      product,
      machine: { id: `m1_${Buffer.alloc(32, 7).toString("base64url")}`, source: "os" },
      install_id: randomUUID(),
      client: { lib: "1.0.0" },
      clock: { wall: 0 },
    }),
  });
  return { status: answer.status, body: await answer.json() };
}

const refused = await activate(await token("seats:read"));
assert.deepEqual([refused.status, refused.body.code], [403, "scope_missing"]);
const taken = await activate(await token("seat:use"));
assert.equal(taken.status, 201, JSON.stringify(taken.body));
const again = await activate(await token("seat:use"));
assert.deepEqual([again.status, again.body.seat.id], [200, taken.body.seat.id], "the next token has the same seat");
const admin = await fetch(`${server}/admin/v1/seats`, {
  headers: { authorization: `Bearer ${await token("seats:read")}` },
});
const { items } = await admin.json();
assert.deepEqual(items.map((seat) => [seat.id, seat.subject, seat.issuer]), [[taken.body.seat.id, "farm", provider]]);

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
try {
  const page = await (await browser.newContext()).newPage();
  // A browser that shares its computer with builds takes its time.
  page.setDefaultTimeout(120_000);
  await page.goto(`${server}/audit`);
  await page.getByRole("link", { name: "Sign in with Example login" }).click();
  await page.locator("input[name=login]").fill(person);
  await page.locator("input[name=password]").fill("any");
  await page.locator("button[type=submit]").click();
  await page.getByRole("button", { name: "Continue" }).click();
  await page.waitForURL(`${server}/audit`);
  const shown = await page.locator("body").innerText();
  assert.ok(shown.includes(person), shown);
  await page.goto(`${server}/seats`);
  assert.ok((await page.locator("body").innerText()).includes("farm"));
} finally {
  await browser.close();
}
console.log("a machine took its seat, and a person came in by the page");
