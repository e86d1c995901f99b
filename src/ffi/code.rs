use crate::{Code, Failure};

/// What functions return, and what events and the status report. Zero is success, a positive number
/// means that nothing is wrong but there is nothing to give or something to notice, a negative
/// number is an error. Numbers are never reused. `seatlock_code_text` and `seatlock_code_remedy`
/// explain each to a person.
pub type seatlock_result = i32;

#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(dead_code, reason = "codes travel as numbers; the enumeration is there for the header")]
pub enum seatlock_result_value {
    /// Done; licensed.
    SEATLOCK_OK = 0,
    /// Licensed, working offline.
    SEATLOCK_OK_OFFLINE = 1,
    /// Licensed, but the offline period ends soon.
    SEATLOCK_OK_WARN = 2,
    /// No event is waiting.
    SEATLOCK_NO_EVENT = 3,
    /// The operation has not ended in the time given.
    SEATLOCK_PENDING = 4,
    /// There is no such text or value now.
    SEATLOCK_NO_VALUE = 5,
    /// A launch ping found no token to activate this computer with; nothing was sent.
    SEATLOCK_NOT_ACTIVATED = 6,
    /// The client is closed, but a function of the host or a call on another thread still runs.
    SEATLOCK_STILL_RUNNING = 7,

    /// No token was entered on this computer.
    SEATLOCK_ERROR_NO_TOKEN = -10,
    /// The token is incomplete or mistyped; nothing was sent.
    SEATLOCK_ERROR_TOKEN_MALFORMED = -11,
    /// The token is sound but of another kind; nothing was sent.
    SEATLOCK_ERROR_TOKEN_WRONG_KIND = -12,
    /// The server does not know the token.
    SEATLOCK_ERROR_TOKEN_UNKNOWN = -13,
    /// The token was revoked, for good.
    SEATLOCK_ERROR_TOKEN_REVOKED = -14,
    /// Nobody is signed in at the sign-in service, or the sign-in has ended.
    SEATLOCK_ERROR_SIGN_IN_REQUIRED = -15,
    /// The sign-in service refused: a person said no, or client id and secret are not good.
    SEATLOCK_ERROR_SIGN_IN_REFUSED = -16,
    /// The sign-in does not include a scope that the server needs.
    SEATLOCK_ERROR_SCOPE_MISSING = -17,
    /// The server has no account for who signed in.
    SEATLOCK_ERROR_IDENTITY_UNKNOWN = -18,
    /// The sign-in service does not answer, or not as it should.
    SEATLOCK_ERROR_IDENTITY_PROVIDER_UNAVAILABLE = -19,
    /// Another computer holds the seat.
    SEATLOCK_ERROR_SEAT_IN_USE_ELSEWHERE = -20,
    /// All seats of the license are in use.
    SEATLOCK_ERROR_SEAT_LIMIT_REACHED = -21,
    /// The seat was released; entering the token again takes it back.
    SEATLOCK_ERROR_SEAT_RELEASED = -22,
    /// A seat of the license was already released a short while ago.
    SEATLOCK_ERROR_RELEASE_RATE_LIMITED = -23,
    /// A copy of this installation took the lease over.
    SEATLOCK_ERROR_LEASE_SUPERSEDED = -24,
    /// The license refuses machine ids that were supplied.
    SEATLOCK_ERROR_MACHINE_ID_SUPPLIED = -25,
    /// The subscription is paused.
    SEATLOCK_ERROR_LICENSE_SUSPENDED = -30,
    /// The subscription ended.
    SEATLOCK_ERROR_LICENSE_EXPIRED = -31,
    /// The plan does not include this product.
    SEATLOCK_ERROR_PLAN_NOT_ENTITLED = -32,
    /// The terms were not accepted; nothing was sent.
    SEATLOCK_ERROR_TERMS_REQUIRED = -33,
    /// The server wants a newer plug-in.
    SEATLOCK_ERROR_PLUGIN_TOO_OLD = -34,
    /// The license includes no version that was released as late as this plug-in.
    SEATLOCK_ERROR_UPDATE_NOT_INCLUDED = -35,
    /// The offline period ended.
    SEATLOCK_ERROR_LEASE_EXPIRED = -40,
    /// The stored lease belongs to another computer.
    SEATLOCK_ERROR_MACHINE_MISMATCH = -41,
    /// The computer has no stable identity.
    SEATLOCK_ERROR_MACHINE_ID_UNAVAILABLE = -42,
    /// The computer's clock is wrong.
    SEATLOCK_ERROR_CLOCK = -43,
    /// The state folder cannot be written.
    SEATLOCK_ERROR_STORE_UNWRITABLE = -44,
    /// A state file cannot be read.
    SEATLOCK_ERROR_STORE_CORRUPT = -45,
    /// A file that a person carries cannot be read, written or understood.
    SEATLOCK_ERROR_FILE_UNUSABLE = -46,
    /// No connection to the server.
    SEATLOCK_ERROR_UNREACHABLE = -50,
    /// Something else answered in the server's place.
    SEATLOCK_ERROR_UNEXPECTED_RESPONSE = -51,
    /// The connection's certificate is not trusted.
    SEATLOCK_ERROR_TLS_UNTRUSTED = -52,
    /// The server asked to wait.
    SEATLOCK_ERROR_RATE_LIMITED = -53,
    /// The server failed.
    SEATLOCK_ERROR_SERVER = -54,
    /// The server is being maintained.
    SEATLOCK_ERROR_MAINTENANCE = -55,
    /// An old answer was repeated.
    SEATLOCK_ERROR_REPLAYED_RESPONSE = -56,
    /// The answer's signature is not valid.
    SEATLOCK_ERROR_BAD_SIGNATURE = -57,
    /// The proxy asks for a password.
    SEATLOCK_ERROR_PROXY_AUTH_REQUIRED = -58,
    /// Networking is switched off, by the host or in the environment.
    SEATLOCK_ERROR_NETWORK_DISALLOWED = -59,
    /// An argument is not valid.
    SEATLOCK_ERROR_INVALID_ARGUMENT = -60,
    /// A pointer argument is NULL.
    SEATLOCK_ERROR_NULL_POINTER = -61,
    /// A text argument is not UTF-8.
    SEATLOCK_ERROR_INVALID_UTF8 = -62,
    /// A `struct_size` is zero, too small or absurdly large.
    SEATLOCK_ERROR_STRUCT_SIZE = -63,
    /// The buffer is too small; the needed size was reported.
    SEATLOCK_ERROR_BUFFER_TOO_SMALL = -64,
    /// A defect of the library; the client is of no further use but can be closed.
    SEATLOCK_ERROR_INTERNAL = -65,
    /// The client was opened by the parent of this process.
    SEATLOCK_ERROR_FORKED = -66,
    /// The client is closed.
    SEATLOCK_ERROR_CLOSED = -67,
    /// The operation was cancelled.
    SEATLOCK_ERROR_CANCELLED = -68,
    /// No such operation, or its event was already taken.
    SEATLOCK_ERROR_UNKNOWN_OPERATION = -69,
    /// Too many operations are waiting.
    SEATLOCK_ERROR_BUSY = -70,
}

