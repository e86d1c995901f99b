use super::lock;
use crate::machine::{Readiness, Waker};
use crate::words::Values;
use seatlock_protocol::{Code, UnixTime};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
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

/// Called when an event is waiting, on a thread of its own; one call may stand for several events.
/// Must not block.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// More operations than this are never waiting at once.
const MOST_OPERATIONS: usize = 64;
/// Only the newest events are kept; those of operations outlast the others.
const MOST_EVENTS: usize = 256;

/// Between the worker, which posts events, and the host, which takes them.
pub(super) struct Mailbox {
    contents: Mutex<Contents>,
    changed: Condvar,
    waker: Option<Waker>,
}

#[derive(Default)]
struct Contents {
    events: VecDeque<Event>,
    /// Operations that have not ended, and whether they are to be cancelled.
    running: BTreeMap<OperationId, bool>,
    /// By how many threads an operation is waited for. Its event is theirs.
    awaited: BTreeMap<OperationId, usize>,
    last: u64,
    /// Nothing is handed out any more.
    closed: bool,
    readiness: Option<Readiness>,
    /// What was last said by it.
    ready: bool,
    /// What the event said that was taken last.
    message: Option<String>,
}

impl Contents {
    /// The oldest event that is nobody's yet.
    fn unclaimed(&self) -> Option<usize> {
        let claimed =
            |event: &Event| event.operation.is_some_and(|operation| self.awaited.contains_key(&operation));
        self.events.iter().position(|event| !claimed(event))
    }

    fn take(&mut self, at: Option<usize>) -> Option<Event> {
        let event = self.events.remove(at?)?;
        self.message = Some(event.message.clone());
        Some(event)
    }

    /// Says to whoever polls whether there is something to take.
    fn show(&mut self) {
        let ready = self.closed || self.unclaimed().is_some();
        if let Some(readiness) = self.readiness.as_ref().filter(|_| ready != self.ready) {
            readiness.set(ready);
            self.ready = ready;
        }
    }
}

