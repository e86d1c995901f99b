use rustls::pki_types::{CertificateDer, pem::PemObject};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_platform_verifier::Verifier;
use std::sync::Arc;

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
pub(super) fn configuration(secure: bool, extra_ca: &[Certificate]) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    if !secure {
        // Plain http to loopback: nothing to read a certificate store for, and no certificate would be trusted.
        return Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth());
    }
    let verifier = verifier(extra_ca, provider)?;
    Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth())
}

fn verifier(
    extra_ca: &[Certificate],
    provider: Arc<rustls::crypto::CryptoProvider>,
) -> Result<Verifier, rustls::Error> {
    if extra_ca.is_empty() {
        Verifier::new(provider)
    } else {
        Verifier::new_with_extra_roots(extra_ca.iter().cloned(), provider)
    }
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
