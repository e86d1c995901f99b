use super::boundary::CallResult;
use super::code::{self, seatlock_result};
use super::error::seatlock_error;
use crate::{Code, Failure};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs the body of an export. Nothing unwinds into the host: a panic becomes
/// `SEATLOCK_ERROR_INTERNAL`.
///
/// The panic hook of this image is silenced first, because the default one prints, and printing
/// into a broken pipe kills a C host by SIGPIPE. A cdylib has a standard library of its own, so no
/// other hook is touched.
pub(super) fn guard(error: *mut seatlock_error, body: impl FnOnce() -> CallResult) -> seatlock_result {
    static SILENCE: std::sync::Once = std::sync::Once::new();
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        SILENCE.call_once(|| std::panic::set_hook(Box::new(|_| {})));
        body()
    }));
    match outcome.unwrap_or_else(|_| Err(Failure::of(Code::Internal))) {
        Ok(done) => code::number(done),
        Err(failure) => {
            // SAFETY: `error` is NULL or the caller's struct, as the header demands.
            unsafe { seatlock_error::fill(error, &failure) };
            code::number(failure.code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_code() {
        let result = guard(std::ptr::null_mut(), || panic!("a defect"));
        assert_eq!(result, code::number(Code::Internal));
    }
}
