//! Runs code that may panic on the threads of the store.
//!
//! All callers share these threads, so that a panic must not end one. `writer` and `reader` decide
//! what a panic costs.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs the code and returns whether it returned.
///
/// An answer wakes a task of the host's runtime, which may panic.
pub(super) fn returns(code: impl FnOnce()) -> bool {
    let Err(payload) = catch_unwind(AssertUnwindSafe(code)) else {
        return true;
    };
    // The payload is a value of the host as well, and its destructor may panic again.
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    struct PanicsInDrop;

    impl Drop for PanicsInDrop {
        fn drop(&mut self) {
            std::panic::panic_any(Self);
        }
    }

    #[test]
    fn a_payload_that_panics_itself_is_contained() {
        assert!(returns(|| ()));
        assert!(!returns(|| std::panic::panic_any(PanicsInDrop)));
    }
}
