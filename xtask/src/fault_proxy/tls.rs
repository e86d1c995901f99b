use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, crypto::ring};
use std::sync::Arc;

/// What is wrong with a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing.
    None,
    /// It was made for another name.
    OtherName,
    Expired,
    /// It has not begun.
    NotYet,
    /// It is its own issuer.
    SelfSigned,
    /// Its issuer is not trusted.
    UnknownIssuer,
    /// Its issuer's name is a long message to the user, with a line break.
    Chatty,
}

/// Name of the authority that clients are told to trust.
const TRUSTED: &str = "Test Company CA";
/// Name of the authority that nobody trusts, such as a firewall's.
const UNTRUSTED: &str = "Test Firewall CA";

/// A TLS server's settings, and the authority (PEM) that a client has in its extra-CA option.
pub(super) fn configuration(fault: Fault) -> Result<(Arc<ServerConfig>, String)> {
    let (authority, trusted) = authority(TRUSTED)?;
    // The second name is for clients that must not know that this computer answers.
    let names: &[&str] =
        if fault == Fault::OtherName { &["other.test"] } else { &["127.0.0.1", "license.test"] };
    let mut params = CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    params.distinguished_name.push(DnType::CommonName, "127.0.0.1");
    match fault {
        Fault::Expired => {
            (params.not_before, params.not_after) = (date_time_ymd(2019, 1, 1), date_time_ymd(2020, 1, 1));
        }
        Fault::NotYet => {
            (params.not_before, params.not_after) = (date_time_ymd(3019, 1, 1), date_time_ymd(3020, 1, 1));
        }
        _ => {}
    }
    let key = KeyPair::generate()?;
    let long = format!("Call +1 555 0100\nto unlock your license {}", "now ".repeat(100));
    let made = match fault {
        Fault::SelfSigned => params.self_signed(&key)?,
        Fault::UnknownIssuer => params.signed_by(&key, &self::authority(UNTRUSTED)?.0)?,
        Fault::Chatty => params.signed_by(&key, &self::authority(&long)?.0)?,
        _ => params.signed_by(&key, &authority)?,
    };
    let chain = vec![CertificateDer::from(made.der().to_vec())];
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config =
        builder.with_safe_default_protocol_versions()?.with_no_client_auth().with_single_cert(chain, key)?;
    Ok((Arc::new(config), trusted))
}

fn authority(name: &str) -> Result<(Issuer<'static, KeyPair>, String)> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    let key = KeyPair::generate()?;
    let pem = params.self_signed(&key)?.pem();
    Ok((Issuer::new(params, key), pem))
}
