use super::fetch::{client, reachable, unreachable};
use super::{Endpoints, Unusable};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::header::CONTENT_TYPE;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// The seat page, as an issuer knows it.
#[derive(Debug, Clone, Copy)]
pub struct RelyingParty<'a> {
    /// `client_id`.
    pub id: &'a str,
    /// The client secret; public clients have none.
    pub secret: Option<&'a str>,
    /// Where the issuer sends people back to.
    pub redirect: &'a str,
}

/// What binds an answer to the browser that asked: each of them is random.
#[derive(Debug, Clone, Copy)]
pub struct Bond<'a> {
    /// Comes back with the code (RFC 6749, section 10.12).
    pub state: &'a str,
    /// Comes back in the ID token (OpenID Connect Core, section 3.1.2.1).
    pub nonce: &'a str,
    /// Is shown with the code (RFC 7636).
    pub verifier: &'a str,
}

/// The address at which somebody signs in.
///
/// # Errors
/// [`Unusable`] when the issuer has none.
pub fn authorization_url(
    endpoints: &Endpoints,
    client: RelyingParty<'_>,
    bond: Bond<'_>,
) -> Result<String, Unusable> {
    let none = || Unusable::new("it publishes no address to sign in at");
    let url = endpoints.authorization_endpoint.as_deref().ok_or_else(none)?;
    let mut url = reachable(url)?;
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(bond.verifier));
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", client.id)
        .append_pair("redirect_uri", client.redirect)
        .append_pair("scope", "openid email")
        .append_pair("state", bond.state)
        .append_pair("nonce", bond.nonce)
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256");
    Ok(url.into())
}

/// The ID token for a code, not verified yet.
///
/// # Errors
/// [`Unusable`] when the issuer gives none.
pub async fn exchange(
    endpoints: &Endpoints,
    shown: RelyingParty<'_>,
    code: &str,
    verifier: &str,
) -> Result<Zeroizing<String>, Unusable> {
    #[derive(Deserialize)]
    struct Answer {
        id_token: Zeroizing<String>,
    }
    let none = || Unusable::new("it publishes no address for codes");
    let url = reachable(endpoints.token_endpoint.as_deref().ok_or_else(none)?)?;
    let mut asking = client(&url)?.post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    let mut form = vec![("grant_type", "authorization_code"), ("code", code)];
    form.extend([("redirect_uri", shown.redirect), ("code_verifier", verifier)]);
    match shown.secret {
        // RFC 6749, section 2.3.1: both are encoded once more.
        Some(secret) => {
            let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            asking = asking.basic_auth(encoded(shown.id), Some(Zeroizing::new(encoded(secret)).as_str()));
        }
        None => form.push(("client_id", shown.id)),
    }
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let answer = asking.body(form).send().await.map_err(|error| unreachable(&error))?;
    if !answer.status().is_success() {
        return Err(Unusable(format!(
            "it refuses the code with the HTTP status {}",
            answer.status().as_u16()
        )));
    }
    let answer = super::fetch::read(answer).await?;
    let answer: Answer =
        serde_json::from_slice(&answer).map_err(|_| Unusable::new("it gives no ID token"))?;
    Ok(answer.id_token)
}
