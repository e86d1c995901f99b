//! What lies in the state folder: anybody may have edited it, and a disk may have damaged it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seatlock::license::{Input, LeaseState, Record, State};
use seatlock_fuzz::{PRODUCT, RULES, TOKEN, apply, binding, licensed, reading};

fuzz_target!(|data: (u32, &[u8])| {
    let (minutes, bytes) = data;
    let minutes = minutes % (400 * 24 * 60);
    let Ok(record) = serde_json::from_slice::<Record>(bytes) else { return };
    let state = State::from_record(record.clone(), &RULES.trust, &binding());
    let mut record = state.to_record(PRODUCT).beside(Some(record));
    record.give_back(TOKEN);
    let given = State::from_record(record, &RULES.trust, &binding());
    assert!(!matches!(given.license, LeaseState::Lease(_)), "a lease whose seat was given back");
    let again = State::from_record(state.to_record(PRODUCT), &RULES.trust, &binding());
    assert_eq!(again.to_record(PRODUCT), state.to_record(PRODUCT), "what is written reads the same");

    let (state, _) = apply(&state, Input::Launched, reading(minutes));
    let (state, _) = apply(&state, Input::Ticked, reading(minutes + 11));
    let merged = licensed().merged_with(state.clone(), reading(minutes + 12));
    apply(&merged, Input::Ticked, reading(minutes + 13));
    let merged = state.merged_with(licensed(), reading(minutes + 12));
    let (merged, _) = apply(&merged, Input::HandedBack, reading(minutes + 13));
    apply(&merged, Input::Ticked, reading(minutes + 14));
});
