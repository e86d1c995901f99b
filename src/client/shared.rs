use super::event::{Event, EventKind, Mailbox, OperationId};
use super::handle::Reservation;
use super::journal::Journal;
use super::lock;
use super::snapshot::{Snapshot, Status};
use crate::license::{LockState, Reading, Standing};
use crate::machine::clock::Clock;
use crate::net::oauth::Prompt;
use crate::words::{Language, Message};
use seatlock_protocol::Code;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// What host threads and the worker share.
pub(super) struct Shared {
    pub(super) reservation: Reservation,
    pub(super) clock: Clock,
    pub(super) language: Arc<Language>,
    snapshot: Mutex<Arc<Snapshot>>,
    pub(super) mailbox: Mailbox,
    pub(super) journal: Journal,
    closing: AtomicBool,
    /// Set when the worker has ended too early.
    broken: AtomicBool,
    /// Wakes the worker to look at `closing` and at cancelled operations.
    interrupt: watch::Sender<()>,
    /// What a person needs who is signing in now.
    prompt: Mutex<Option<Prompt>>,
    /// Whether the network may be used.
    network: watch::Sender<bool>,
    /// What the host was last told by an event.
    told: Mutex<(LockState, Code)>,
}

impl Shared {
    pub(super) fn new(
        reservation: Reservation,
        snapshot: Snapshot,
        mailbox: Mailbox,
        journal: Journal,
        network: bool,
        clock: Clock,
        language: Arc<Language>,
    ) -> Self {
        let standing = snapshot.standing(clock.since_boot());
        reservation.front().write(&snapshot.terms);
        Self {
            reservation,
            clock,
            language,
            snapshot: Mutex::new(Arc::new(snapshot)),
            mailbox,
            journal,
            closing: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            interrupt: watch::Sender::new(()),
            prompt: Mutex::new(None),
            network: watch::Sender::new(network),
            told: Mutex::new((standing.lock_state, standing.reason)),
        }
    }

    /// What holds now. No lock, no allocation, and in most calls no system clock.
    pub(super) fn status(&self) -> Status {
        self.reservation.front().status(&self.clock)
    }

    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&lock(&self.snapshot))
    }

    pub(super) fn standing(&self) -> Standing {
        self.snapshot().standing(self.clock.since_boot())
    }

    /// What a person is to be told of the status.
    pub(super) fn message(&self, reading: Reading) -> Message {
        self.snapshot().message(reading.since_boot, reading.wall)
    }

    /// Publishes what is known, and posts an event when the host would be told something else than
    /// before.
    pub(super) fn publish(&self, snapshot: Snapshot, reading: Reading) {
        let standing = snapshot.standing(reading.since_boot);
        let message = snapshot.message(reading.since_boot, reading.wall);
        let available_at = snapshot.terms.next_try;

        let (anomaly, believed) = (snapshot.anomaly, snapshot.terms.now(reading.since_boot));
        if self.snapshot().anomaly != anomaly {
            self.journal.clock(anomaly, reading, believed);
        }
        let now = (standing.lock_state, standing.reason);
        let mut told = lock(&self.told);
        self.reservation.front().write(&snapshot.terms);
        *lock(&self.snapshot) = Arc::new(snapshot);
        let changed = *told != now;
        *told = now;
        drop(told);
        if changed {
            let event = self.event(EventKind::Status, standing.reason, message);
            self.post(Event { available_at, ..event });
        }
    }

    /// An event of which only kind, code and message are known.
    pub(super) fn event(&self, kind: EventKind, code: Code, message: Message) -> Event {
        Event { values: message.values.clone(), ..Event::new(kind, code, self.language.say(&message)) }
    }

    pub(super) fn post(&self, event: Event) {
        self.journal.event(&event);
        self.mailbox.post(event);
    }

    /// Ends an operation without an outcome of its own.
    fn end(&self, operation: OperationId, code: Code) {
        let event = self.event(EventKind::Operation, code, code.into());
        self.post(Event { operation: Some(operation), ..event });
    }

    /// Lets the functions of the host be called from now on, also for what was before.
    pub(super) fn begin_calls(&self) {
        self.journal.begin_telling();
        self.mailbox.begin_waking();
    }

    /// Tries again to call them, where there was no thread to be had.
    pub(super) fn call_again(&self) {
        self.journal.tell_again();
        self.mailbox.wake_again();
    }

    pub(super) fn begin_closing(&self) {
        self.closing.store(true, Ordering::Release);
        self.mailbox.close();
        self.interrupt.send_replace(());
    }

    /// The worker has ended. Unless the client closes, that is a defect, and nobody may wait for it
    /// any more.
    pub(super) fn worker_ended(&self) {
        if !self.closing.load(Ordering::Acquire) {
            self.broken.store(true, Ordering::Release);
            self.end_running(Code::Internal);
        }
    }

    /// Ends every operation that has not ended.
    pub(super) fn end_running(&self, code: Code) {
        self.set_prompt(None);
        self.mailbox.running().into_iter().for_each(|operation| self.end(operation, code));
    }

    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }

    pub(super) fn cancel(&self, operation: OperationId) -> bool {
        let running = self.mailbox.cancel(operation);
        self.interrupt.send_replace(());
        running
    }

    pub(super) fn allow_network(&self, allowed: bool) {
        self.network.send_replace(allowed);
    }

    pub(super) fn has_network(&self) -> bool {
        *self.network.borrow()
    }

    /// Ends when the network may not be used, at once if it is so already.
    pub(super) async fn network_disallowed(&self) {
        // The sender lives as long as `self`, so this ends for no other reason.
        let _ = self.network.subscribe().wait_for(|allowed| !allowed).await;
    }

    /// Ends when the client closes.
    pub(super) async fn closed(&self) {
        self.interrupted(None).await;
    }

    /// Ends when the client closes or `current` is cancelled. Cancelled operations that wait for
    /// their turn end at once.
    pub(super) async fn interrupted(&self, current: Option<OperationId>) {
        let mut interrupt = self.interrupt.subscribe();
        while !self.closing.load(Ordering::Acquire) {
            let cancelled = self.mailbox.cancelled();
            if current.is_some_and(|current| cancelled.contains(&current)) {
                return;
            }
            cancelled.into_iter().for_each(|waiting| self.end(waiting, Code::Cancelled));
            let _ = interrupt.changed().await;
        }
    }

    /// Ends when an operation is not waited for any more.
    pub(super) async fn given_up(&self, operation: OperationId) {
        let mut interrupt = self.interrupt.subscribe();
        while self.mailbox.is_wanted(operation) {
            let _ = interrupt.changed().await;
        }
    }

    pub(super) fn prompt(&self) -> Option<Prompt> {
        lock(&self.prompt).clone()
    }

    pub(super) fn set_prompt(&self, prompt: Option<Prompt>) {
        *lock(&self.prompt) = prompt;
    }
}
