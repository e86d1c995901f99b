/// Linux: two files, the first one that holds a usable id.
#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod source;
/// macOS and Windows: the one identifier of the installation.
#[cfg(any(target_os = "macos", windows))]
#[path = "desktop.rs"]
mod source;
/// Systems without a known source: only a supplied id identifies them.
#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
#[path = "other.rs"]
mod source;
/// What counts as an identifier, as a pure function of the text.
mod validate;

pub use validate::Refusal;

use crate::words::Phrase;
use seatlock_protocol::{MachineId, MachineSource};
use std::fmt;

/// Who this computer is, for one product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineIdentity {
    /// The pseudonymous id that is sent to the server.
    pub id: MachineId,
    /// Whether the operating system or the host gave the identifier behind it.
    pub source: MachineSource,
}

/// One source of identifiers and why it was not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The file, registry value or function that was asked.
    pub place: &'static str,
    /// What was wrong with its answer.
    pub why: Refusal,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.place, self.why)
    }
}

/// This computer cannot be identified. Never holds an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// No source of the operating system gave a usable identifier.
    #[error("this computer has no stable identity: {}; SEATLOCK_MACHINE_ID can supply one", list(.reasons))]
    Unavailable {
        /// Every source that was asked, in order.
        reasons: Vec<Refused>,
    },
    /// The operating system had no means to look, which says nothing about this computer.
    #[error("{0}")]
    Scarce(Phrase),
    /// The host or `SEATLOCK_MACHINE_ID` supplied a text that cannot stand for one computer.
    #[error("the supplied machine id {0}")]
    SuppliedInvalid(Refusal),
}

