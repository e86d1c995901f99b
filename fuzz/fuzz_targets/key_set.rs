//! Key sets: only the root key's are believed, and none of their keys is weak.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seatlock_fuzz::{KEY_SETS, RULES};

fuzz_target!(|text: &str| {
    if let Ok(held) = RULES.trust.key_set(text) {
        assert!(KEY_SETS.iter().any(|set| set == text), "a forged key set: {text}");
        assert_eq!(held.jws, text);
    }
});
