// An OpenID provider for tests: oidc-provider with access tokens in the form of JWTs for the license server, and pages that
// let in whoever types a name. Its environment, all of it optional:
//
//   PROVIDER_PORT       a free port when it is not said
//   PROVIDER_AUDIENCE   `aud` of the access tokens
//   PROVIDER_REDIRECT   redirect URI of the web client
//   PROVIDER_TTL        seconds that an access token lives
//   PROVIDER_REVOKED    a client that there is no more
//
// It prints its address, one line, when it listens, and ends with its standard input.

import { createServer } from "node:http";
import { Provider } from "oidc-provider";

const {
  PROVIDER_PORT: port = "0",
  PROVIDER_AUDIENCE: audience = "urn:example:seatlock",
  PROVIDER_REDIRECT: redirect = "http://127.0.0.1/sign-in/back",
  PROVIDER_TTL: ttl = "300",
  PROVIDER_REVOKED: revoked,
} = process.env;
const scopes = ["seat:use", "seats:read", "seats:write", "audit:read"];

const clients = [
  {
    client_id: "farm",
    client_secret: "farm-secret",
    client_name: "Render farm",
    grant_types: ["client_credentials"],
    redirect_uris: [],
    response_types: [],
  },
  {
    client_id: "plugin",
    client_name: "Plug-in",
    application_type: "native",
    token_endpoint_auth_method: "none",
    grant_types: ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
    redirect_uris: ["http://127.0.0.1/", "http://127.0.0.1/callback", "http://[::1]/callback"],
  },
  {
    client_id: "seat-page",
    client_secret: "seat-page-secret",
    client_name: "Seat Management",
    grant_types: ["authorization_code"],
    redirect_uris: [redirect],
  },
];

/// Whoever signs in as "mira@example.com" has that address, verified; other names have none.
const findAccount = (_, id) => ({
  accountId: id,
  claims: async () => ({ sub: id, name: id, ...(id.includes("@") && { email: id, email_verified: true }) }),
});

// Only a server that listens knows its port, and the provider needs it for its name.
let answer;
const server = createServer((request, response) => answer(request, response));
server.listen(Number(port), "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: clients.filter((client) => client.client_id !== revoked),
    findAccount,
    scopes: ["openid", "offline_access", "email", "profile"],
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
    conformIdTokenClaims: false,
    cookies: { keys: ["a key of tests only"] },
    ttl: { AccessToken: Number(ttl), ClientCredentials: Number(ttl) },
    pkce: { required: () => true },
    rotateRefreshToken: true,
    issueRefreshToken: async (_, client) => client.grantTypeAllowed("refresh_token"),
    clientBasedCORS: () => false,
    // An e-mail address in an access token, as many providers have it.
    extraTokenClaims: async (_, token) =>
      token.accountId?.includes("@") ? { email: token.accountId, email_verified: true } : undefined,
    features: {
      clientCredentials: { enabled: true },
      deviceFlow: { enabled: true },
      devInteractions: { enabled: true },
      introspection: { enabled: true },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: async () => audience,
        useGrantedResource: async () => true,
        getResourceServerInfo: async () => ({
          scope: scopes.join(" "),
          audience,
          accessTokenTTL: Number(ttl),
          accessTokenFormat: "jwt",
          jwt: { sign: { alg: "RS256" } },
        }),
      },
    },
  });
  answer = provider.callback();
  console.log(issuer);
});

process.stdin.on("end", () => process.exit(0)).resume();
