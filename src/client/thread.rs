use super::shared::Shared;
use super::worker::Command;
use super::{Failure, refused};
use crate::machine;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The thread that works, and the way to it.
pub(super) struct WorkerThread {
    pub(super) commands: UnboundedSender<Command>,
    handle: JoinHandle<()>,
    /// Disconnected when the worker has ended. In a mutex only so that a client can be used from
    /// any thread.
    ended: Mutex<Receiver<()>>,
}

impl WorkerThread {
    /// Starts it with what it does until the commands end.
    pub(super) fn start(
        shared: Arc<Shared>,
        body: impl FnOnce(UnboundedReceiver<Command>) + Send + 'static,
    ) -> Result<Self, Failure> {
        let (commands, received) = unbounded_channel();
        let (alive, ended) = channel::<()>();
        let run = move || {
            let _alive = alive;
            // A panic is told to the host as a defect, by the line below.
            let _ = catch_unwind(AssertUnwindSafe(|| body(received)));
            shared.worker_ended();
        };
        let builder = std::thread::Builder::new().name("seatlock".to_owned());
        let handle = machine::without_signals(|| builder.spawn(run)).map_err(|error| refused(&error))?;
        Ok(Self { commands, handle, ended: Mutex::new(ended) })
    }

    /// Waits for the worker until `deadline`; one that hangs in the file system is left to end by
    /// itself.
    pub(super) fn join_until(self, deadline: Instant) {
        drop(self.commands);
        let left = deadline.saturating_duration_since(Instant::now());
        let on_worker = self.handle.thread().id() == std::thread::current().id();
        let ended = self.ended.into_inner().unwrap_or_else(PoisonError::into_inner);
        let ended = ended.recv_timeout(left) == Err(std::sync::mpsc::RecvTimeoutError::Disconnected);
        if ended && !on_worker {
            let _ = self.handle.join();
        }
    }
}
