use super::shared::Shared;
use super::worker::Command;
use super::{Failure, refused};
use crate::machine;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The thread that works, and the way to it.
pub(super) struct WorkerThread {
    pub(super) commands: UnboundedSender<Command>,
    handle: JoinHandle<()>,
    /// Gets a message when the worker begins, and is disconnected when it has ended. In a mutex
    /// only so that a client can be used from any thread.
    life: Mutex<Receiver<()>>,
}

impl WorkerThread {
    /// Starts it with what it does until the commands end.
    pub(super) fn start(
        shared: Arc<Shared>,
        body: impl FnOnce(UnboundedReceiver<Command>) + Send + 'static,
    ) -> Result<Self, Failure> {
        let (commands, received) = unbounded_channel();
        let (alive, life) = channel::<()>();
        let run = move || {
            let _ = alive.send(());
            // A panic is told to the host as a defect, by the line below.
            let _ = catch_unwind(AssertUnwindSafe(|| body(received)));
            shared.worker_ended();
            drop(alive);
        };
        let builder = std::thread::Builder::new().name("seatlock".to_owned());
        let handle = machine::without_signals(|| builder.spawn(run)).map_err(|error| refused(&error))?;
        Ok(Self { commands, handle, life: Mutex::new(life) })
    }

    /// Waits for the worker until `deadline`; one that hangs in the file system is left to end by
    /// itself. So is one that has not begun where it may be the caller who keeps it from that.
    pub(super) fn join_until(self, deadline: Instant) {
        drop(self.commands);
        let on_worker = self.handle.thread().id() == std::thread::current().id();
        if on_worker || machine::is_dead(&self.handle) {
            return;
        }
        let life = self.life.into_inner().unwrap_or_else(PoisonError::into_inner);
        let left = || deadline.saturating_duration_since(Instant::now());
        let beginning = if machine::CAN_JOIN { left() } else { left().min(machine::BEGINNING) };
        let said = life.recv_timeout(beginning).and_then(|()| life.recv_timeout(left()));
        if said == Err(RecvTimeoutError::Disconnected) && machine::CAN_JOIN {
            let _ = self.handle.join();
        }
    }
}
