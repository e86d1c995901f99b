use super::lock;
use crate::machine::Waker;
use crate::words::Values;
use seatlock_protocol::{Code, UnixTime};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Number of an operation, unique within its client, never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct OperationId(u64);

impl OperationId {
    /// The number.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0
    }

    /// The operation with this number, if there ever was one.
    #[must_use]
    pub fn from_number(number: u64) -> Self {
        Self(number)
    }
}

/// Kind of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// An operation ended.
    Operation,
    /// The lock state or its reason changed.
    Status,
    /// Something the user should know that does not change the license.
    Notice,
    /// A person is to sign in on the page that [`crate::Text::SignInUrl`] answers.
    SignIn,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its kind.
    pub kind: EventKind,
    /// The operation that ended.
    pub operation: Option<OperationId>,
    /// How it ended, or the new reason, or what is to be noticed.
    pub code: Code,
    /// HTTP status that was received.
    pub http_status: Option<u16>,
    /// When a new try makes sense.
    pub available_at: Option<UnixTime>,
    /// Sentences for a person, in the language of the client.
    pub message: String,
    /// What the message is about, by the names of its blanks.
    pub values: Values,
}

impl Event {
    /// An event of which only kind, code and words are known.
    pub(super) fn new(kind: EventKind, code: Code, message: String) -> Self {
        Self {
            kind,
            operation: None,
            code,
            http_status: None,
            available_at: None,
            message,
            values: Values::new(),
        }
    }
}

/// Called when an event is waiting, on a thread of its own; one call may stand for several events. Must not block.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// More operations than this are never waiting at once.
const MOST_OPERATIONS: usize = 64;
/// Only the newest events are kept; those of operations outlast the others.
const MOST_EVENTS: usize = 256;

/// Between the worker, which posts events, and the host, which takes them.
pub(super) struct Mailbox {
    contents: Mutex<Contents>,
    posted: Condvar,
    waker: Option<Waker>,
}

#[derive(Default)]
struct Contents {
    events: VecDeque<Event>,
    /// Operations that have not ended, and whether they are to be cancelled.
    running: BTreeMap<OperationId, bool>,
    last: u64,
}

impl Mailbox {
    pub(super) fn new(wake: Option<Wake>) -> Self {
        Self { contents: Mutex::default(), posted: Condvar::new(), waker: wake.map(Waker::new) }
    }

    /// Numbers a new operation; `None` when too many are waiting.
    pub(super) fn begin(&self) -> Option<OperationId> {
        let mut contents = lock(&self.contents);
        if contents.running.len() >= MOST_OPERATIONS {
            return None;
        }
        contents.last += 1;
        let operation = OperationId(contents.last);
        contents.running.insert(operation, false);
        Some(operation)
    }

    /// Marks an operation to be cancelled; false when it is not running.
    pub(super) fn cancel(&self, operation: OperationId) -> bool {
        lock(&self.contents).running.get_mut(&operation).map(|cancelled| *cancelled = true).is_some()
    }

    /// Whether an operation has neither ended nor is to be cancelled.
    pub(super) fn is_wanted(&self, operation: OperationId) -> bool {
        lock(&self.contents).running.get(&operation) == Some(&false)
    }

    pub(super) fn is_running(&self, operation: OperationId) -> bool {
        lock(&self.contents).running.contains_key(&operation)
    }

    /// Operations that are to be cancelled.
    pub(super) fn cancelled(&self) -> Vec<OperationId> {
        let contents = lock(&self.contents);
        contents
            .running
            .iter()
            .filter(|(_, cancelled)| **cancelled)
            .map(|(operation, _)| *operation)
            .collect()
    }

    /// Operations that have not ended.
    pub(super) fn running(&self) -> Vec<OperationId> {
        lock(&self.contents).running.keys().copied().collect()
    }

    pub(super) fn post(&self, event: Event) {
        let mut contents = lock(&self.contents);
        if let Some(operation) = event.operation {
            contents.running.remove(&operation);
        }
        if contents.events.len() >= MOST_EVENTS {
            let idle = contents.events.iter().position(|event| event.operation.is_none());
            contents.events.remove(idle.unwrap_or(0));
        }
        contents.events.push_back(event);
        drop(contents);
        self.posted.notify_all();
        self.waker.iter().for_each(Waker::ring);
    }

    /// Has the host woken for events of which it could not be told, because there was no thread to be had.
    pub(super) fn wake_again(&self) {
        self.waker.iter().for_each(Waker::ring_again);
    }

