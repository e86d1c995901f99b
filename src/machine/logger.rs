use super::waker::Waker;
use std::cell::Cell;
use std::collections::VecDeque;
use std::ffi::{CStr, CString};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Most lines that wait for a host whose function does not return. Later ones are left out.
const MOST_LINES: usize = 256;

/// How much a line of the log matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Somebody has to mend something here: a file that cannot be written, a defect.
    Error = 1,
    /// Something failed, or will soon.
    Warning = 2,
    /// What happened.
    Info = 3,
    /// What else helps to find out why.
    Debug = 4,
}

/// What is to be called with a line, which has no line break and no NUL in it.
pub type LogCall = Arc<dyn Fn(LogLevel, &CStr) + Send + Sync>;

/// Tells a host lines of text, one call for each and in their order, on a thread that does nothing
/// else: a function that blocks holds up no work, and a host that ends the thread harms nobody; see
/// [`Waker`].
pub struct Logger {
    lines: Arc<Mutex<Lines>>,
    waker: Waker,
}

#[derive(Default)]
struct Lines {
    waiting: VecDeque<(LogLevel, CString)>,
    /// How many were left out since the last one that was not.
    left_out: usize,
}

impl Logger {
    /// Tells nothing before [`begin`](Self::begin).
    #[must_use]
    pub fn new(call: LogCall) -> Self {
        let lines = Arc::new(Mutex::default());
        let from = Arc::clone(&lines);
        let tell = move || {
            // Nothing of this frame is to be dropped when the host ends the thread.
            let next = locked(&from).waiting.pop_front();
            if let Some((level, text)) = next {
                while_held(text, |text| call(level, text));
            }
        };
        Self { lines, waker: Waker::new(Arc::new(tell)) }
    }

    /// Tells from now on, what came before first.
    pub fn begin(&self) {
        self.waker.begin();
    }

    /// Has a line told soon. Any thread, never waits for the host. `missing` makes a line of how
    /// many were left out before it.
    pub fn tell(&self, level: LogLevel, line: String, missing: impl FnOnce(usize) -> (LogLevel, String)) {
        let mut lines = locked(&self.lines);
        if lines.waiting.len() >= MOST_LINES {
            lines.left_out = lines.left_out.saturating_add(1);
            return;
        }
        let left_out = std::mem::take(&mut lines.left_out);
        let missing = (left_out > 0).then(|| missing(left_out));
        for (level, line) in missing.into_iter().chain([(level, line)]) {
            // No line has a NUL: what is invisible in a value was taken out.
            let Ok(text) = CString::new(line) else { continue };
            lines.waiting.push_back((level, text));
            self.waker.ring_once_more();
        }
    }

    /// Tries again, where no thread could be had.
    pub fn tell_again(&self) {
        self.waker.ring_again();
    }

    /// Waits until everything is told, and lets no call begin from then on, all up to `deadline`.
    /// False when a call is still running.
    pub fn finish(&self, deadline: Instant) -> bool {
        self.waker.wait_until_idle(deadline);
        self.waker.disable_wake(deadline)
    }
}

fn locked(lines: &Mutex<Lines>) -> MutexGuard<'_, Lines> {
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}

thread_local! {
    /// The line that this thread tells, which is freed when the thread ends, whatever has ended it.
    static TOLD: Cell<Option<CString>> = const { Cell::new(None) };
}

/// Calls with a text that is owned by no frame meanwhile.
fn while_held(text: CString, call: impl Fn(&CStr)) {
    let address = text.as_ptr();
    TOLD.set(Some(text));
    // SAFETY: the bytes stay where they are for as long as the thread-local storage has them: until
    // the end of this function, or of the thread. No call leads back here on this thread.
    call(unsafe { CStr::from_ptr(address) });
    TOLD.set(None);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;
    use std::time::Duration;

    const INFO: LogLevel = LogLevel::Info;

    fn missing(count: usize) -> (LogLevel, String) {
        (LogLevel::Warning, format!("{count} missing"))
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    type Told = Arc<Mutex<Vec<(LogLevel, String)>>>;

    /// The thread has begun, for which Windows does not let a close wait.
    fn until_told(told: &Told) {
        while told.lock().unwrap().is_empty() {
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn collecting(then: fn()) -> (Logger, Told) {
        let told = Told::default();
        let to = Arc::clone(&told);
        let logger = Logger::new(Arc::new(move |level, text| {
            to.lock().unwrap().push((level, text.to_str().unwrap().to_owned()));
            then();
        }));
        (logger, told)
    }

    #[test]
    fn every_line_is_told_in_its_order_and_none_after_the_end() {
        let (logger, told) = collecting(|| {});
        (0..50).for_each(|number| logger.tell(INFO, format!("line {number}"), missing));
        assert!(told.lock().unwrap().is_empty(), "before the beginning");
        logger.begin();
        until_told(&told);
        (50..100).for_each(|number| logger.tell(INFO, format!("line {number}"), missing));
        assert!(logger.finish(soon()));
        logger.tell(INFO, "too late".to_owned(), missing);
        let expected: Vec<_> = (0..100).map(|number| (INFO, format!("line {number}"))).collect();
        assert_eq!(*told.lock().unwrap(), expected);
    }

    #[test]
    fn a_host_that_does_not_return_costs_lines_and_nothing_else() {
        static GO: AtomicBool = AtomicBool::new(false);
        let (logger, told) = collecting(|| {
            while !GO.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(1));
            }
        });
        logger.begin();
        logger.tell(INFO, "first".to_owned(), missing);
        until_told(&told);
        (0..MOST_LINES + 7).for_each(|number| logger.tell(INFO, number.to_string(), missing));
        let begin = Instant::now();
        assert!(!logger.finish(begin + Duration::from_millis(50)), "it has not returned");
        assert!(begin.elapsed() < Duration::from_secs(30));
        GO.store(true, Ordering::SeqCst);
        assert!(logger.finish(soon()));
        assert_eq!(told.lock().unwrap().len(), 1, "no call begins after the first end");

        let (logger, told) = collecting(|| {});
        (0..MOST_LINES + 7).for_each(|number| logger.tell(INFO, number.to_string(), missing));
        logger.begin();
        until_told(&told);
        logger.waker.wait_until_idle(soon());
        logger.tell(INFO, "last".to_owned(), missing);
        assert!(logger.finish(soon()));
        let told = told.lock().unwrap();
        assert_eq!(told.len(), MOST_LINES + 2);
        assert_eq!(
            told[MOST_LINES..],
            [(LogLevel::Warning, "7 missing".to_owned()), (INFO, "last".to_owned())]
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_host_that_ends_the_thread_is_told_the_next_line_on_another() {
        // SAFETY: nothing between here and the thread's first frame has anything to drop.
        let logger = Logger::new(Arc::new(|_, _| unsafe { libc::pthread_exit(std::ptr::null_mut()) }));
        logger.begin();
        (0..100).for_each(|number| logger.tell(INFO, number.to_string(), missing));
        assert!(logger.finish(soon()));
        assert!(locked(&logger.lines).waiting.is_empty());
    }
}
