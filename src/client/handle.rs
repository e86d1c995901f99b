use super::seq_lock::SeqLock;
use super::snapshot::Status;
use super::{Client, Failure, Options, lock};
use crate::license::StatusInputs;
use crate::machine::clock::{Clock, Seconds};
use crate::machine::{self, ForkGuard};
use seatlock_protocol::Code;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// How many bits of a handle say which slot it is.
const SLOT_BITS: u32 = 10;
/// Most clients that are open at the same time in one image.
const SLOTS: usize = 1 << SLOT_BITS;

/// How often it is looked whether the calls of other threads have left a client that is being
/// closed.
const LEAVING: Duration = Duration::from_millis(1);

/// The places of this image's clients. They are never freed, so a handle that is out of date can be
/// looked up.
static TABLE: [Slot; SLOTS] = [const { Slot::new() }; SLOTS];

/// A client as the C interface knows it: a number that no later client has, and that is looked up
/// in each call. So whoever uses a client that another thread has closed, or is closing, gets
/// [`Code::Closed`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handle(usize);

/// Where a client is found, and what status calls read.
struct Slot {
    taken: AtomicBool,
    /// How many clients it has had.
    count: AtomicUsize,
    /// The handle of the client that is open here; 0 when there is none.
    handle: AtomicUsize,
    client: Mutex<Option<Arc<Client>>>,
    front: Front,
}

/// What needs no lock.
pub(super) struct Front {
    /// The terms alone, for those who ask in every frame.
    terms: SeqLock<{ StatusInputs::NUMBERS }>,
    seconds: Seconds,
    fork: ForkGuard,
}

/// The slot of one client, given back when nothing uses the client any more.
pub(super) struct Reservation {
    slot: &'static Slot,
    handle: Handle,
}

impl Slot {
    const fn new() -> Self {
        Self {
            taken: AtomicBool::new(false),
            count: AtomicUsize::new(0),
            handle: AtomicUsize::new(0),
            client: Mutex::new(None),
            front: Front { terms: SeqLock::new(), seconds: Seconds::new(), fork: ForkGuard::new() },
        }
    }
}

impl Front {
    /// What holds now by these clocks. No lock, no allocation, and in most calls no system clock.
    pub(super) fn status(&self, clock: &Clock) -> Status {
        let (generation, numbers) = self.terms.read();
        let since_boot = clock.since_boot_held(&self.seconds);
        Status::at(&StatusInputs::from_numbers(numbers), since_boot, generation)
    }

    /// Replaces the terms. Callers take turns.
    pub(super) fn write(&self, terms: &StatusInputs) {
        self.terms.write(terms.to_numbers());
    }

    pub(super) fn is_forked(&self) -> bool {
        self.fork.is_forked()
    }
}

impl Reservation {
    /// Takes a free slot for a client of this process.
    pub(super) fn take() -> Result<Self, Failure> {
        Self::take_in(&TABLE)
    }

    fn take_in(table: &'static [Slot]) -> Result<Self, Failure> {
        let free = |(_, slot): &(usize, &Slot)| {
            // In a forked child, one whose lock is held stays so: the thread that holds it is the parent's.
            !slot.taken.load(Ordering::Relaxed)
                && slot.client.try_lock().is_ok()
                && !slot.taken.swap(true, Ordering::Acquire)
        };
        let full = || Failure::new(Code::Busy, format!("{} clients are open. Close one first.", table.len()));
        let (number, slot) = table.iter().enumerate().find(free).ok_or_else(full)?;
        // Beyond the last number that fits, it begins anew; 0 is nobody's.
        let largest = usize::MAX >> SLOT_BITS;
        let count = slot.count.load(Ordering::Relaxed) % largest + 1;
        slot.count.store(count, Ordering::Relaxed);
        slot.front.fork.mark();
        Ok(Self { slot, handle: Handle(count << SLOT_BITS | number) })
    }

    pub(super) fn handle(&self) -> Handle {
        self.handle
    }

    pub(super) fn front(&self) -> &'static Front {
        &self.slot.front
    }

    /// Lets the client be found by its handle from now on.
    fn seat(&self, client: Client) {
        let mut found = lock(&self.slot.client);
        *found = Some(Arc::new(client));
        self.slot.handle.store(self.handle.0, Ordering::Release);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.slot.taken.store(false, Ordering::Release);
    }
}

impl Handle {
    /// The handle with this number, which may be nobody's.
    #[must_use]
    pub fn from_number(number: usize) -> Self {
        Self(number)
    }

    /// The number, never zero.
    #[must_use]
    pub fn number(self) -> usize {
        self.0
    }

    /// Opens a client as [`Client::open`] does. `announce` is called before a function of the host
    /// may be.
    ///
    /// # Errors
    /// As [`Client::open`].
    pub fn open(options: &Options, announce: impl FnOnce(Self)) -> Result<(), Failure> {
        let client = Client::open_quiet(options)?;
        let shared = Arc::clone(&client.shared);
        let reservation = &shared.reservation;
        reservation.seat(client);
        announce(reservation.handle());
        shared.begin_calls();
        Ok(())
    }

    /// As [`Client::status`].
    ///
    /// # Errors
    /// [`Code::Closed`], [`Code::Forked`].
    pub fn status(self) -> Result<Status, Failure> {
        let slot = self.slot().map_err(Failure::of)?;
        let status = slot.front.status(&Clock::default());
        // Whoever has read what belongs to a later client sees below that this one was closed.
        fence(Ordering::Acquire);
        if slot.handle.load(Ordering::Relaxed) == self.0 {
            Ok(status)
        } else {
            Err(Failure::of(Code::Closed))
        }
    }

