//! Files from a memory stick: read whole or not at all, and only a lease that was signed and asked
//! for counts.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seatlock::license::{Input, Signed, SignedObject};
use seatlock::protocol::file::{AirgapFile, LeaseFile, MAX_FILE, RequestFile};
use seatlock_fuzz::{LEASES, PRODUCT, apply, licensed, reading, stored_lease};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(request) = RequestFile::parse(bytes) {
        assert!(bytes.len() <= MAX_FILE);
        if let Ok(written) = request.to_bytes() {
            assert_eq!(RequestFile::parse(&written).as_ref(), Ok(&request));
        }
    }
    if let Ok(file) = LeaseFile::parse(bytes) {
        assert_eq!(LeaseFile::parse(&file.to_bytes().unwrap()).as_ref(), Ok(&file));
        let signed = Signed {
            object: SignedObject::Lease(file.lease.clone()),
            key_set: file.keyset,
            renewal: Some(file.renewal),
            http_status: 0,
        };
        let before = licensed();
        let (after, _) = apply(&before, Input::Imported { signed: &signed, waiting: Some(true) }, reading(5));
        if stored_lease(&after) != stored_lease(&before) {
            assert!(LEASES.contains(&file.lease));
        } else {
            let (after, before) = (after.to_record(PRODUCT), before.to_record(PRODUCT));
            assert_eq!(after, before, "a file that is not taken changes nothing");
        }
    }
});
