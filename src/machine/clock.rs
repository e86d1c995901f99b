use crate::license::Reading;
use seatlock_protocol::UnixTime;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;

/// Linux and Android: CLOCK_BOOTTIME.
#[cfg(any(target_os = "linux", target_os = "android"))]
const CONTINUOUS: libc::clockid_t = libc::CLOCK_BOOTTIME;
/// macOS: the clock of mach_continuous_time, which, unlike mach_absolute_time, goes on in sleep.
#[cfg(target_vendor = "apple")]
const CONTINUOUS: libc::clockid_t = libc::CLOCK_MONOTONIC_RAW;
/// Elsewhere the monotonic clock, which the BSDs let go on in suspend.
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android", target_vendor = "apple"))))]
const CONTINUOUS: libc::clockid_t = libc::CLOCK_MONOTONIC;

/// What a client takes the time from: the computer's clocks, or in a test those same clocks, moved
/// on by a [`Shift`].
#[derive(Debug, Clone, Default)]
pub struct Clock {
    shift: Option<Shift>,
}

/// By how much the clocks of a test are ahead. Its copies move together; it only moves forward.
#[derive(Debug, Clone, Default)]
pub struct Shift(Arc<watch::Sender<Duration>>);

impl Shift {
    /// Lets time pass at once: whoever waits until a moment before that goes on.
    pub fn advance(&self, by: Duration) {
        self.0.send_modify(|ahead| *ahead = ahead.saturating_add(by));
    }

    fn ahead(&self) -> Duration {
        *self.0.borrow()
    }
}

impl From<&Shift> for Clock {
    fn from(shift: &Shift) -> Self {
        Self { shift: Some(shift.clone()) }
    }
}

impl Clock {
    /// Both clocks at this moment. Any thread; no allocation; some tens of nanoseconds.
    ///
    /// `wall` is `None` when the wall clock stands before 1970 or beyond what [`UnixTime`] holds: a
    /// computer with an empty clock battery must read as "unknown", not as a date.
    #[must_use]
    pub fn read(&self) -> Reading {
        let now = SystemTime::now();
        let now = self.shift.as_ref().map_or(now, |shift| now.checked_add(shift.ahead()).unwrap_or(now));
        Reading { wall: wall(now), since_boot: self.since_boot(), boot: boot() }
    }

    /// Seconds since the computer was started. Any thread; no allocation; some tens of nanoseconds.
    #[must_use]
    pub fn since_boot(&self) -> u64 {
        self.since_boot_millis() / 1000
    }

    /// The same in milliseconds, for [`Clock::sleep_until`].
    #[must_use]
    pub fn since_boot_millis(&self) -> u64 {
        let ahead = self.shift.as_ref().map_or(0, |shift| millis(shift.ahead()));
        since_boot_millis().saturating_add(ahead)
    }

    /// [`Clock::since_boot`] from `held`, late by a second at most: see [`Seconds`]. No lock,
    /// unless a test moves time.
    #[must_use]
    pub fn since_boot_held(&self, held: &Seconds) -> u64 {
        if self.shift.is_none() { held.since_boot() } else { self.since_boot() }
    }

    /// Ends so many milliseconds after the computer was started, or a little later. While the
    /// computer sleeps the wait stands still.
    pub async fn sleep_until(&self, moment: u64) {
        let mut moved = self.shift.as_ref().map(|shift| shift.0.subscribe());
        loop {
            let left = moment.saturating_sub(self.since_boot_millis());
            if left == 0 {
                return;
            }
            let slept = tokio::time::sleep(Duration::from_millis(left));
            match &mut moved {
                None => slept.await,
                Some(moved) => tokio::select! {
                    () = slept => {}
                    // The sender lives as long as `self`, so this ends for no other reason.
                    _ = moved.changed() => {}
                },
            }
        }
    }