/// The number of a code in the C interface: its table number, negative when it is an error.
pub(super) fn number(code: Code) -> seatlock_result {
    let number = i32::from(code.number());
    if number < 10 { number } else { -number }
}

/// The code that a host means.
pub(super) fn known(code: seatlock_result) -> Result<Code, Failure> {
    let found = Code::TABLE.iter().map(|row| row.code).find(|known| number(*known) == code);
    found.ok_or(Failure::new(Code::InvalidArgument, "no such code"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_c_enumeration_is_the_table() {
        let source = include_str!("code.rs");
        let mut listed: Vec<(String, i32)> = source
            .lines()
            .filter_map(|line| line.trim().strip_prefix("SEATLOCK_")?.strip_suffix(',')?.split_once(" = "))
            .map(|(name, number)| (name.to_lowercase(), number.parse().unwrap()))
            .collect();
        let mut table: Vec<(String, i32)> = Code::TABLE
            .iter()
            .map(|row| {
                let prefix = if row.number < 10 { "" } else { "error_" };
                // An error of the clock is no "error clock error".
                let name = row.name.trim_end_matches("_error");
                (format!("{prefix}{name}"), number(row.code))
            })
            .collect();
        listed.sort();
        table.sort();
        assert_eq!(listed, table);
    }
}
