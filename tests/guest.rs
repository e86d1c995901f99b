//! The manners of a guest in somebody else's process.

#![cfg(all(feature = "capi", unix))]
#![allow(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use seatlock::{Client, Options};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs;
use std::process::Command;
use xtask::{build, c, repository};

#[test]
fn a_life_leaves_the_host_as_it_was_and_two_copies_do_not_meet() {
    let folder = tempfile::tempdir().unwrap();
    let tests = repository().join("tests/c");
    let program = folder.path().join("guest");
    let flags: Vec<&str> = c::C_WARNINGS.iter().copied().chain(["-g", "-pthread", "-ldl"]).collect();
    c::compile(&[&tests.join("guest.c")], &[&repository().join("include"), &tests], &program, &flags)
        .unwrap();
    let library = build::shared_library(false).unwrap();
    let copy = folder.path().join("copy-of-another-vendor.so");
    fs::copy(&library, &copy).unwrap();

    let mut command = Command::new(program);
    command.args([&library, &copy, &folder.path().join("state")]);
    command.env_remove("SEATLOCK_MACHINE_ID").env_remove("SEATLOCK_STATE_DIR");
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(output.status.success(), "{said:?}");
    assert_eq!(said, [String::new(), String::new()], "a library does not print");
}

/// Counts the allocations of each thread.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: hands everything to the system's allocator; the counter needs no allocation itself.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are the same.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_status_call_allocates_nothing_not_even_a_threads_first() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = Options::new();
    options.set_product("com.example.bridge").unwrap();
    options.set_server("http://127.0.0.1:9").unwrap();
    options.add_root_key("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
    options.set_machine_id("a-test-machine-of-ours").unwrap();
    options.set_state_folder(folder.path().to_str().unwrap()).unwrap();
    let client = Client::open(&options).unwrap();
    let count = |calls: u32| {
        let before = ALLOCATIONS.get();
        for _ in 0..calls {
            client.status().unwrap();
        }
        ALLOCATIONS.get() - before
    };
    assert_eq!(count(10_000), 0);
    std::thread::scope(|scope| assert_eq!(scope.spawn(|| count(1)).join().unwrap(), 0));
    let before = ALLOCATIONS.get();
    client.text(seatlock::Text::Status).unwrap();
    assert!(ALLOCATIONS.get() > before, "the counter counts");
}