    /// Takes the oldest event, waiting for one if need be.
    pub(super) fn take(&self, timeout: Duration) -> Option<Event> {
        self.wait_for(timeout, |contents| contents.events.pop_front())
    }

    /// Takes the event of an operation, waiting for it if need be. `Err` when there is none to wait for.
    pub(super) fn take_of(
        &self,
        operation: OperationId,
        timeout: Duration,
    ) -> Result<Option<Event>, Unknown> {
        let found = self.wait_for(timeout, |contents| {
            let at = contents.events.iter().position(|event| event.operation == Some(operation));
            match at.and_then(|at| contents.events.remove(at)) {
                Some(event) => Some(Ok(event)),
                None if contents.running.contains_key(&operation) => None,
                None => Some(Err(Unknown)),
            }
        });
        found.transpose()
    }

    fn wait_for<T>(&self, timeout: Duration, mut find: impl FnMut(&mut Contents) -> Option<T>) -> Option<T> {
        // Without a deadline that the clock can express, waiting goes on hour by hour.
        let deadline = Instant::now().checked_add(timeout);
        const HOUR: Duration = Duration::from_secs(3600);
        let mut contents = lock(&self.contents);
        loop {
            let left = deadline.map_or(HOUR, |deadline| deadline.saturating_duration_since(Instant::now()));
            match find(&mut contents) {
                None if !left.is_zero() => {
                    let waited = self.posted.wait_timeout(contents, left);
                    contents = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
                found => return found,
            }
        }
    }

    /// Lets no wake function be called from now on, and waits until a running one has returned, up to `deadline`.
    pub(super) fn silence(&self, deadline: Instant) {
        self.waker.iter().for_each(|waker| waker.silence(deadline));
    }
}

/// There is no such operation, or its event was already taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unknown;

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn event(operation: Option<OperationId>, code: Code) -> Event {
        let kind = if operation.is_some() { EventKind::Operation } else { EventKind::Status };
        Event { operation, ..Event::new(kind, code, String::new()) }
    }

    #[test]
    fn an_operation_is_waited_for_once() {
        let mailbox = Mailbox::new(None);
        let (first, second) = (mailbox.begin().unwrap(), mailbox.begin().unwrap());
        assert_eq!(mailbox.take_of(first, Duration::ZERO), Ok(None), "not ended yet");
        mailbox.post(event(Some(second), Code::Ok));
        mailbox.post(event(Some(first), Code::Unreachable));
        assert_eq!(mailbox.take_of(first, Duration::ZERO).unwrap().unwrap().code, Code::Unreachable);
        assert_eq!(mailbox.take_of(first, Duration::MAX / 4), Err(Unknown), "its event was taken");
        assert_eq!(mailbox.take(Duration::ZERO).unwrap().operation, Some(second));
        assert_eq!(mailbox.take(Duration::ZERO), None);
        assert_eq!(mailbox.take_of(OperationId(99), Duration::ZERO), Err(Unknown));
    }

    #[test]
    fn floods_are_bounded_and_lose_no_operation() {
        let mailbox = Mailbox::new(None);
        let operations: Vec<_> = std::iter::from_fn(|| mailbox.begin()).collect();
        assert_eq!(operations.len(), MOST_OPERATIONS);
        mailbox.post(event(Some(operations[0]), Code::Ok));
        assert!(mailbox.begin().is_some(), "an ended operation makes room");
        (0..10 * MOST_EVENTS).for_each(|_| mailbox.post(event(None, Code::Ok)));
        let taken: Vec<_> = std::iter::from_fn(|| mailbox.take(Duration::ZERO)).collect();
        assert_eq!(taken.len(), MOST_EVENTS);
        assert_eq!(taken[0].operation, Some(operations[0]));
        (0..10 * MOST_EVENTS).for_each(|_| mailbox.post(event(mailbox.begin(), Code::Ok)));
        assert_eq!(
            std::iter::from_fn(|| mailbox.take(Duration::ZERO)).count(),
            MOST_EVENTS,
            "nobody took them"
        );
    }

    #[test]
    fn no_wake_after_silence() {
        let count = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&count);
        let mailbox = Mailbox::new(Some(Arc::new(move || {
            counter.fetch_add(1, Ordering::Relaxed);
        })));
        mailbox.post(event(None, Code::Ok));
        while count.load(Ordering::Relaxed) == 0 {
            std::thread::yield_now();
        }
        mailbox.silence(Instant::now() + Duration::from_secs(60));
        mailbox.post(event(None, Code::Ok));
        assert_eq!(count.load(Ordering::Relaxed), 1);
    }
}
