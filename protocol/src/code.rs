use crate::plain;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// What a verdict does to the stored lease. Nothing else takes rights away before the lease ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Act {
    /// Forget the lease and remember the verdict instead.
    Drop,
    /// Report, change nothing.
    Keep,
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The code itself.
    pub code: Code,
    /// Stable number; the C interface uses its negative for errors.
    pub number: u8,
    /// Stable name, the same on the wire.
    pub name: &'static str,
    /// HTTP status that the server (407: the proxy) sends with it, 0 when it never travels.
    pub http: u16,
    /// What the user reads; `{name}` marks a blank.
    pub text: &'static str,
    /// What a person can do about it.
    pub remedy: &'static str,
    /// The page that explains it, for people and as the `type` of problem documents.
    pub url: &'static str,
}

/// Begins the address of every code's page: `docs/codes.md`.
macro_rules! page {
    ($name:literal) => {
        concat!("https://github.com/seatlock/seatlock/blob/main/docs/codes.md#", $name)
    };
}

macro_rules! codes {
    ($($variant:ident = $number:literal, $name:literal, $http:literal, $text:literal, $remedy:literal;)+) => {
        /// Everything that can be said about a license. Numbers and names are never reused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = $text] $variant = $number,)+
        }

        impl Code {
            /// Every row, by number.
            pub const TABLE: &[Row] = &[
                $(Row { code: Self::$variant, number: $number, name: $name, http: $http, text: $text, remedy: $remedy, url: page!($name) },)+
            ];

            /// The code with this number.
            #[must_use]
            pub const fn from_number(number: u8) -> Option<Self> {
                match number {
                    $($number => Some(Self::$variant),)+
                    _ => None,
                }
            }

            /// This code's row.
            #[must_use]
            pub const fn row(self) -> &'static Row {
                match self {
                    $(Self::$variant => &Row {
                        code: Self::$variant, number: $number, name: $name, http: $http, text: $text, remedy: $remedy,
                        url: page!($name),
                    },)+
                }
            }
        }
    };
}

