/// What only Unix file systems can show: modes, links, pipes.
#[cfg(unix)]
mod unix;

use super::*;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
    time::Instant,
};

/// No sealing, as on every system but Windows.
pub const PLAIN: Seal = Seal {
    protect: |secret| Ok(Zeroizing::new(secret.to_owned())),
    unprotect: |sealed| Ok(Zeroizing::new(sealed.to_owned())),
};

/// A folder that does not exist yet, below a root that goes away with the test.
pub fn folder() -> (tempfile::TempDir, Folder) {
    let root = tempfile::tempdir().unwrap();
    let folder = in_root(root.path());
    (root, folder)
}

fn in_root(root: &Path) -> Folder {
    let machine = MachineId::derive("com.example.bridge", "linux", "0123456789abcdef0123456789abcdef");
    Folder::new(root, "com.example.bridge", &machine, PLAIN)
}

pub fn save(folder: &Folder, state: u32) {
    folder.update(|_: Loaded<u32>| (Change::Next(state), ())).unwrap();
}

fn load(folder: &Folder) -> Loaded<u32> {
    folder.load().unwrap()
}

/// What `change` is given, without saving anything.
fn seen(folder: &Folder) -> Loaded<u32> {
    folder.update(|loaded| (Change::Nothing, loaded)).unwrap()
}

pub fn names(folder: &Folder) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn file(folder: &Folder, name: &str) -> PathBuf {
    folder.path().join(name)
}

#[test]
fn reading_and_forgetting_create_nothing() {
    let (root, folder) = folder();
    assert_eq!(load(&folder), Loaded::Nothing);
    folder.erase().unwrap();
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
}

#[test]
fn state_comes_back_and_the_one_before_it_is_kept() {
    let (_root, folder) = folder();
    save(&folder, 1);
    assert_eq!(load(&folder), Loaded::Current(1));
    assert_eq!(names(&folder), ["lock", "state.json"]);
    assert_eq!(fs::read_to_string(file(&folder, "state.json")).unwrap(), r#"{"format":1,"state":1}"#);
    save(&folder, 2);
    save(&folder, 3);
    assert_eq!(seen(&folder), Loaded::Current(3));
    assert_eq!(names(&folder), ["lock", "state.json", "state.previous.json"]);
    assert_eq!(
        fs::read_to_string(file(&folder, "state.previous.json")).unwrap(),
        r#"{"format":1,"state":2}"#
    );
}

#[test]
fn no_change_writes_nothing() {
    let (_root, folder) = folder();
    save(&folder, 1);
    let path = file(&folder, "state.json");
    let marker = std::time::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    fs::File::options().write(true).open(&path).unwrap().set_modified(marker).unwrap();
    assert_eq!(seen(&folder), Loaded::Current(1));
    assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), marker);
    assert_eq!(names(&folder), ["lock", "state.json"]);
}

#[test]
fn a_corrupt_file_is_reported_set_aside_and_kept_to_the_byte() {
    let (_root, folder) = folder();
    save(&folder, 1);
    save(&folder, 2);
    let newest = file(&folder, "state.json");
    fs::write(&newest, b"\xff garbage").unwrap();
    assert_eq!(load(&folder), Loaded::Previous { state: 1, corrupt: newest.clone() });
    assert!(newest.exists(), "reading must not move anything");

    let Loaded::Previous { state: 1, corrupt } = seen(&folder) else { panic!("the previous one is usable") };
    assert_eq!(fs::read(&corrupt).unwrap(), b"\xff garbage");
    let name = corrupt.file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with("state.corrupt-") && name.ends_with(".json"), "{name}");
    // Nothing was saved, yet the next start must find the usable generation, and so must the one after
    // a save.
    assert_eq!(load(&folder), Loaded::Current(1));
    save(&folder, 5);
    assert_eq!(load(&folder), Loaded::Current(5));
    fs::write(&newest, b"again").unwrap();
    assert!(matches!(load(&folder), Loaded::Previous { state: 1, .. }));
    assert!(matches!(seen(&folder), Loaded::Previous { state: 1, .. }));
    assert_eq!(names(&folder).iter().filter(|name| name.starts_with("state.corrupt-")).count(), 2);
}

