use std::{
    io,
    ptr::{self, NonNull},
    sync::atomic::{AtomicU8, Ordering},
};

/// One page of private memory, marked in this process and zero in every child.
#[derive(Debug)]
pub struct Page(NonNull<AtomicU8>);

/// mmap, madvise and munmap all round this up to a whole page, whatever its size is on this kernel.
const LEN: usize = 1;

impl Page {
    /// `None` when the kernel is older than `MADV_WIPEONFORK` (Linux 4.14, madvise(2)).
    pub fn new() -> io::Result<Option<Self>> {
        // SAFETY: a new anonymous mapping at an address of the kernel's choice touches no existing memory.
        let address = unsafe {
            libc::mmap(
                ptr::null_mut(),
                LEN,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let Some(mark) = NonNull::new(address.cast::<AtomicU8>()) else {
            return Err(io::ErrorKind::OutOfMemory.into());
        };
        let page = Self(mark);
        // SAFETY: the range is exactly the mapping made above.
        if unsafe { libc::madvise(address, LEN, libc::MADV_WIPEONFORK) } != 0 {
            return Ok(None);
        }
        page.mark().store(1, Ordering::Relaxed);
        Ok(Some(page))
    }

    /// Whether this is the memory of a child.
    pub fn is_wiped(&self) -> bool {
        self.mark().load(Ordering::Relaxed) == 0
    }

    fn mark(&self) -> &AtomicU8 {
        // SAFETY: the page stays mapped, readable and writable until drop, is aligned, and zero is a valid AtomicU8.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours alone and no reference into it outlives `self`.
        unsafe { libc::munmap(self.0.as_ptr().cast(), LEN) };
    }
}

// SAFETY: the page is owned by this value and only ever accessed through an atomic.
unsafe impl Send for Page {}
// SAFETY: as above; shared access is by atomic operations.
unsafe impl Sync for Page {}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapped(address: usize) -> bool {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        maps.lines().any(|line| {
            let (start, end) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
            let bound = |text| usize::from_str_radix(text, 16).unwrap();
            (bound(start)..bound(end)).contains(&address)
        })
    }

    #[test]
    fn the_page_is_marked_while_it_lives_and_unmapped_afterwards() {
        let Some(page) = Page::new().unwrap() else { return };
        assert!(!page.is_wiped());
        let address = page.0.as_ptr() as usize;
        assert!(mapped(address));
        // Other tests map memory at the same time and may be given the freed address, hence several tries.
        let freed = (0..20).any(|_| {
            let page = Page::new().unwrap().unwrap();
            let address = page.0.as_ptr() as usize;
            drop(page);
            !mapped(address)
        });
        assert!(freed);
    }
}