codes! {
    Ok = 0, "ok", 200, "Licensed.", "Nothing to do.";
    OkOffline = 1, "ok_offline", 0, "Working offline. Connect before {date}.", "Connect to the network before that date.";
    OkWarn = 2, "ok_warn", 0, "License check overdue, {n} days left.", "Connect to the network once.";
    NoEvent = 3, "no_event", 0, "Nothing has happened.", "Nothing to do.";
    Pending = 4, "pending", 0, "It has not ended yet.", "Wait longer, or cancel it.";
    NoValue = 5, "no_value", 0, "There is no such value now.", "Ask again when there is a license.";
    NotActivated = 6, "not_activated", 0, "This computer is not activated yet.", "Enter a token, or sign in.";
    StillRunning = 7, "still_running", 0, "A function of the host is still running.",
        "Keep what it uses, and the library, in memory.";

    NoToken = 10, "no_token", 0, "Enter your license token.",
        "Paste the integration token that you were given; the account owner creates it in Seat Management.";
    TokenMalformed = 11, "token_malformed", 400, "The token looks incomplete or mistyped. Copy it again.",
        "Copy all 40 characters, from the kind (\"sit_\") to the end.";
    TokenWrongKind = 12, "token_wrong_kind", 403,
        "This is not an integration token; this plug-in needs an integration token from Seat Management.",
        "Ask the account owner for an integration token; it begins with \"sit_\".";
    TokenUnknown = 13, "token_unknown", 401, "The server does not know this token.",
        "Check that the token belongs to this product and server, and copy it again.";
    TokenRevoked = 14, "token_revoked", 403, "This token was revoked and cannot be used again. Ask for a new one.",
        "Ask the account owner for a new token.";
    SignInRequired = 15, "sign_in_required", 401, "Sign in to use this plug-in.",
        "Sign in once; on a machine without a person, set SEATLOCK_CLIENT_ID and SEATLOCK_CLIENT_SECRET.";
    SignInRefused = 16, "sign_in_refused", 0, "The sign-in was refused. {reason}.",
        "Sign in again and allow what the plug-in asks for; for a machine, check client id and secret.";
    ScopeMissing = 17, "scope_missing", 403,
        "The sign-in does not include a permission that is needed here. It is called {scope}.",
        "Ask the operator of the sign-in service to grant that permission.";
    IdentityUnknown = 18, "identity_unknown", 403, "No account of the license server belongs to this sign-in.",
        "Sign in as somebody else, or ask the account owner to admit you.";
    IdentityProviderUnavailable = 19, "identity_provider_unavailable", 503, "The sign-in service cannot be used. {reason}.",
        "Check the network and the address of the sign-in service, and try again later.";

    SeatInUseElsewhere = 20, "seat_in_use_elsewhere", 409,
        "In use on {machine} since {date}. It can be released at {time}.",
        "Release the seat on the other computer, or ask the account owner to release it.";
    SeatLimitReached = 21, "seat_limit_reached", 409, "All {n} seats are in use.",
        "Wait until a seat is released, or ask the account owner for more seats.";
    SeatReleased = 22, "seat_released", 409,
        "This seat was released by the account owner. Enter the token again if you should have it.",
        "Enter the token again to take the seat back.";
    ReleaseRateLimited = 23, "release_rate_limited", 429,
        "A seat was already released. One release is possible per license in {window}. Again at {time}.",
        "Wait until that time; the license says how often a seat may be released.";
    LeaseSuperseded = 24, "lease_superseded", 409,
        "Another copy of this installation is active. Enter the token again.",
        "Enter the token again; if this happens more than once, another computer uses a copy of this one's files.";
    MachineIdSupplied = 25, "machine_id_supplied", 403,
        "This license needs the id of the computer itself, but another one was supplied.",
        "Take SEATLOCK_MACHINE_ID out of the environment, or ask the account owner to allow supplied ids.";

    LicenseSuspended = 30, "license_suspended", 403, "The subscription is paused.",
        "Ask the account owner to resume the subscription.";
    LicenseExpired = 31, "license_expired", 403, "The subscription ended on {date}.",
        "Ask the account owner to renew the subscription.";
    PlanNotEntitled = 32, "plan_not_entitled", 403, "Your plan does not include this product.",
        "Ask the account owner for a plan or an add-on that includes it.";
    TermsRequired = 33, "terms_required", 422, "Please accept the license terms.",
        "Read the terms and tick that you agree.";
    PluginTooOld = 34, "plugin_too_old", 426, "Please update the plug-in.",
        "Install the newest version of the plug-in.";
    UpdateNotIncluded = 35, "update_not_included", 403,
        "This version of the plug-in is newer than your license's updates. They ended on {date}.",
        "Install a version that was released by then, or ask the account owner to extend the updates.";

    LeaseExpired = 40, "lease_expired", 0, "The offline period ended on {date}. Connect once.",
        "Connect to the network and start the plug-in again.";
    MachineMismatch = 41, "machine_mismatch", 0, "This license belongs to another computer.",
        "Enter a token on this computer; licenses cannot be copied between computers.";
    MachineIdUnavailable = 42, "machine_id_unavailable", 0, "This computer has no stable identity.",
        "Give the operating system its machine id (on Linux: systemd-machine-id-setup; on Windows: the registry value MachineGuid), or set SEATLOCK_MACHINE_ID.";
    ClockError = 43, "clock_error", 0, "The computer's date is wrong ({date}). Fix it or connect.",
        "Set the computer's date and time, or connect to the network.";
    StoreUnwritable = 44, "store_unwritable", 0, "The license file {path} cannot be saved.",
        "Make the folder writable, or choose another with SEATLOCK_STATE_DIR.";
    StoreCorrupt = 45, "store_corrupt", 0, "The license file {path} cannot be read. It is kept.",
        "Enter the token again, or restore the file from a backup.";

    FileUnusable = 46, "file_unusable", 0, "The file {path} cannot be used: {reason}.",
        "Choose the file that was made for this computer's last request, or another place to write to.";

    Unreachable = 50, "unreachable", 0, "The license server is not reachable. {reason}.",
        "Check the network, the proxy and the server's address.";
    UnexpectedResponse = 51, "unexpected_response", 0,
        "A proxy or login page answered instead of the license server. {reason}. HTTP status: {status}.",
        "Open a browser and sign in to the network, or ask for the license server to be allowed.";
    TlsUntrusted = 52, "tls_untrusted", 0, "The connection is not trusted ({reason}).",
        "Give the plug-in the certificate of your company's proxy, check the computer's date, or install the system's \
         certificate authorities (ca-certificates).";
    RateLimited = 53, "rate_limited", 429, "Too many tries. Next at {time}.", "Wait until that time.";
    ServerError = 54, "server_error", 500, "The license server has a problem. {reason}.",
        "Try again later; quote the request id to support.";
    Maintenance = 55, "maintenance", 503, "The license server is being maintained.", "Try again later.";
    ReplayedResponse = 56, "replayed_response", 0, "Unexpected answer from the server (an old answer).",
        "Something between this computer and the server repeats old answers; ask your network administrator.";
    BadSignature = 57, "bad_signature", 0, "Unexpected answer from the server (its signature is not valid).",
        "Check the server's address; update the plug-in if the server's keys have changed.";
    ProxyAuthRequired = 58, "proxy_auth_required", 407, "The network's proxy asks for a password.",
        "Put user and password into the proxy's address. A proxy that signs in by Windows only (NTLM, Negotiate) must let the license server through.";
    NetworkDisallowed = 59, "network_disallowed", 0, "Networking is switched off. {reason}.",
        "Allow online access in the host application's preferences, or take SEATLOCK_OFFLINE out of the environment.";

    InvalidArgument = 60, "invalid_argument", 400, "An argument is not valid.",
        "See the message, and the function's documentation.";
    NullPointer = 61, "null_pointer", 0, "A pointer argument is NULL.", "Pass a valid pointer.";
    InvalidUtf8 = 62, "invalid_utf8", 0, "A text argument is not UTF-8.", "Convert the text to UTF-8.";
    StructSize = 63, "struct_size", 0, "A struct_size is not one that this version knows.",
        "Set struct_size to sizeof the struct before the call.";
    BufferTooSmall = 64, "buffer_too_small", 0, "The buffer is too small.",
        "Call again with a buffer of the reported size.";
    Internal = 65, "internal", 0, "The license library has a defect and stopped working.",
        "Restart the host application, and report the defect.";
    Forked = 66, "forked", 0, "This client belongs to the parent process.", "Open a client in this process.";
    Closed = 67, "closed", 0, "The client is closed.", "Open a new client.";
    Cancelled = 68, "cancelled", 0, "The operation was cancelled.", "Start it again if it is still wanted.";
    UnknownOperation = 69, "unknown_operation", 0, "There is no such operation, or its event was already taken.",
        "Wait only for numbers that this client gave, once each.";
    Busy = 70, "busy", 0, "Too many operations are waiting.", "Wait for some to end.";
}

