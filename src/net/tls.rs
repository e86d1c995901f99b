use crate::words::{Message, Phrase};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
    crypto::ring,
};
use rustls_platform_verifier::Verifier;
use seatlock_protocol::{edited::without_mark, plain};
use std::sync::Arc;
use x509_cert::{Certificate as Parsed, der::Decode, ext::pkix::name::DirectoryString, name::Name};

/// A certificate authority's certificate.
pub type Certificate = CertificateDer<'static>;

/// Reads one or more certificates from PEM.
///
/// # Errors
/// A sentence that says what is wrong with the text.
pub fn certificates(pem: &[u8]) -> Result<Vec<Certificate>, String> {
    let pem = without_mark(pem).map_err(|error| format!("this is no PEM text: {error}"))?;
    // The parser's words hold what it found, which may be a private key.
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|_| {
        "this PEM text cannot be read: its lines -----BEGIN CERTIFICATE----- and -----END CERTIFICATE----- must stand by \
         themselves, with nothing but base64 between them"
    })?;
    if found.is_empty() {
        return Err("there is no certificate in this PEM text".to_owned());
    }
    // One that cannot be an authority would make every connection fail, and be taken for the server's.
    match found.iter().position(|one| RootCertStore::empty().add(one.clone()).is_err()) {
        None => Ok(found),
        Some(at) => Err(format!(
            "certificate {} of this PEM text is damaged and cannot be an authority; take it out",
            at + 1
        )),
    }
}

/// The operating system's trust store and the extra authorities, judged by the platform's verifier
/// where it has one. Certificates are not pinned: a company may inspect its traffic, and the
/// signatures protect what matters.
///
/// The provider is handed over, never installed for the process: the host may have its own.
pub(super) fn configuration(secure: bool, extra_ca: &[Certificate]) -> Result<ClientConfig, Error> {
    let provider = Arc::new(ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    if !secure {
        // Plain http to loopback: nothing to read a certificate store for, and no certificate would be
        // trusted.
        return Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth());
    }
    let verifier = Naming(verifier(extra_ca, provider)?);
    Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth())
}

fn verifier(
    extra_ca: &[Certificate],
    provider: Arc<rustls::crypto::CryptoProvider>,
) -> Result<Verifier, Error> {
    if extra_ca.is_empty() {
        Verifier::new(provider)
    } else {
        Verifier::new_with_extra_roots(extra_ca.iter().cloned(), provider)
    }
}

/// Why a certificate is not trusted, in words, with the name of its issuer: it tells a company's
/// proxy from an attacker.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Untrusted(pub(super) Message);

/// The platform's verifier, which does not say who issued what it refuses.
#[derive(Debug)]
struct Naming(Verifier);

impl ServerCertVerifier for Naming {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.0.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        verified.map_err(|error| match error {
            Error::InvalidCertificate(fault) => {
                let by = match issuer(end_entity) {
                    Some(issuer) => Message::from(Phrase::CERT_BY).with("issuer", issuer),
                    None => Phrase::CERT_BY_NOBODY.into(),
                };
                let untrusted = Untrusted(by.because("fault", in_words(&fault).into()));
                Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(untrusted))))
            }
            other => other,
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// The TLS library's own words are for programmers.
pub(super) fn in_words(fault: &CertificateError) -> Phrase {
    use CertificateError as Fault;
    match fault {
        Fault::UnknownIssuer => Phrase::CERT_UNKNOWN_ISSUER,
        Fault::Expired | Fault::ExpiredContext { .. } => Phrase::CERT_EXPIRED,
        Fault::NotValidYet | Fault::NotValidYetContext { .. } => Phrase::CERT_NOT_YET,
        Fault::NotValidForName | Fault::NotValidForNameContext { .. } => Phrase::CERT_OTHER_NAME,
        Fault::Revoked => Phrase::CERT_REVOKED,
        Fault::BadEncoding => Phrase::CERT_DAMAGED,
        Fault::BadSignature => Phrase::CERT_SIGNATURE,
        Fault::InvalidPurpose | Fault::InvalidPurposeContext { .. } => Phrase::CERT_PURPOSE,
        Fault::UnknownRevocationStatus
        | Fault::ExpiredRevocationList
        | Fault::ExpiredRevocationListContext { .. } => Phrase::CERT_REVOCATION,
        _ => Phrase::CERT_REFUSED,
    }
}

/// Longest name that is shown. Nobody vouches for it, so it gets no room for a message of its own.
const LONGEST_NAME: usize = 64;

/// The issuer's name as its certificate tells it, unverified.
fn issuer(certificate: &CertificateDer<'_>) -> Option<String> {
    let parsed = Parsed::from_der(certificate).ok();
    let name = parsed.as_ref().and_then(|parsed| shown(parsed.tbs_certificate().issuer()));
    let name: String = plain(&name.unwrap_or_default()).chars().take(LONGEST_NAME).collect();
    Some(name).filter(|name| !name.trim().is_empty())
}

fn shown(name: &Name) -> Option<String> {
    let text = |found: Option<DirectoryString>| found.map(|text| text.value().into_owned());
    text(name.common_name().ok().flatten()).or_else(|| text(name.organization().ok().flatten()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pem_texts() {
        let one = include_bytes!("../../tests/data/ca.pem");
        assert_eq!(certificates(one).map(|found| found.len()), Ok(1));
        assert_eq!(certificates(&[&one[..], &one[..]].concat()).map(|found| found.len()), Ok(2));
        assert_eq!(certificates(&[&b"\xef\xbb\xbf"[..], one].concat()).map(|found| found.len()), Ok(1));
        let no_der = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let both = [&one[..], no_der].concat();
        // (what, text, the words)
        let rows: &[(&str, &[u8], &str)] = &[
            ("nothing", b"", "no certificate in this PEM text"),
            ("other text", b"no certificate", "no certificate in this PEM text"),
            ("UTF-16", b"\xff\xfe-\0", "it is UTF-16; save it as UTF-8"),
            ("half of one", &one[..one.len() / 2], "must stand by themselves"),
            ("one that is none", no_der, "certificate 1 of this PEM text is damaged"),
            ("a good one and one that is none", &both, "certificate 2 of this PEM text is damaged"),
            (
                "a key whose line ends are two characters",
                br"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA\n-----END PRIVATE KEY-----\n",
                "must stand by themselves",
            ),
        ];
        for (what, text, words) in rows {
            let said = certificates(text).unwrap_err();
            assert!(said.contains(words), "{what}: {said}");
            assert!(!said.contains("MC4C") && !said.contains("77, 67"), "{what}: {said}");
        }
    }
}