    /// Does something with the client, which stays until that is done, even if it is closed
    /// meanwhile. After a panic in `body`, what it left behind is not used any more.
    ///
    /// # Errors
    /// [`Code::Closed`], [`Code::Forked`], [`Code::Internal`] after a panic, and those of `body`.
    pub fn with<T>(self, body: impl FnOnce(&Client) -> Result<T, Failure>) -> Result<T, Failure> {
        let slot = self.slot().map_err(Failure::of)?;
        let found = lock(&slot.client);
        // A client that came after this one was closed is not looked at.
        let same = slot.handle.load(Ordering::Relaxed) == self.0;
        let client = found.as_ref().filter(|_| same).map(Arc::clone);
        drop(found);
        let client = client.ok_or(Failure::of(Code::Closed))?;
        if client.poisoned.load(Ordering::Relaxed) {
            return Err(Failure::of(Code::Internal));
        }
        let sentry = PoisonGuard(&client.poisoned);
        let done = body(&client);
        std::mem::forget(sentry);
        done
    }

    /// Closes the client as [`Client::close`] does, and waits within `timeout` until the calls of
    /// other threads, which end with [`Code::Closed`], have left it. One that has not is never
    /// cut off: the client lives until it has. In a forked child, and where a process of Windows is
    /// ending, it does nothing.
    ///
    /// # Errors
    /// [`Code::Closed`].
    pub fn close(self, timeout: Duration) -> Result<Code, Failure> {
        if machine::is_ending() {
            return Ok(Code::Ok);
        }
        let slot = match self.slot() {
            Err(Code::Forked) => return Ok(Code::Ok),
            slot => slot.map_err(Failure::of)?,
        };
        let unseated = slot.handle.compare_exchange(self.0, 0, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        let client = if unseated { lock(&slot.client).take() } else { None };
        let client = client.ok_or(Failure::of(Code::Closed))?;
        let deadline = super::deadline(timeout);
        let quiet = client.shut_down(deadline);
        let mut left = Arc::strong_count(&client) == 1;
        while !left && Instant::now() < deadline {
            thread::sleep(LEAVING);
            left = Arc::strong_count(&client) == 1;
        }
        Ok(if quiet && left { Code::Ok } else { Code::StillRunning })
    }

    /// A code alone when there is none: a host that asks in every frame makes no failure for nothing.
    fn slot(self) -> Result<&'static Slot, Code> {
        let slot = TABLE.get(self.0 & (SLOTS - 1)).ok_or(Code::Closed)?;
        match slot.handle.load(Ordering::Acquire) == self.0 && self.0 != 0 {
            true if slot.front.is_forked() => Err(Code::Forked),
            true => Ok(slot),
            false => Err(Code::Closed),
        }
    }
}

/// Poisons the client when it is dropped, which happens only while unwinding.
struct PoisonGuard<'a>(&'a AtomicBool);

impl Drop for PoisonGuard<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_comes_twice_and_what_is_none_is_closed() {
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..100 {
            let reservation = Reservation::take().unwrap();
            assert_ne!(reservation.handle().number(), 0);
            assert!(seen.insert(reservation.handle().number()), "each client has its own");
        }
        for number in seen.into_iter().chain([0, 1, SLOTS - 1, usize::MAX, usize::MAX - 1]) {
            let nobody = Handle::from_number(number);
            assert_eq!(nobody.status().unwrap_err().code, Code::Closed, "{number}");
            assert_eq!(nobody.with(|_| Ok(())).unwrap_err().code, Code::Closed, "{number}");
            assert_eq!(nobody.close(Duration::ZERO).unwrap_err().code, Code::Closed, "{number}");
        }
    }

    /// In a table of its own, whose slots no other test takes.
    #[test]
    fn when_every_slot_is_taken_the_next_client_is_refused_until_one_closes() {
        static FULL: [Slot; SLOTS] = [const { Slot::new() }; SLOTS];
        let mut open: Vec<_> = (0..SLOTS).map(|_| Reservation::take_in(&FULL).unwrap()).collect();
        let numbers: std::collections::BTreeSet<_> = open.iter().map(|one| one.handle().number()).collect();
        assert_eq!(numbers.len(), 1024);
        let refused = Reservation::take_in(&FULL).err().unwrap();
        assert_eq!(refused.code, Code::Busy);
        assert_eq!(refused.to_string(), "1024 clients are open. Close one first.");
        open.swap_remove(700);
        let next = Reservation::take_in(&FULL).unwrap();
        assert!(!numbers.contains(&next.handle().number()), "it is another client");
        assert!(Reservation::take_in(&FULL).is_err());
    }

    #[test]
    fn a_client_whose_call_panicked_is_used_no_more_but_closed() {
        let mut options = Options::new();
        options.set_product("com.example.bridge").unwrap();
        options.set_server("http://127.0.0.1:9").unwrap();
        options.add_root_key("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
        options.set_machine_id("a-test-machine-of-ours").unwrap();
        let folder = tempfile::tempdir().unwrap();
        options.set_state_folder(folder.path().to_str().unwrap()).unwrap();
        let mut opened = None;
        Handle::open(&options, |handle| opened = Some(handle)).unwrap();
        let client = opened.unwrap();
        assert!(client.with(|client| client.ping(seatlock_protocol::api::Intent::Renew)).is_ok());
        let call = || client.with(|_| -> Result<(), Failure> { panic!("a defect") });
        assert!(std::panic::catch_unwind(call).is_err());
        assert_eq!(client.with(|_| Ok(())).unwrap_err().code, Code::Internal);
        assert!(client.status().is_ok(), "which is read elsewhere");
        assert_eq!(client.close(Duration::from_secs(60)).unwrap(), Code::Ok);
    }
}
