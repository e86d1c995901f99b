use crate::license::Reading;
use seatlock_protocol::UnixTime;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Linux and Android: CLOCK_BOOTTIME.
#[cfg(any(target_os = "linux", target_os = "android"))]
const CONTINUOUS: libc::clockid_t = libc::CLOCK_BOOTTIME;
/// macOS: the clock of mach_continuous_time, which, unlike mach_absolute_time, goes on in sleep.
#[cfg(target_vendor = "apple")]
const CONTINUOUS: libc::clockid_t = libc::CLOCK_MONOTONIC_RAW;
/// Elsewhere the monotonic clock, which the BSDs let go on in suspend.
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android", target_vendor = "apple"))))]
const CONTINUOUS: libc::clockid_t = libc::CLOCK_MONOTONIC;

/// Both clocks at this moment. Any thread; no allocation; some tens of nanoseconds.
///
/// `wall` is `None` when the wall clock stands before 1970 or beyond what [`UnixTime`] holds: a computer with an
/// empty clock battery must read as "unknown", not as a date.
#[must_use]
pub fn read() -> Reading {
    Reading { wall: wall(SystemTime::now()), since_boot: since_boot_millis() / 1000, boot: boot() }
}

fn wall(now: SystemTime) -> Option<UnixTime> {
    let elapsed = now.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(elapsed.as_secs()).ok().and_then(UnixTime::new)
}

/// Milliseconds since the computer was started, time in sleep and hibernation included; never set back.
///
/// clock_gettime(2) with `CLOCK_BOOTTIME`; on macOS with `CLOCK_MONOTONIC_RAW`. Zero when the kernel refuses the
/// clock, which no supported one does. Any thread; no allocation; some tens of nanoseconds.
#[cfg(unix)]
#[must_use]
pub fn since_boot_millis() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a valid, writable timespec for the whole call.
    if unsafe { libc::clock_gettime(CONTINUOUS, &raw mut now) } != 0 {
        return 0;
    }
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(now.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1000).saturating_add(nanoseconds / 1_000_000)
}

/// Milliseconds since the computer was started, time in sleep and hibernation included; never set back.
///
/// `GetTickCount64`: the interrupt time, which counts suspension, read from a page that every process shares. It
/// advances in steps of 10 to 16 ms. `QueryInterruptTime` says the same but needs Windows 10. Any thread; no
/// allocation; a few nanoseconds.
#[cfg(windows)]
#[must_use]
pub fn since_boot_millis() -> u64 {
    // SAFETY: takes no arguments and has no preconditions.
    unsafe { windows_sys::Win32::System::SystemInformation::GetTickCount64() }
}

/// Which start of the computer this is: half of the kernel's boot_id (random(4)), which is read once. Elsewhere 0: the
/// high-water mark then stands still between launches while the wall clock is behind it.
fn boot() -> u64 {
    static BOOT: once_cell::sync::OnceCell<u64> = once_cell::sync::OnceCell::new();
    let read = || {
        let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let digits: String = id.chars().filter(char::is_ascii_hexdigit).take(16).collect();
        u64::from_str_radix(&digits, 16).ok()
    };
    *BOOT.get_or_init(|| if cfg!(target_os = "linux") { read().unwrap_or(0) } else { 0 })
}

/// [`since_boot_millis`] in whole seconds, for those who ask many times in each of them.
///
/// `CLOCK_BOOTTIME` reads the processor's counter, 25 to 50 ns in a virtual machine. `CLOCK_MONOTONIC_COARSE` is a load
/// from memory, but stands still in sleep. So the first is asked once in each second of the second one, and the answer
/// is late by a second at most, after a sleep too. Any thread; no allocation, no lock.
#[derive(Debug, Default)]
pub struct Seconds {
    /// The coarse second in the upper half, and what the exact clock said in it in the lower one. In one number, so
    /// that no thread sees parts of two answers; 32 bits of seconds are 136 years.
    held: AtomicU64,
}

impl Seconds {
    /// Seconds since the computer was started.
    #[must_use]
    pub fn since_boot(&self) -> u64 {
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
        assert!(last - started >= 40, "only {} ms passed", last - started);
        assert!(read().since_boot >= started / 1000);
        assert_eq!(read().boot, read().boot);
        assert!(read().boot != 0 || !cfg!(target_os = "linux"));
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