#[test]
fn two_corrupt_generations_are_both_set_aside() {
    let (_root, folder) = folder();
    save(&folder, 1);
    save(&folder, 2);
    for name in ["state.json", "state.previous.json"] {
        fs::remove_file(file(&folder, name)).unwrap();
        fs::write(file(&folder, name), name).unwrap();
    }
    assert_eq!(load(&folder), Loaded::Corrupt { path: file(&folder, "state.json") });
    let Loaded::Corrupt { path } = seen(&folder) else { panic!("neither is usable") };
    assert_eq!(fs::read(path).unwrap(), b"state.json");
    assert_eq!(load(&folder), Loaded::Nothing);
    assert_eq!(names(&folder).len(), 3, "the lock and two files set aside: {:?}", names(&folder));
}

#[test]
fn a_file_cut_or_damaged_anywhere_is_corrupt_and_never_a_panic() {
    let (_root, folder) = folder();
    let newest = file(&folder, "state.json");
    let write = |bytes: &[u8]| fs::write(&newest, bytes).unwrap();
    let text = |text: &str| folder.update(|_: Loaded<String>| (Change::Next(text.to_owned()), ())).unwrap();
    text("previous");
    text("a lease and more");
    let whole = fs::read(&newest).unwrap();
    for length in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[length] = 0xff;
        for bytes in [&whole[..length], &damaged] {
            write(bytes);
            let loaded = folder.load::<String>().unwrap();
            let expected = Loaded::Previous { state: "previous".to_owned(), corrupt: newest.clone() };
            assert_eq!(loaded, expected, "{length}");
        }
    }
    for other in
        ["null", "[]", r#"{"format":1}"#, r#"{"format":0,"state":"x"}"#, r#"{"format":-1,"state":"x"}"#]
    {
        write(other.as_bytes());
        assert!(matches!(folder.load::<String>().unwrap(), Loaded::Previous { .. }), "{other}");
    }
}

#[test]
fn a_newer_format_is_left_alone() {
    let (_root, folder) = folder();
    save(&folder, 1);
    save(&folder, 2);
    let newer = br#"{"format":2,"state":{"of":"another shape"},"more":[]}"#;
    fs::write(file(&folder, "state.json"), newer).unwrap();
    let before = names(&folder);
    assert!(matches!(folder.load::<u32>(), Err(StoreError::NewerFormat { format: 2, .. })));
    let refused = folder.update(|_: Loaded<u32>| -> (Change<u32>, ()) { panic!("must not be asked") });
    assert!(matches!(refused, Err(StoreError::NewerFormat { format: 2, .. })));
    assert_eq!(fs::read(file(&folder, "state.json")).unwrap(), newer);
    assert_eq!(names(&folder), before);
}

#[test]
fn a_reader_always_finds_a_whole_state_while_another_writes() {
    let (root, folder) = folder();
    save(&folder, 0);
    thread::scope(|scope| {
        let writer = scope.spawn(|| (1..=100).for_each(|state| save(&folder, state)));
        let reader = in_root(root.path());
        let mut last = 0;
        while !writer.is_finished() {
            let Loaded::Current(state) = load(&reader) else { panic!("the state was not there") };
            assert!(state >= last, "{state} after {last}");
            last = state;
            // Before Windows 10 a file cannot be replaced while it is open, so leave the writer a gap there.
            if cfg!(windows) {
                thread::sleep(Duration::from_millis(10));
            }
        }
    });
    assert_eq!(load(&folder), Loaded::Current(100));
}

#[test]
fn no_update_of_two_writers_is_lost() {
    let (root, folder) = folder();
    let add = |folder: &Folder| {
        let next = |loaded| if let Loaded::Current(state) = loaded { state + 1 } else { 1u32 };
        (0..40).for_each(|_| folder.update(|loaded| (Change::Next(next(loaded)), ())).unwrap());
    };
    thread::scope(|scope| {
        scope.spawn(|| add(&in_root(root.path())));
        add(&folder);
    });
    assert_eq!(load(&folder), Loaded::Current(80));
}

