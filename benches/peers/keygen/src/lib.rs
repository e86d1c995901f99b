//! keygen-rs behind a C interface: what it verifies without a network.

use keygen_rs::config::{KeygenConfig, set_config};
use keygen_rs::license::{LicenseValidationRequest, SchemeCode};
use std::ffi::{CStr, c_char, c_int};

/// Answers 0 for a license key that this public key, in hexadecimal, has signed.
///
/// # Safety
/// Both are strings of C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keygen_verify(public_key: *const c_char, signed_key: *const c_char) -> c_int {
    // SAFETY: the caller hands over strings.
    let (public, signed) = unsafe { (CStr::from_ptr(public_key), CStr::from_ptr(signed_key)) };
    let (Ok(public), Ok(signed)) = (public.to_str(), signed.to_str()) else { return 2 };
    let config = KeygenConfig { public_key: Some(public.to_owned()), ..KeygenConfig::default() };
    let verified = set_config(config).and_then(|()| keygen_rs::verify(SchemeCode::Ed25519Sign, signed));
    c_int::from(verified.is_err())
}

/// Asks the server whether a license is valid, so that what a plug-in needs of HTTP and TLS is
/// linked. Answers 0 if it is.
///
/// # Safety
/// All are strings of C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn keygen_validate(
    account: *const c_char,
    product: *const c_char,
    license_key: *const c_char,
    fingerprint: *const c_char,
) -> c_int {
    // SAFETY: the caller hands over strings.
    let text = |text: *const c_char| unsafe { CStr::from_ptr(text) }.to_str().map(str::to_owned);
    let (Ok(account), Ok(product), Ok(license_key), Ok(fingerprint)) =
        (text(account), text(product), text(license_key), text(fingerprint))
    else {
        return 2;
    };
    let config = KeygenConfig { account, product, license_key: Some(license_key), ..KeygenConfig::default() };
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return 3 };
    let request = LicenseValidationRequest::for_fingerprint(fingerprint);
    let validated = set_config(config).and_then(|()| runtime.block_on(keygen_rs::validate(&request)));
    c_int::from(validated.is_err())
}
