//! The library and the server together.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed, and figures are worth reading"
)]

#[cfg(unix)]
mod airgap;
mod answers;
mod bad_issuers;
mod clones;
mod end_to_end;
#[cfg(unix)]
mod family;
mod fault_proxy;
#[cfg(unix)]
mod giving_up;
#[cfg(unix)]
mod headless;
mod hostile;
mod keys;
#[cfg(unix)]
mod keys_page;
mod launches;
mod license_contents;
mod network_gate;
#[cfg(unix)]
mod operations_page;
#[cfg(unix)]
mod processes;
#[cfg(target_os = "linux")]
mod refusals;
mod relay;
mod restore;
mod support;