#[test]
fn a_locked_folder_is_busy_after_its_time_but_can_be_read() {
    let (_root, folder) = folder();
    save(&folder, 1);
    let held = Lock::acquire(&file(&folder, "lock"), Duration::ZERO).unwrap();
    let started = Instant::now();
    let refused = folder.update(|_: Loaded<u32>| -> (Change<u32>, ()) { panic!("must not be asked") });
    let waited = started.elapsed();
    assert!(matches!(refused, Err(StoreError::Busy { .. })));
    assert!(waited >= Folder::PATIENCE && waited < Folder::PATIENCE * 5, "{waited:?}");
    assert_eq!(load(&folder), Loaded::Current(1));
    drop(held);
    save(&folder, 2);
}

#[test]
fn a_panic_in_the_change_gives_the_lock_back_and_saves_nothing() {
    let (_root, folder) = folder();
    save(&folder, 1);
    let change = |_: Loaded<u32>| -> (Change<u32>, ()) { panic!("a fault of the caller") };
    assert!(catch_unwind(AssertUnwindSafe(|| folder.update(change))).is_err());
    assert_eq!(seen(&folder), Loaded::Current(1));
}

#[test]
fn a_file_in_the_place_of_the_folder_is_an_error_that_names_it() {
    let root = tempfile::tempdir().unwrap();
    let blocked = root.path().join("file");
    fs::write(&blocked, "not a folder").unwrap();
    let folder = in_root(&blocked);
    let error = folder.update(|_: Loaded<u32>| (Change::Next(1), ())).unwrap_err();
    assert!(matches!(error, StoreError::Unwritable { .. }), "{error}");
    assert!(error.to_string().contains(blocked.to_str().unwrap()), "{error}");
    assert_eq!(fs::read(&blocked).unwrap(), b"not a folder");
}

#[test]
fn a_state_that_could_not_be_read_back_is_not_saved() {
    let (_root, folder) = folder();
    let text = |text: String| folder.update(|_: Loaded<String>| (Change::Next(text), ()));
    text("small".to_owned()).unwrap();
    assert!(matches!(text("x".repeat(256 * 1024)), Err(StoreError::Unwritable { .. })));
    assert_eq!(folder.load().unwrap(), Loaded::Current("small".to_owned()));
}

/// A folder with two generations, two files that were set aside, and what others have left there.
fn full() -> (tempfile::TempDir, Folder) {
    let (root, folder) = folder();
    save(&folder, 1);
    save(&folder, 2);
    fs::write(file(&folder, "state.json"), "corrupt").unwrap();
    save(&folder, 3);
    save(&folder, 4);
    for leftover in [".state-ab.tmp", "notes.txt"] {
        fs::write(file(&folder, leftover), "half").unwrap();
    }
    fs::create_dir(file(&folder, "state.corrupt-1.json")).unwrap();
    assert_eq!(names(&folder).len(), 7, "{:?}", names(&folder));
    (root, folder)
}

#[test]
fn erase_forgets_all_that_is_ours() {
    let (_root, folder) = full();
    folder.erase().unwrap();
    assert_eq!(names(&folder), ["lock", "notes.txt", "state.corrupt-1.json"]);
    assert_eq!(load(&folder), Loaded::Nothing);
    folder.erase().unwrap();
}

#[test]
fn a_state_that_is_to_be_the_only_one_is() {
    let (_root, folder) = full();
    folder.update(|_: Loaded<u32>| (Change::Only(5), ())).unwrap();
    assert_eq!(names(&folder), ["lock", "notes.txt", "state.corrupt-1.json", "state.json"]);
    assert_eq!(load(&folder), Loaded::Current(5));
    // While the one before cannot be taken away, the new one does not come.
    fs::create_dir(file(&folder, "state.previous.json")).unwrap();
    let refused = folder.update(|_: Loaded<u32>| (Change::Only(6), ()));
    assert!(matches!(refused, Err(StoreError::Unwritable { .. })), "{refused:?}");
    assert_eq!(load(&folder), Loaded::Current(5));
    assert_eq!(names(&folder).iter().filter(|name| name.ends_with(".tmp")).count(), 0);
}
