use super::bare::Bare;
use super::process::{BEGINNING, CAN_JOIN, is_ending};
use std::cell::Cell;
use std::ffi::c_void;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// What the host wants to be called.
pub type Function = Arc<dyn Fn() + Send + Sync>;

/// Calls a function of the host on a thread of its own, once or more after each
/// [`ring`](Self::ring).
///
/// A host may end the thread that its function is called on: CPython does so with pthread_exit(3)
/// when it shuts down, and a plug-in may use pthread_cancel(3). The C library then unwinds every
/// frame of the thread, which aborts the process where a frame catches panics, as every frame below
/// `std::thread` does. So the thread is bare: from its first frame to the host's function nothing
/// owns anything or catches anything. What the thread has to give back is kept by its thread-local
/// storage, whose destructors run at every end. A thread that was ended is followed by another one
/// when there is something to call for again.
///
/// The thread is made when it is first needed; one that cannot be had is asked for again at the
/// next ring.
pub struct Waker {
    line: Arc<Line>,
}

/// Between the waker and its thread.
struct Line {
    call: Function,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Nothing is called yet.
    held: bool,
    /// How many calls are to come.
    rung: usize,
    /// The function has not returned.
    calling: bool,
    /// Nothing is called any more.
    silenced: bool,
    /// The thread that calls, until it has nothing more to do.
    alive: bool,
    /// That thread has begun.
    begun: bool,
    thread: Option<Bare>,
}

impl Waker {
    /// Calls nothing before [`begin`](Self::begin).
    #[must_use]
    pub fn new(call: Function) -> Self {
        let state = Mutex::new(State { held: true, ..State::default() });
        Self { line: Arc::new(Line { call, state, changed: Condvar::new() }) }
    }

    /// Calls from now on, at once where it was rung before.
    pub fn begin(&self) {
        self.line.state().held = false;
        self.ring_again();
    }

    /// Has the function called soon; a call that has not begun yet will do. Any thread, never waits
    /// for the function.
    pub fn ring(&self) {
        let mut state = self.line.state();
        state.rung = 1;
        self.line.attend(state);
    }

    /// As [`ring`](Self::ring), with a call of its own.
    pub fn ring_once_more(&self) {
        let mut state = self.line.state();
        state.rung = state.rung.saturating_add(1);
        self.line.attend(state);
    }

    /// Tries again to have the function called, where no thread could be had for it.
    pub fn ring_again(&self) {
        let state = self.line.state();
        if state.rung > 0 {
            self.line.attend(state);
        }
    }

    /// Waits until every call that was rung for has returned, up to `deadline`; not at all when it
    /// is asked by a call itself, or where there is no thread.
    pub fn wait_until_idle(&self, deadline: Instant) {
        if is_ending() {
            return;
        }
        let state = self.line.state();
        let is_busy = |state: &State| state.alive && (state.calling || state.rung > 0);
        drop(self.line.wait_while(state, deadline, is_busy));
    }

    /// Lets no call begin from now on, and waits until a running one has returned or its thread has
    /// ended, up to `deadline`; not at all when it is asked by that call itself. False when one
    /// is still running.
    pub fn disable_wake(&self, deadline: Instant) -> bool {
        if is_ending() {
            return true;
        }
        let mut state = self.line.state();
        state.silenced = true;
        self.line.changed.notify_all();
        state = self.line.wait_while(state, deadline, |state| state.alive);
        let (thread, ended) = (state.thread.take(), !state.alive);
        let quiet = ended || !state.calling;
        drop(state);
        match thread {
            // What is left of it takes no time.
            Some(thread) if ended && CAN_JOIN => thread.join(),
            Some(thread) => thread.leave(),
            None => {}
        }
        quiet
    }
}

impl Drop for Waker {
    fn drop(&mut self) {
        let _ = self.disable_wake(Instant::now());
    }
}

