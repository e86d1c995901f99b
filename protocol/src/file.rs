use crate::{TokenHash, api::MAX_BODY, api::SeatRequest, edited, edited::EditedError};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Largest file, in bytes.
pub const MAX_FILE: usize = MAX_BODY;

const VERSION: u64 = 1;

/// What a machine without a network asks of the server. A person carries it. The token is not part
/// of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestFile {
    /// What is asked for.
    pub call: FileCall,
    /// The server that the machine believes.
    pub issuer: String,
    /// Tells the server which seat it is about. Not a secret, and no proof either: whoever answers
    /// decides.
    pub token_hash: TokenHash,
    /// As it would be posted. A release carries the renewal secret, which proves that the lease was
    /// given up by its holder.
    pub request: SeatRequest,
}

/// What a machine without a network can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileCall {
    /// A lease.
    Lease,
    /// That its seat is taken back.
    Release,
}

/// The server's answer to a request for a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseFile {
    /// A signed [`crate::claims::LeaseClaims`].
    pub lease: String,
    /// The installation's next renewal secret.
    pub renewal: String,
    /// A signed [`crate::claims::KeySetClaims`], when the machine's is older.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyset: Option<String>,
}

/// Why a file is not what it should be. Repeats nothing of its content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// It has more than [`MAX_FILE`] bytes.
    #[error("it is larger than 64 KiB")]
    TooLarge,
    /// It is no whole text, and no whole JSON.
    #[error("{0}")]
    Unreadable(EditedError),
    /// It is no JSON object of the wanted format.
    #[error("it is no {0} file")]
    OtherFormat(&'static str),
    /// A newer release wrote it.
    #[error("it was made by a newer release (version {0})")]
    Newer(u64),
    /// A member is missing or unusable.
    #[error("it is damaged at line {line}, column {column}")]
    Damaged {
        /// Line, from 1; 0 when it cannot be told.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
}

/// A file that a person carries between a machine without a network and the server: a JSON object
/// with the members `format` and `version` beside its own (`docs/protocol.md`, section 11).
pub trait AirgapFile: Serialize + DeserializeOwned {
    /// The member `format`.
    const FORMAT: &'static str;

    /// Reads a file, refusing duplicate members.
    ///
    /// # Errors
    /// See [`FileError`].
    fn parse(bytes: &[u8]) -> Result<Self, FileError> {
        if bytes.len() > MAX_FILE {
            return Err(FileError::TooLarge);
        }
        let text = edited::text(bytes).map_err(FileError::Unreadable)?;
        match edited::object::<Header>(bytes) {
            Ok(header) if header.format != Self::FORMAT => return Err(FileError::OtherFormat(Self::FORMAT)),
            Ok(header) if header.version > VERSION => return Err(FileError::Newer(header.version)),
            Ok(_) => {}
            // What does not even begin like JSON is another file, such as a web page.
            Err(EditedError::NotJson { line: 1, column: 0 | 1 } | EditedError::OtherShape { .. }) => {
                return Err(FileError::OtherFormat(Self::FORMAT));
            }
            Err(error) => return Err(FileError::Unreadable(error)),
        }
        let read: Result<Envelope<Self>, _> = serde_json::from_str(text);
        let damaged =
            |error: serde_json::Error| FileError::Damaged { line: error.line(), column: error.column() };
        read.map(|envelope| envelope.body).map_err(damaged)
    }

    /// Writes the file's content.
    ///
    /// # Errors
    /// When it cannot be written as JSON, which no value of these types does.
    fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let envelope = Written { format: Self::FORMAT, version: VERSION, body: self };
        let mut bytes = serde_json::to_vec_pretty(&envelope)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

impl AirgapFile for RequestFile {
    const FORMAT: &'static str = "seatlock-request";
}

impl AirgapFile for LeaseFile {
    const FORMAT: &'static str = "seatlock-lease";
}

#[derive(Deserialize)]
struct Header {
    format: String,
    version: u64,
}

#[derive(Deserialize)]
struct Envelope<T> {
    #[serde(flatten)]
    body: T,
}

#[derive(Serialize)]
struct Written<'a, T> {
    format: &'static str,
    version: u64,
    #[serde(flatten)]
    body: &'a T,
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: &str = r#"{"format":"seatlock-lease","version":1,"lease":"a.b.c","renewal":"r"}"#;

    #[test]
    fn what_is_written_can_be_read() {
        let lease = LeaseFile {
            lease: "a.b.c".to_owned(),
            renewal: "r".to_owned(),
            keyset: Some("d.e.f".to_owned()),
        };
        assert_eq!(LeaseFile::parse(&lease.to_bytes().unwrap()), Ok(lease));
        let request = serde_json::json!({
            "format": "seatlock-request", "version": 1, "call": "release", "issuer": "https://license.example.com",
            "token_hash": "AAECAwQFBgcICQoLDA0ODw",
            "request": {
                "nonce": "AAECAwQFBgcICQoLDA0ODw", "product": "com.example.bridge",
                "machine": { "id": "m1_8vjsu_RtJCGi4MrAH8JyMty_uDOjGInxBPyA5GHg6rA", "source": "os" },
                "install_id": "3b0f7d52-9f1f-4c9e-8a75-0f8d5c1f6b21", "renewal": "r",
                "client": { "lib": "0.1.0" }, "clock": { "wall": 1795305600 },
            },
        });
        let read = RequestFile::parse(request.to_string().as_bytes()).unwrap();
        assert_eq!((read.call, read.request.clock.wall.seconds()), (FileCall::Release, 1_795_305_600));
        assert_eq!(RequestFile::parse(&read.to_bytes().unwrap()), Ok(read));
    }

    #[test]
    fn table_of_files() {
        let wrong = FileError::OtherFormat("seatlock-lease");
        let with_mark = format!("\u{feff}{LEASE}");
        let longer = format!("{LEASE}\nx");
        let long = format!("{LEASE}{}", " ".repeat(MAX_FILE));
        let rows: &[(&str, &str, Result<(), FileError>)] = &[
            ("good", LEASE, Ok(())),
            ("with a byte order mark", &with_mark, Ok(())),
            ("too long", &long, Err(FileError::TooLarge)),
            ("empty", "", Err(FileError::Unreadable(EditedError::Empty))),
            (
                "something after its end",
                &longer,
                Err(FileError::Unreadable(EditedError::GoesOn { line: 2, column: 1 })),
            ),
            ("a web page", "<!DOCTYPE html>", Err(wrong.clone())),
            ("a bare lease", "a.b.c", Err(wrong.clone())),
            ("a request", r#"{"format":"seatlock-request","version":1}"#, Err(wrong.clone())),
            ("no version", r#"{"format":"seatlock-lease"}"#, Err(wrong.clone())),
            ("newer", r#"{"format":"seatlock-lease","version":2,"shape":[]}"#, Err(FileError::Newer(2))),
            (
                "cut",
                LEASE.get(..60).unwrap_or_default(),
                Err(FileError::Unreadable(EditedError::NotJson { line: 1, column: 60 })),
            ),
            (
                "twice",
                r#"{"format":"seatlock-lease","version":1,"lease":"a","lease":"b","renewal":"r"}"#,
                Err(wrong),
            ),
            (
                "no renewal",
                r#"{"format":"seatlock-lease","version":1,"lease":"a.b.c"}"#,
                Err(FileError::Damaged { line: 1, column: 55 }),
            ),
        ];
        for (what, text, expected) in rows {
            assert_eq!(LeaseFile::parse(text.as_bytes()).map(drop), *expected, "{what}");
        }
        let utf16: Vec<u8> = LEASE.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let said = LeaseFile::parse(&utf16).unwrap_err().to_string();
        assert_eq!(said, "it is UTF-16; save it as UTF-8");
    }
}
