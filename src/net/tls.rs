use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
    crypto::ring,
};
use rustls_platform_verifier::Verifier;
use seatlock_protocol::plain;
use std::sync::Arc;
use x509_cert::{Certificate as Parsed, der::Decode, ext::pkix::name::DirectoryString, name::Name};

/// A certificate authority's certificate.
pub type Certificate = CertificateDer<'static>;

/// Reads one or more certificates from PEM.
///
/// # Errors
/// A sentence that says what is wrong with the text.
pub fn certificates(pem: &[u8]) -> Result<Vec<Certificate>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err("there is no certificate in this PEM text".to_owned()),
        Ok(found) => Ok(found),
        Err(error) => Err(format!("this PEM text can not be read: {error}")),
    }
}

/// The operating system's trust store and the extra authorities, judged by the platform's verifier where it has one.
/// Certificates are not pinned: a company may inspect its traffic, and the signatures protect what matters.
///
/// The provider is handed over, never installed for the process: the host may have its own.
pub(super) fn configuration(secure: bool, extra_ca: &[Certificate]) -> Result<ClientConfig, Error> {
    let provider = Arc::new(ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    if !secure {
        // Plain http to loopback: nothing to read a certificate store for, and no certificate would be trusted.
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

/// Why a certificate is not trusted, in words, with the name of its issuer: it tells a company's proxy from an attacker.
#[derive(Debug, thiserror::Error)]
#[error("{fault}; the certificate is by {issuer}")]
pub(super) struct Untrusted {
    fault: String,
    issuer: String,
}

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
                let untrusted = Untrusted { fault: in_words(&fault), issuer: issuer(end_entity) };
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

fn in_words(fault: &CertificateError) -> String {
    use CertificateError as Fault;
    match fault {
        Fault::UnknownIssuer => "unknown issuer".to_owned(),
        Fault::Expired | Fault::ExpiredContext { .. } => "expired".to_owned(),
        Fault::NotValidYet | Fault::NotValidYetContext { .. } => "not valid yet".to_owned(),
        Fault::NotValidForName | Fault::NotValidForNameContext { .. } => "made for another name".to_owned(),
        Fault::Revoked => "revoked".to_owned(),
        Fault::Other(other) => other.0.to_string(),
        other => other.to_string(),
    }
}

/// Longest name that is shown. Nobody vouches for it, so it gets no room for a message of its own.
const LONGEST_NAME: usize = 64;

/// The issuer's name as its certificate tells it, unverified.
fn issuer(certificate: &CertificateDer<'_>) -> String {
    let parsed = Parsed::from_der(certificate).ok();
    let name = parsed.as_ref().and_then(|parsed| shown(parsed.tbs_certificate().issuer()));
    let name: String = plain(&name.unwrap_or_default()).chars().take(LONGEST_NAME).collect();
    if name.trim().is_empty() { "nobody who is named".to_owned() } else { format!("\"{name}\"") }
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
        for broken in [&b""[..], b"no certificate", b"\xff\xfe", &one[..one.len() / 2]] {
            assert!(certificates(broken).is_err());
        }
    }
}