impl Line {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits while something is so, up to `deadline`, unless this thread is the one that calls.
    /// Where the loader's lock may be held, a thread that has not begun is not waited for much
    /// longer.
    fn wait_while<'a>(
        &self,
        mut state: MutexGuard<'a, State>,
        deadline: Instant,
        is_so: impl Fn(&State) -> bool,
    ) -> MutexGuard<'a, State> {
        let inside = state.thread.as_ref().is_some_and(Bare::is_current);
        let beginning = deadline.min(Instant::now() + BEGINNING);
        while is_so(&state) && !inside {
            let end = if state.begun || CAN_JOIN { deadline } else { beginning };
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state
    }

    /// Sees to it that there is a thread, and that it looks.
    fn attend(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        if state.alive || state.silenced || state.held {
            self.changed.notify_all();
            return;
        }
        if let Some(ended) = state.thread.take() {
            ended.leave();
        }
        let argument = Arc::into_raw(Arc::clone(self));
        match Bare::start(argument.cast_mut().cast()) {
            Ok(thread) => (state.thread, state.alive, state.begun) = (Some(thread), true, false),
            // SAFETY: made above, and no thread has taken it over.
            Err(_) => drop(unsafe { Arc::from_raw(argument) }),
        }
    }

    /// Waits until there is something to call for; false when there never will be.
    fn is_wanted(&self) -> bool {
        let mut state = self.state();
        (state.begun, state.calling) = (true, false);
        loop {
            if state.silenced {
                return false;
            }
            if let Some(left) = state.rung.checked_sub(1) {
                (state.rung, state.calling) = (left, true);
                return true;
            }
            // Those who wait until it is idle.
            self.changed.notify_all();
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// What the thread holds, given back at its end, whatever has ended it.
struct Held(Arc<Line>);

impl Drop for Held {
    fn drop(&mut self) {
        let mut state = self.0.state();
        (state.alive, state.calling) = (false, false);
        if state.rung > 0 {
            // It was ended between a ring and the call.
            self.0.attend(state);
        } else {
            self.0.changed.notify_all();
        }
    }
}

thread_local! {
    static HELD: Cell<Option<Held>> = const { Cell::new(None) };
}

/// What the thread does. `argument` is an `Arc<Line>` that was turned into a pointer for this one
/// call.
///
/// The thread may be ended inside the call of the host, so nothing in this function, and in those
/// that it is called by, needs to be dropped, and nothing catches.
pub(super) fn run(argument: *mut c_void) {
    let line = hold(argument);
    // SAFETY: the thread-local storage holds it for as long as the thread lives.
    let line = unsafe { &*line };
    while line.is_wanted() {
        (line.call)();
    }
    // At the thread's end it would wait for the loader's lock on Windows.
    drop(HELD.take());
}

fn hold(argument: *mut c_void) -> *const Line {
    // SAFETY: `attend` made the pointer for this thread alone.
    let line = unsafe { Arc::from_raw(argument.cast::<Line>()) };
    let place = Arc::as_ptr(&line);
    HELD.set(Some(Held(line)));
    place
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::thread;
    use std::time::Duration;

    fn until(what: impl Fn() -> bool) {
        let end = Instant::now() + Duration::from_secs(60);
        while !what() {
            assert!(Instant::now() < end, "it never came");
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn counting(then: fn()) -> (Waker, Arc<AtomicUsize>) {
        let count = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&count);
        let waker = Waker::new(Arc::new(move || {
            counter.fetch_add(1, Ordering::SeqCst);
            then();
        }));
        waker.begin();
        (waker, count)
    }

    #[test]
    fn every_ring_is_followed_by_a_call_until_silence() {
        let (waker, count) = counting(|| {});
        for number in 1..=20 {
            waker.ring();
            until(|| count.load(Ordering::SeqCst) >= number);
        }
        assert!(waker.disable_wake(Instant::now() + Duration::from_secs(60)));
        waker.ring();
        assert!(!waker.line.state().alive && waker.line.state().thread.is_none());
        assert_eq!(count.load(Ordering::SeqCst), 20);
    }

    #[cfg(unix)]
    #[test]
    fn a_thread_that_is_ended_inside_is_followed_by_another() {
        // SAFETY: nothing between here and the thread's first frame has anything to drop.
        let (waker, count) = counting(|| unsafe { libc::pthread_exit(std::ptr::null_mut()) });
        for number in 1..=200 {
            waker.ring();
            until(|| count.load(Ordering::SeqCst) >= number);
        }
        assert!(waker.disable_wake(Instant::now() + Duration::from_secs(60)));
        assert!(!waker.line.state().alive);
        until(|| Arc::strong_count(&waker.line) == 1);
    }

    #[test]
    fn silence_waits_for_a_running_call_and_no_longer_than_it_was_told() {
        static INSIDE: AtomicBool = AtomicBool::new(false);
        static GO: AtomicBool = AtomicBool::new(false);
        let (waker, _) = counting(|| {
            INSIDE.store(true, Ordering::SeqCst);
            until(|| GO.load(Ordering::SeqCst));
            INSIDE.store(false, Ordering::SeqCst);
        });
        waker.ring();
        until(|| INSIDE.load(Ordering::SeqCst));
        let begin = Instant::now();
        assert!(!waker.disable_wake(begin + Duration::from_millis(50)));
        assert!(begin.elapsed() >= Duration::from_millis(50) && INSIDE.load(Ordering::SeqCst));
        GO.store(true, Ordering::SeqCst);
        until(|| Arc::strong_count(&waker.line) == 1);

        let (waker, _) = counting(|| {
            INSIDE.store(true, Ordering::SeqCst);
            thread::sleep(Duration::from_millis(50));
            INSIDE.store(false, Ordering::SeqCst);
        });
        waker.ring();
        until(|| INSIDE.load(Ordering::SeqCst));
        assert!(waker.disable_wake(Instant::now() + Duration::from_secs(60)));
        assert!(!INSIDE.load(Ordering::SeqCst));
    }

    #[test]
    fn a_call_that_asks_for_silence_does_not_wait_for_itself() {
        static WAKER: Mutex<Option<Waker>> = Mutex::new(None);
        static DONE: AtomicBool = AtomicBool::new(false);
        let (waker, _) = counting(|| {
            let waker = WAKER.lock().unwrap().take();
            if let Some(waker) = waker {
                assert!(
                    !waker.disable_wake(Instant::now() + Duration::from_secs(3600)),
                    "it is running itself"
                );
                drop(waker);
                DONE.store(true, Ordering::SeqCst);
            }
        });
        let line = Arc::clone(&waker.line);
        let mut held = WAKER.lock().unwrap();
        waker.ring();
        *held = Some(waker);
        drop(held);
        until(|| DONE.load(Ordering::SeqCst) && Arc::strong_count(&line) == 1);
    }
}