impl Code {
    /// Stable number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// The code with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::TABLE.iter().find(|row| row.name == name).map(|row| row.code)
    }

    /// The user's text with its blanks filled. A sentence whose blank has no value is left out.
    #[must_use]
    pub fn text<'a>(self, value_of: impl Fn(&str) -> Option<&'a str>) -> String {
        let text = filled(self.row().text, |name| value_of(name).map(Cow::Borrowed));
        if text.is_empty() { self.name().replace('_', " ") } else { text }
    }
}

/// A text of any language with its blanks filled. A sentence whose blank has no value is left out,
/// and all of them may be.
#[must_use]
pub fn filled<'a>(text: &str, value_of: impl Fn(&str) -> Option<Cow<'a, str>>) -> String {
    let sentences = text.split_inclusive(". ").flat_map(|part| part.split_inclusive('\u{3002}'));
    let mut text: String = sentences.filter_map(|sentence| fill(sentence, &value_of)).collect();
    text.truncate(text.trim_end().len());
    text
}

/// `None` when a blank has no value. A value is a word or two from a verified answer or from this
/// computer.
fn fill<'a>(sentence: &str, value_of: &impl Fn(&str) -> Option<Cow<'a, str>>) -> Option<String> {
    let mut filled = String::new();
    let mut rest = sentence;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        filled.push_str(before);
        filled.push_str(&plain(&value_of(name)?));
        rest = after;
    }
    filled.push_str(rest);
    Some(filled)
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = Cow::<'de, str>::deserialize(deserializer)?;
        Self::from_name(&name).ok_or_else(|| serde::de::Error::custom("unknown code"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_unique_and_found_again() {
        for (at, row) in Code::TABLE.iter().enumerate() {
            assert_eq!(row, row.code.row());
            assert_eq!(Code::from_number(row.number), Some(row.code));
            assert_eq!(Code::from_name(row.name), Some(row.code));
            assert!(Code::TABLE[..at].iter().all(|earlier| earlier.number < row.number), "{}", row.name);
            assert!(row.text.ends_with('.') && row.remedy.ends_with('.'), "{}", row.name);
        }
    }

    #[test]
    fn a_sentence_with_an_empty_blank_is_left_out() {
        let known = |name: &str| match name {
            "machine" => Some("YBWE-SEZM"),
            "date" => Some("2026-11-20"),
            _ => None,
        };
        let text = Code::SeatInUseElsewhere.text(known);
        assert_eq!(text, "In use on YBWE-SEZM since 2026-11-20.");
        assert_eq!(Code::SeatLimitReached.text(|_| None), "seat limit reached");
        let hostile = |_: &str| Some("3\r\n\u{1b}]0;free\u{7}\u{202e}");
        assert_eq!(Code::SeatLimitReached.text(hostile), "All 3   ]0;free  seats are in use.");
        assert_eq!(Code::TokenRevoked.text(|_| None), Code::TokenRevoked.row().text);
        let japanese = "{machine} \u{3067}\u{3059}\u{3002}{time} \u{304b}\u{3089}\u{3002}{date}\u{3002}";
        let text = filled(japanese, |name| known(name).map(Cow::Borrowed));
        assert_eq!(text, "YBWE-SEZM \u{3067}\u{3059}\u{3002}2026-11-20\u{3002}");
    }
}
