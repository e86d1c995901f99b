//! `cargo xtask ci memory/loom memory/miri`.

/// The sequence lock of the status, whose atomics are those of loom.
#[cfg(loom)]
#[path = "../../../src/client/seq_lock.rs"]
mod seq_lock;

/// The way in and out of C, with its own tests.
#[cfg(not(loom))]
#[allow(dead_code, non_camel_case_types, reason = "only its tests use it here")]
#[path = "../../../src/ffi/boundary.rs"]
mod boundary;

#[cfg(not(loom))]
use failure::{Code, Failure};

/// What the way in and out needs of the library, which would need all of it.
#[cfg(not(loom))]
mod failure {
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Code {
        Ok,
        BufferTooSmall,
        InvalidArgument,
        InvalidUtf8,
        NoValue,
        NullPointer,
        StructSize,
    }

    #[derive(Debug, PartialEq, Eq)]
    pub struct Failure {
        pub code: Code,
    }

    impl Failure {
        pub fn of(code: Code) -> Self {
            Self { code }
        }

        pub fn new(code: Code, _message: &str) -> Self {
            Self { code }
        }
    }
}

#[cfg(all(test, loom))]
mod tests {
    use crate::seq_lock::SeqLock;
    use loom::{model, sync::Arc, thread};

    /// In every order in which a processor may do and show it: nobody reads numbers of two versions,
    /// or of an older version than before. The second replacement writes where the first numbers
    /// stood.
    fn replaced_twice_and_read(times: usize) {
        model(move || {
            let lock = Arc::new(SeqLock::new());
            let read = Arc::clone(&lock);
            let reader = thread::spawn(move || {
                let mut seen = 0;
                for _ in 0..times {
                    let (version, numbers) = read.read();
                    assert_eq!(numbers, [version; 2], "numbers of two versions");
                    assert!(version >= seen, "{version} after {seen}");
                    seen = version;
                }
            });
            lock.write([1; 2]);
            lock.write([2; 2]);
            reader.join().unwrap();
            assert_eq!(lock.read(), (2, [2; 2]));
        });
    }

    #[test]
    fn a_reader_sees_numbers_of_one_version() {
        replaced_twice_and_read(1);
    }

    #[test]
    fn a_reader_never_goes_back() {
        replaced_twice_and_read(2);
    }
}
