//! Calls into code that may panic on a corrupt file.
//!
//! The `parquet` crate reports most corruption as an error but not all: slices out of range,
//! failed assertions and capacity overflows unwind. Every call into it goes through [`quiet`].

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static IN_GUARDED_CALL: Cell<bool> = const { Cell::new(false) };
}

/// Runs `call`; a panic in it becomes `Err` with the panic's message, on one line.
///
/// While it runs, [`in_guarded_call`] is true on this thread, so that the process's panic hook
/// can keep silent. State that `call` borrows mutably must not be used after an `Err`.
pub fn quiet<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    /// Puts the flag back on every way out, for guarded calls may nest.
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            IN_GUARDED_CALL.set(self.0);
        }
    }

    let _restore = Restore(IN_GUARDED_CALL.replace(true));
    catch_unwind(AssertUnwindSafe(call)).map_err(|payload| {
        let message = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("a panic without a message");
        super::error::one_line(message)
    })
}

/// Whether this thread is inside [`quiet`]: a panic now is caught and reported as an error.
pub fn in_guarded_call() -> bool {
    IN_GUARDED_CALL.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_message_and_the_flag_is_put_back() {
        super::super::tests::silence_guarded_panics();
        assert!(!in_guarded_call());
        let outer = quiet(|| {
            let inner: Result<(), String> = quiet(|| panic!("slice {}\nout of range", 7));
            assert!(in_guarded_call(), "still inside the outer call");
            inner
        });
        assert_eq!(outer, Ok(Err("slice 7 out of range".to_owned())));
        assert!(!in_guarded_call());
    }
}
