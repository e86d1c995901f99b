#[cfg(loom)]
use loom::sync::atomic::{AtomicU64, Ordering, fence};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicU64, Ordering, fence};

/// A few numbers that belong together: the worker replaces them, any thread reads them without a
/// lock, without allocating, and without waiting for a worker that was interrupted.
///
/// There are two places. The newest numbers stand still while the next ones are written beside
/// them, so a reader looks again only if they were replaced twice while it read. `tests/models`
/// shows it in every order of events.
pub(super) struct SeqLock<const N: usize> {
    /// Counts replacements; its last bit says which place holds the newest numbers.
    version: AtomicU64,
    even: [AtomicU64; N],
    odd: [AtomicU64; N],
}

impl<const N: usize> SeqLock<N> {
    /// Zeros.
    #[cfg(not(loom))]
    pub(super) const fn new() -> Self {
        Self {
            version: AtomicU64::new(0),
            even: [const { AtomicU64::new(0) }; N],
            odd: [const { AtomicU64::new(0) }; N],
        }
    }

    /// As above; loom makes its numbers while it runs.
    #[cfg(loom)]
    pub(super) fn new() -> Self {
        let zeros = || [0; N].map(AtomicU64::new);
        Self { version: AtomicU64::new(0), even: zeros(), odd: zeros() }
    }

    fn place(&self, version: u64) -> &[AtomicU64; N] {
        if version & 1 == 0 { &self.even } else { &self.odd }
    }

    /// How often the numbers were replaced, and the newest ones.
    pub(super) fn read(&self) -> (u64, [u64; N]) {
        loop {
            let version = self.version.load(Ordering::Acquire);
            let place = self.place(version);
            let numbers =
                std::array::from_fn(|at| place.get(at).map_or(0, |number| number.load(Ordering::Relaxed)));
            // Whoever has seen a number of a later version sees below that this one is no longer the newest.
            fence(Ordering::Acquire);
            if self.version.load(Ordering::Relaxed) == version {
                return (version, numbers);
            }
        }
    }

    /// Replaces the numbers. Callers take turns: two at the same time would write into one place.
    pub(super) fn write(&self, numbers: [u64; N]) {
        let version = self.version.load(Ordering::Relaxed);
        // The place below was the newest one before `version` was stored; no reader may see it change
        // without that.
        fence(Ordering::Release);
        for (place, number) in self.place(version + 1).iter().zip(numbers) {
            place.store(number, Ordering::Relaxed);
        }
        self.version.store(version + 1, Ordering::Release);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_newest_numbers_are_read_and_counted() {
        let lock = SeqLock::new();
        assert_eq!(lock.read(), (0, [0, 0]));
        lock.write([3, 4]);
        lock.write([5, 6]);
        assert_eq!(lock.read(), (2, [5, 6]));
    }

    #[test]
    fn readers_never_see_numbers_of_two_versions() {
        const LAST: u64 = 200_000;
        let lock = SeqLock::<9>::new();
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let mut seen = 0;
                    while seen < LAST {
                        let (version, numbers) = lock.read();
                        assert_eq!(numbers, [version; 9]);
                        assert!(version >= seen, "{version} after {seen}");
                        seen = version;
                    }
                });
            }
            (1..=LAST).for_each(|version| lock.write([version; 9]));
        });
    }
}