impl Mailbox {
    pub(super) fn new(wake: Option<Wake>) -> Self {
        Self { contents: Mutex::default(), changed: Condvar::new(), waker: wake.map(Waker::new) }
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
            let oldest = idle.or_else(|| contents.unclaimed()).unwrap_or(0);
            contents.events.remove(oldest);
        }
        contents.events.push_back(event);
        contents.show();
        drop(contents);
        self.changed.notify_all();
        self.waker.iter().for_each(Waker::ring);
    }

    /// Lets the host be woken from now on, also for what was posted before.
    pub(super) fn begin_waking(&self) {
        self.waker.iter().for_each(Waker::begin);
    }

    /// Has the host woken for events of which it could not be told, because there was no thread to
    /// be had.
    pub(super) fn wake_again(&self) {
        self.waker.iter().for_each(Waker::ring_again);
    }

    /// Takes the oldest event that no other thread waits for, waiting for one if need be.
    /// [`Code::Closed`] once the client closes.
    pub(super) fn take(&self, timeout: Duration) -> Result<Option<Event>, Code> {
        let (mut contents, found) = self.wait_for(lock(&self.contents), timeout, |contents| {
            let at = contents.unclaimed();
            contents.take(at).map(Ok)
        });
        contents.show();
        found.transpose()
    }

    /// Takes the event of an operation, waiting for it if need be; meanwhile no
    /// [`take`](Self::take) gets it. [`Code::UnknownOperation`] when there is none to wait for,
    /// [`Code::Closed`] once the client closes.
    pub(super) fn take_of(&self, operation: OperationId, timeout: Duration) -> Result<Option<Event>, Code> {
        let mut contents = lock(&self.contents);
        *contents.awaited.entry(operation).or_default() += 1;
        let (mut contents, found) = self.wait_for(contents, timeout, |contents| {
            let at = contents.events.iter().position(|event| event.operation == Some(operation));
            match contents.take(at) {
                Some(event) => Some(Ok(event)),
                None if contents.running.contains_key(&operation) => None,
                None => Some(Err(Code::UnknownOperation)),
            }
        });
        match contents.awaited.get_mut(&operation) {
            Some(others) if *others > 1 => *others -= 1,
            _ => drop(contents.awaited.remove(&operation)),
        }
        contents.show();
        found.transpose()
    }

    fn wait_for<'a, T>(
        &'a self,
        mut contents: MutexGuard<'a, Contents>,
        timeout: Duration,
        mut find: impl FnMut(&mut Contents) -> Option<Result<T, Code>>,
    ) -> (MutexGuard<'a, Contents>, Option<Result<T, Code>>) {
        // Without a deadline that the clock can express, waiting goes on hour by hour.
        let deadline = Instant::now().checked_add(timeout);
        const HOUR: Duration = Duration::from_secs(3600);
        loop {
            if contents.closed {
                return (contents, Some(Err(Code::Closed)));
            }
            let left = deadline.map_or(HOUR, |deadline| deadline.saturating_duration_since(Instant::now()));
            match find(&mut contents) {
                None if !left.is_zero() => {
                    let waited = self.changed.wait_timeout(contents, left);
                    contents = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
                found => return (contents, found),
            }
        }
    }

    /// What the event said that was taken last.
    pub(super) fn message(&self) -> Option<String> {
        lock(&self.contents).message.clone()
    }

    /// What a poll loop can watch: ready while there is an event to take, and when the client
    /// closes.
    pub(super) fn readiness(&self) -> io::Result<isize> {
        let mut contents = lock(&self.contents);
        if contents.readiness.is_none() {
            (contents.readiness, contents.ready) = (Some(Readiness::new()?), false);
            contents.show();
        }
        Ok(contents.readiness.as_ref().map_or(-1, Readiness::handle))
    }

    /// Hands nothing out from now on: whoever waits is told so.
    pub(super) fn close(&self) {
        let mut contents = lock(&self.contents);
        contents.closed = true;
        contents.show();
        drop(contents);
        self.changed.notify_all();
    }

    /// Lets no wake function be called from now on, and waits until a running one has returned, up
    /// to `deadline`. False when it has not.
    pub(super) fn disable_wake(&self, deadline: Instant) -> bool {
        self.waker.as_ref().is_none_or(|waker| waker.disable_wake(deadline))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn event(operation: Option<OperationId>, code: Code) -> Event {
        let kind = if operation.is_some() { EventKind::Operation } else { EventKind::Status };
        Event { operation, ..Event::new(kind, code, String::new()) }
    }

    fn now(mailbox: &Mailbox) -> Option<Event> {
        mailbox.take(Duration::ZERO).unwrap()
    }

    #[test]
    fn the_event_of_an_operation_belongs_to_the_thread_that_waits_for_it() {
        for _ in 0..200 {
            let mailbox = Mailbox::new(None);
            let operation = mailbox.begin().unwrap();
            std::thread::scope(|scope| {
                let waiter = scope.spawn(|| mailbox.take_of(operation, Duration::from_secs(60)));
                while !lock(&mailbox.contents).awaited.contains_key(&operation) {
                    std::thread::yield_now();
                }
                let thief = scope.spawn(|| mailbox.take(Duration::from_secs(60)));
                mailbox.post(event(Some(operation), Code::Ok));
                assert_eq!(waiter.join().unwrap().unwrap().unwrap().operation, Some(operation));
                mailbox.post(event(None, Code::Ok));
                assert_eq!(thief.join().unwrap().unwrap().unwrap().operation, None);
            });
        }
    }

    #[test]
    fn an_event_that_is_waited_for_no_longer_is_anybodys() {
        let mailbox = Mailbox::new(None);
        let operation = mailbox.begin().unwrap();
        assert_eq!(mailbox.take_of(operation, Duration::from_millis(10)), Ok(None));
        mailbox.post(event(Some(operation), Code::Ok));
        assert_eq!(now(&mailbox).unwrap().operation, Some(operation));
        assert!(lock(&mailbox.contents).awaited.is_empty());
    }

    #[test]
    fn closing_ends_whoever_waits() {
        let mailbox = Mailbox::new(None);
        let operation = mailbox.begin().unwrap();
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| mailbox.take_of(operation, Duration::MAX));
            let taker = scope.spawn(|| mailbox.take(Duration::MAX));
            std::thread::sleep(Duration::from_millis(20));
            mailbox.close();
            assert_eq!(waiter.join().unwrap(), Err(Code::Closed));
            assert_eq!(taker.join().unwrap(), Err(Code::Closed));
        });
        mailbox.post(event(Some(operation), Code::Ok));
        assert_eq!(mailbox.take(Duration::ZERO), Err(Code::Closed));
        assert_eq!(mailbox.take_of(operation, Duration::ZERO), Err(Code::Closed));
    }

    #[test]
    fn an_operation_is_waited_for_once() {
        let mailbox = Mailbox::new(None);
        let (first, second) = (mailbox.begin().unwrap(), mailbox.begin().unwrap());
        assert_eq!(mailbox.take_of(first, Duration::ZERO), Ok(None), "not ended yet");
        mailbox.post(event(Some(second), Code::Ok));
        mailbox.post(event(Some(first), Code::Unreachable));
        assert_eq!(mailbox.take_of(first, Duration::ZERO).unwrap().unwrap().code, Code::Unreachable);
        assert_eq!(
            mailbox.take_of(first, Duration::MAX / 4),
            Err(Code::UnknownOperation),
            "its event was taken"
        );
        assert_eq!(now(&mailbox).unwrap().operation, Some(second));
        assert_eq!(now(&mailbox), None);
        assert_eq!(mailbox.take_of(OperationId(99), Duration::ZERO), Err(Code::UnknownOperation));
    }

    #[test]
    fn floods_are_bounded_and_lose_no_operation() {
        let mailbox = Mailbox::new(None);
        let operations: Vec<_> = std::iter::from_fn(|| mailbox.begin()).collect();
        assert_eq!(operations.len(), MOST_OPERATIONS);
        mailbox.post(event(Some(operations[0]), Code::Ok));
        assert!(mailbox.begin().is_some(), "an ended operation makes room");
        (0..10 * MOST_EVENTS).for_each(|_| mailbox.post(event(None, Code::Ok)));
        let taken: Vec<_> = std::iter::from_fn(|| now(&mailbox)).collect();
        assert_eq!(taken.len(), MOST_EVENTS);
        assert_eq!(taken[0].operation, Some(operations[0]));
        (0..10 * MOST_EVENTS).for_each(|_| mailbox.post(event(mailbox.begin(), Code::Ok)));
        assert_eq!(std::iter::from_fn(|| now(&mailbox)).count(), MOST_EVENTS, "nobody took them");
    }

    #[test]
    fn no_wake_after_silence() {
        let count = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&count);
        let mailbox = Mailbox::new(Some(Arc::new(move || {
            counter.fetch_add(1, Ordering::Relaxed);
        })));
        mailbox.post(event(None, Code::Ok));
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(count.load(Ordering::Relaxed), 0, "the host does not know the client yet");
        mailbox.begin_waking();
        while count.load(Ordering::Relaxed) == 0 {
            std::thread::yield_now();
        }
        assert!(mailbox.disable_wake(Instant::now() + Duration::from_secs(60)));
        mailbox.post(event(None, Code::Ok));
        assert_eq!(count.load(Ordering::Relaxed), 1);
    }
}
