use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

/// The largest page of the kernels that there are, in bytes.
const LARGEST_PAGE: usize = 64 * 1024;
const NUMBERS: usize = 2 * LARGEST_PAGE / size_of::<u32>();

/// Memory of this image in which one whole page lies, wherever it begins. It is never given back,
/// so whoever reads the mark needs no permission; the image takes it along when it is unloaded.
static ROOM: [AtomicU32; NUMBERS] = [const { AtomicU32::new(0) }; NUMBERS];

/// The first number of that page, once the kernel wipes it in children.
static MARK: AtomicPtr<AtomicU32> = AtomicPtr::new(std::ptr::null_mut());

/// How many processes of this line of descent have had a mark.
static MARKED: AtomicU32 = AtomicU32::new(0);

/// The mark of this process, made if need be; `None` when the kernel is older than
/// `MADV_WIPEONFORK` (Linux 4.14, madvise(2)). Takes no lock, so it is safe in a child of a process
/// with several threads.
pub fn make() -> Option<u32> {
    // SAFETY: sysconf has no preconditions.
    let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).ok()?;
    let skipped = ROOM.as_ptr().align_offset(page) * usize::from(page <= LARGEST_PAGE);
    let first = ROOM.get(skipped..).filter(|_| page <= LARGEST_PAGE)?.first()?;
    if MARK.load(Ordering::Relaxed).is_null() {
        let address = std::ptr::from_ref(first).cast_mut().cast();
        // SAFETY: the page is aligned and lies in `ROOM` as a whole; its contents are zero or a mark and
        // stay as they are.
        if unsafe { libc::madvise(address, page, libc::MADV_WIPEONFORK) } != 0 {
            return None;
        }
        MARK.store(std::ptr::from_ref(first).cast_mut(), Ordering::Relaxed);
    }
    if first.load(Ordering::Relaxed) == 0 {
        let new = MARKED.fetch_add(1, Ordering::Relaxed).wrapping_add(1).max(1);
        // Another thread may have been first; its mark is as good.
        let _ = first.compare_exchange(0, new, Ordering::Relaxed, Ordering::Relaxed);
    }
    Some(first.load(Ordering::Relaxed))
}

/// The mark of this process, 0 in a child that has not made one; `None` where there are no marks.
pub fn read() -> Option<u32> {
    // SAFETY: NULL, or a number in `ROOM`.
    unsafe { MARK.load(Ordering::Relaxed).as_ref() }.map(|mark| mark.load(Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_stays_and_is_read() {
        let Some(mark) = make() else { return };
        assert_ne!(mark, 0);
        assert_eq!((make(), read()), (Some(mark), Some(mark)));
    }
}
