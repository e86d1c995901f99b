//! The library by itself: rules, header, exports, and C programs that are not nice to it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed, and figures are worth reading"
)]

mod answers_and_calls;
mod architecture;
#[cfg(all(feature = "capi", unix))]
mod bad_input;
#[cfg(all(feature = "capi", unix))]
mod c_program;
mod catalogues;
mod causes;
mod clock_properties;
#[cfg(unix)]
mod environment;
#[cfg(all(feature = "capi", target_os = "linux"))]
mod exports;
#[cfg(feature = "capi")]
mod header;
#[cfg(feature = "capi")]
mod ledger;
mod license_airgap;
mod license_contents;
mod license_properties;
mod license_rules;
mod license_support;
#[cfg(all(feature = "capi", target_os = "linux"))]
mod lifecycle;
#[cfg(all(feature = "capi", target_os = "linux"))]
mod load;
mod secrets_and_proxies;
mod signed_texts;
mod source;
mod unsigned_members;
#[cfg(all(feature = "capi", target_os = "linux"))]
mod wake;
