//! The C interface. It uses the public Rust API of this crate and nothing else.
//!
//! Every export runs inside [`guard::guard`], so a panic becomes a result code. The list of
//! exports:
//!
//! | noun | functions |
//! |---|---|
//! | library | `seatlock_version`, `seatlock_abi_version`, `seatlock_code_name`, `seatlock_code_text`, `seatlock_code_remedy`, `seatlock_code_url`, `seatlock_code_count`, `seatlock_code_at`, `seatlock_machine_id` |
//! | options | `seatlock_options_new`, `_free`, `_set_product`, `_set_family`, `_set_server`, `_set_license_issuer`, `_add_root_key`, `_add_lease_key`, `_set_state_folder`, `_set_machine_id`, `_set_proxy`, `_add_ca_certificates`, `_set_host`, `_set_catalogue`, `_set_utc_offset`, `_set_plugin`, `_set_terms`, `_set_auto_renew`, `_set_network_allowed`, `_set_account_folder`, `_set_oidc_issuer`, `_set_client_id`, `_set_client_secret`, `_set_scopes`, `_set_audience`, `_set_wake`, `_set_log` |
//! | client | `seatlock_client_open`, `_close`, `_allow_network`, `_set_proxy`, `_add_ca_certificates`, `_status`, `_text`, `_status_value`, `_code_text`, `_code_remedy`, `_report`, `_entitlement`, `_license`, `_credential` |
//! | operation | `seatlock_client_activate`, `_ping`, `_release`, `_preflight`, `_sign_in_browser`, `_sign_in_device`, `_sign_out`, `_forget`, `_request_file`, `_import_file`, `_release_file`, `_cancel` |
//! | event | `seatlock_client_next_event`, `_wait`, `_event_handle`, `seatlock_event_value` |

// C names are the point of this room.
#![allow(non_camel_case_types, clippy::missing_safety_doc)]

/// The way in and out: checked pointers, texts and structs.
mod boundary;
/// Open, close and read a client.
mod client;
/// Result codes.
mod code;
/// Detail of a failed call, in a struct of the caller.
mod error;
/// What operations and state changes report.
mod event;
/// Lets no panic out.
mod guard;
/// What needs no client: version, texts of codes, a machine id.
mod library;
/// Work that is started and reports by an event.
mod operation;
/// How a client is to be opened.
mod options;
/// The lock state, as plain numbers.
mod status;

/// A moment as C has it: Unix seconds, 0 for none.
fn seconds(time: Option<crate::protocol::UnixTime>) -> i64 {
    time.map_or(0, |time| time.seconds())
}