    /// Ends after `time`, or a little later.
    pub async fn sleep(&self, time: Duration) {
        self.sleep_until(self.since_boot_millis().saturating_add(millis(time))).await;
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn wall(now: SystemTime) -> Option<UnixTime> {
    let elapsed = now.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(elapsed.as_secs()).ok().and_then(UnixTime::new)
}

/// Milliseconds since the computer was started, time in sleep and hibernation included; never set
/// back.
///
/// clock_gettime(2) with `CLOCK_BOOTTIME`; on macOS with `CLOCK_MONOTONIC_RAW`. Zero when the
/// kernel refuses the clock, which no supported one does. Any thread; no allocation; some tens of
/// nanoseconds.
#[cfg(unix)]
fn since_boot_millis() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a valid, writable timespec for the whole call.
    if unsafe { libc::clock_gettime(CONTINUOUS, &raw mut now) } != 0 {
        return 0;
    }
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(now.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1000).saturating_add(nanoseconds / 1_000_000)
}

/// Milliseconds since the computer was started, time in sleep and hibernation included; never set
/// back.
///
/// `GetTickCount64`: the interrupt time, which counts suspension, read from a page that every
/// process shares. It advances in steps of 10 to 16 ms. `QueryInterruptTime` says the same but
/// needs Windows 10. Any thread; no allocation; a few nanoseconds.
#[cfg(windows)]
fn since_boot_millis() -> u64 {
    // SAFETY: takes no arguments and has no preconditions.
    unsafe { windows_sys::Win32::System::SystemInformation::GetTickCount64() }
}

/// Which start of the computer this is: half of the kernel's boot_id (random(4)), which is read
/// once. Elsewhere 0: the high-water mark then stands still between launches while the wall clock
/// is behind it. A read that fails for want of means is tried again: a computer that seems to have
/// been started anew could be taken for another one.
fn boot() -> u64 {
    static BOOT: once_cell::sync::OnceCell<u64> = once_cell::sync::OnceCell::new();
    let read = || match std::fs::read_to_string("/proc/sys/kernel/random/boot_id") {
        Err(error) if crate::scarcity::scarce(&error).is_some() => Err(()),
        Err(_) => Ok(0),
        Ok(id) => {
            let digits: String = id.chars().filter(char::is_ascii_hexdigit).take(16).collect();
            Ok(u64::from_str_radix(&digits, 16).unwrap_or(0))
        }
    };
    let read = || if cfg!(target_os = "linux") { read() } else { Ok(0) };
    BOOT.get_or_try_init(read).copied().unwrap_or(0)
}

/// [`Clock::since_boot`], for those who ask many times in each of them.
///
/// `CLOCK_BOOTTIME` reads the processor's counter, 25 to 50 ns in a virtual machine.
/// `CLOCK_MONOTONIC_COARSE` is a load from memory, but stands still in sleep. So the first is asked
/// once in each second of the second one, and the answer is late by a second at most, after a sleep
/// too. Any thread; no allocation, no lock.
#[derive(Debug, Default)]
pub struct Seconds {
    /// The coarse second in the upper half, and what the exact clock said in it in the lower one.
    /// In one number, so that no thread sees parts of two answers; 32 bits of seconds are 136
    /// years.
    held: AtomicU64,
}

impl Seconds {
    /// Nothing is held yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { held: AtomicU64::new(0) }
    }

    fn since_boot(&self) -> u64 {
        let exact = || since_boot_millis() / 1000;
        coarse_seconds().map_or_else(exact, |coarse| self.held_or(coarse, exact))
    }

    fn held_or(&self, coarse: u64, exact: impl FnOnce() -> u64) -> u64 {
        const HALF: u64 = u32::MAX as u64;
        // Zero is what nothing was held under yet.
        let coarse = (coarse + 1) & HALF;
        let held = self.held.load(Ordering::Relaxed);
        if held >> 32 == coarse {
            return held & HALF;
        }
        let exact = exact().min(HALF);
        self.held.store(coarse << 32 | exact, Ordering::Relaxed);
        exact
    }
}

/// Seconds of being awake, to be compared only.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn coarse_seconds() -> Option<u64> {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a valid, writable timespec for the whole call.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &raw mut now) };
    if result == 0 { u64::try_from(now.tv_sec).ok() } else { None }
}