fn list(reasons: &[Refused]) -> String {
    reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// An answer of the operating system, not yet validated, and the place that gave it.
type Answer = (&'static str, Result<String, Refusal>);

/// Identifies this computer for `product`.
///
/// A `supplied` id wins over the operating system's and is never quietly replaced by it: a farm
/// that hands in a bad id must hear of it, not get one id per container. A whole machine id
/// (`m1_...`) is used as it is; any other text is trimmed and derived. An empty supplied text is an
/// error, so a caller treats an empty variable as absent itself.
///
/// Without one, the sources of this operating system are asked in order until one gives a usable
/// identifier: on Linux machine-id(5), on Windows the `MachineGuid` registry value, on macOS
/// gethostuuid(3). Root and user get the same id, no process is started, and the call takes some
/// tens of microseconds. Any thread may call it.
///
/// # Errors
/// [`IdentityError`], which names each source and the reason, never the identifier.
pub fn identify(product: &str, supplied: Option<&str>) -> Result<MachineIdentity, IdentityError> {
    match supplied {
        Some(text) => from_supplied(product, text)
            .map_err(IdentityError::SuppliedInvalid)
            .map(|id| MachineIdentity { id, source: MachineSource::Supplied }),
        None => from_answers(product, source::OS_TAG, source::answers())
            .map(|id| MachineIdentity { id, source: MachineSource::Os }),
    }
}

fn from_supplied(product: &str, text: &str) -> Result<MachineId, Refusal> {
    let text = text.trim();
    match text.parse() {
        Ok(id) => Ok(id),
        Err(_) => validate::supplied(text).map(|text| MachineId::derive(product, "supplied", text)),
    }
}

/// The first usable answer. `answers` is lazy: a later source is not asked when an earlier one will
/// do.
fn from_answers(
    product: &str,
    os_tag: &str,
    answers: impl IntoIterator<Item = Answer>,
) -> Result<MachineId, IdentityError> {
    let mut reasons = Vec::new();
    for (place, answer) in answers {
        match answer.and_then(|text| validate::canonical(&text)) {
            Ok(canonical) => return Ok(MachineId::derive(product, os_tag, &canonical)),
            // The next source may hold another identifier, and this one is as good as before in a moment.
            Err(Refusal::Scarce(short)) => return Err(IdentityError::Scarce(short)),
            Err(why) => reasons.push(Refused { place, why }),
        }
    }
    Err(IdentityError::Unavailable { reasons })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOLDEN: &str = "m1_8vjsu_RtJCGi4MrAH8JyMty_uDOjGInxBPyA5GHg6rA";
    const PRODUCT: &str = "com.example.bridge";

    #[test]
    fn golden_vector_of_the_protocol() {
        for spelling in [
            "0123456789abcdef0123456789abcdef",
            "0123456789ABCDEF0123456789ABCDEF\n",
            " 01234567-89ab-cdef-0123-456789abcdef\r\n",
            "{01234567-89AB-CDEF-0123-456789ABCDEF}",
        ] {
            let id = from_answers(PRODUCT, "linux", [("file", Ok(spelling.to_owned()))]).unwrap();
            assert_eq!(id.as_str(), GOLDEN, "{spelling:?}");
        }
    }

    #[test]
    fn the_first_usable_answer_wins_and_later_ones_are_not_asked() {
        let answers = (0..).map(|n| match n {
            0 => ("first", Err(Refusal::Unreadable("permission denied".into()))),
            1 => ("second", Ok("uninitialized\n".to_owned())),
            2 => ("third", Ok("0123456789abcdef0123456789abcdef".to_owned())),
            _ => panic!("asked once too often"),
        });
        assert_eq!(from_answers(PRODUCT, "linux", answers).unwrap().as_str(), GOLDEN);
    }

    #[cfg(unix)]
    #[test]
    fn a_source_that_could_not_be_opened_for_want_of_means_is_not_passed_over() {
        let scarce = std::io::Error::from_raw_os_error(libc::EMFILE);
        let words = crate::scarcity::scarce(&scarce).unwrap();
        let answers = (0..).map(|n| match n {
            0 => ("first", Err(Refusal::of(&scarce))),
            _ => panic!("another computer's identifier could lie there"),
        });
        assert_eq!(from_answers(PRODUCT, "linux", answers), Err(IdentityError::Scarce(words)));
    }

    #[test]
    fn every_refused_source_is_named_and_no_identifier_is_shown() {
        let almost = "0123456789abcdef0123456789abcde";
        let answers = [("one", Ok(almost.to_owned())), ("two", Ok(String::new()))];
        let error = from_answers(PRODUCT, "linux", answers).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("one is not 32 hexadecimal digits, two is empty"), "{text}");
        assert!(!format!("{text}{error:?}").contains("0123"), "{text} {error:?}");
    }

    #[test]
    fn a_whole_machine_id_is_taken_as_it_is() {
        let identity = identify(PRODUCT, Some(&format!("  {GOLDEN}\n"))).unwrap();
        assert_eq!(identity.id.as_str(), GOLDEN);
        assert_eq!(identity.source, MachineSource::Supplied);
    }

    #[test]
    fn a_supplied_text_is_derived_under_its_own_tag() {
        let identity = identify(PRODUCT, Some(" farm-node-0017 ")).unwrap();
        assert_eq!(identity.id, MachineId::derive(PRODUCT, "supplied", "farm-node-0017"));
        assert_eq!(identity.source, MachineSource::Supplied);
        assert_ne!(identity.id, identify(PRODUCT, Some("Farm-Node-0017")).unwrap().id);
        assert_ne!(identity.id, identify("other", Some("farm-node-0017")).unwrap().id);
    }

    #[test]
    fn a_bad_supplied_id_does_not_fall_back_to_the_system() {
        for text in ["", "short", "00000000-0000-0000-0000-000000000000"] {
            let error = identify(PRODUCT, Some(text)).unwrap_err();
            assert!(matches!(error, IdentityError::SuppliedInvalid(_)), "{text:?}: {error}");
        }
    }

    #[test]
    fn this_computer_is_the_same_twice_and_differs_by_product() {
        // A container may have no identity at all; then both calls must say so in the same words.
        let (first, second) = (identify(PRODUCT, None), identify(PRODUCT, None));
        assert_eq!(first, second);
        if let Ok(identity) = first {
            assert_eq!(identity.source, MachineSource::Os);
            assert_ne!(identity.id, identify("com.example.other", None).unwrap().id);
        }
    }
}