/// Elsewhere the exact clock is as quick.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn coarse_seconds() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn an_unusable_wall_clock_is_none_and_never_zero() {
        let at = |seconds: u64| UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
        assert_eq!(wall(UNIX_EPOCH - Duration::from_secs(1)), None);
        assert_eq!(wall(UNIX_EPOCH - Duration::from_nanos(100)), None);
        assert_eq!(wall(UNIX_EPOCH), UnixTime::new(0));
        assert_eq!(at(1_795_000_000).and_then(wall), UnixTime::new(1_795_000_000));
        if let Some(beyond) = at(1 << 53) {
            assert_eq!(wall(beyond), None);
        }
    }

    #[test]
    fn the_continuous_clock_never_goes_back_and_keeps_pace() {
        let (started, instant) = (since_boot_millis(), Instant::now());
        assert!(started > 0, "a computer that runs this has been on for a millisecond");
        let mut last = started;
        // The coarsest step is that of Windows, 16 ms.
        while instant.elapsed() < Duration::from_millis(60) {
            let now = since_boot_millis();
            assert!(now >= last, "{now} after {last}");
            last = now;
        }
        // Read again: a busy computer may have stopped this thread since the last look.
        let passed = since_boot_millis() - started;
        assert!(passed >= 40, "only {passed} ms passed");
        let clock = Clock::default();
        assert!(clock.read().since_boot >= started / 1000);
        assert_eq!(clock.read().boot, clock.read().boot);
        assert!(clock.read().boot != 0 || !cfg!(target_os = "linux"));
    }

    #[test]
    fn a_shift_moves_every_clock_and_wakes_who_waits() {
        const DAY: u64 = 24 * 3600;
        let (shift, system) = (Shift::default(), Clock::default());
        let (moved, held) = (Clock::from(&shift), Seconds::default());
        let (before, held_before) = (moved.read(), moved.since_boot_held(&held));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let began = Instant::now();
            let sleeper = moved.sleep(Duration::from_secs(DAY));
            tokio::pin!(sleeper);
            let soon = Duration::from_millis(20);
            assert!(tokio::time::timeout(soon, &mut sleeper).await.is_err(), "a day has not passed");
            shift.advance(Duration::from_secs(DAY / 2));
            assert!(tokio::time::timeout(soon, &mut sleeper).await.is_err(), "half a day");
            shift.advance(Duration::from_secs(DAY / 2));
            sleeper.await;
            system.sleep(Duration::from_millis(1)).await;
            assert!(began.elapsed() < Duration::from_secs(DAY / 2));
        });
        let after = moved.read();
        assert!(after.wall.unwrap().since(before.wall.unwrap()) >= DAY);
        assert!(after.since_boot - before.since_boot >= DAY && after.boot == before.boot);
        assert!(moved.since_boot_held(&held) - held_before >= DAY);
        assert!(
            system.read().since_boot < before.since_boot + DAY,
            "the computer's own clock was left alone"
        );
    }

    #[test]
    fn the_exact_clock_is_asked_once_in_a_second_and_after_sleep() {
        let seconds = Seconds::default();
        let asked = || panic!("the exact clock was asked again");
        assert_eq!(seconds.held_or(0, || 7), 7);
        assert_eq!(seconds.held_or(0, asked), 7);
        assert_eq!(seconds.held_or(1, || 8), 8);
        // Eight hours of sleep, during which the coarse clock stood still.
        assert_eq!(seconds.held_or(1, asked), 8);
        assert_eq!(seconds.held_or(2, || 8 + 8 * 3600), 8 + 8 * 3600);
        let (held, exact) = (seconds.since_boot(), since_boot_millis() / 1000);
        assert!(held <= exact && seconds.held_or(u64::from(u32::MAX), || u64::MAX) == u64::from(u32::MAX));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn suspended_time_is_counted() {
        let mut awake = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `awake` is a valid, writable timespec for the whole call.
        assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut awake) }, 0);
        assert!(since_boot_millis() / 1000 >= u64::try_from(awake.tv_sec).unwrap());
    }
}
