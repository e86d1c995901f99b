use super::*;
use std::os::unix::{
    fs::{MetadataExt as _, PermissionsExt as _, symlink},
    net::UnixListener,
};

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn only_the_user_can_enter_the_folder_or_read_a_file() {
    let (root, folder) = folder();
    save(&folder, 1);
    save(&folder, 2);
    assert_eq!(mode(folder.path()), 0o700);
    assert_eq!(mode(folder.path().parent().unwrap()), 0o700);
    for name in names(&folder) {
        assert_eq!(mode(&folder.path().join(&name)), 0o600, "{name}");
    }

    // Somebody opened everything: our folder is closed again, the user's are left as they are.
    for path in [root.path(), folder.path().parent().unwrap(), folder.path()] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    save(&folder, 3);
    assert_eq!(mode(folder.path()), 0o700);
    assert_eq!(mode(folder.path().parent().unwrap()), 0o755);
    assert_eq!(mode(root.path()), 0o755);
}

#[test]
fn the_previous_generation_is_the_file_itself_under_a_second_name() {
    let (_root, folder) = folder();
    save(&folder, 1);
    let inode = |name| fs::metadata(folder.path().join(name)).unwrap().ino();
    let first = inode("state.json");
    save(&folder, 2);
    assert_eq!(inode("state.previous.json"), first);
    assert_ne!(inode("state.json"), first);

    // As after a crash between the second name and the new state: both names, one file.
    fs::remove_file(folder.path().join("state.previous.json")).unwrap();
    fs::hard_link(folder.path().join("state.json"), folder.path().join("state.previous.json")).unwrap();
    let second = inode("state.json");
    save(&folder, 3);
    assert_eq!(inode("state.previous.json"), second);
    assert_eq!(folder.load::<u32>().unwrap(), Loaded::Current(3));
}

/// Puts something at a path.
type Put = fn(&Path);

/// By mkfifo(1), since this room is written in safe Rust.
fn fifo(path: &Path) {
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
}

const FOREIGN: [(&str, Put); 5] = [
    ("a folder", |path| fs::create_dir(path).unwrap()),
    ("a pipe", fifo),
    ("a socket", |path| drop(UnixListener::bind(path).unwrap())),
    ("a link", |path| symlink("state.previous.json", path).unwrap()),
    ("a file of 10 MB", |path| fs::File::create(path).unwrap().set_len(10 << 20).unwrap()),
];

#[test]
fn foreign_things_in_the_place_of_the_state_are_set_aside_untouched() {
    for (what, put) in FOREIGN {
        let (_root, folder) = folder();
        save(&folder, 1);
        save(&folder, 2);
        let newest = folder.path().join("state.json");
        fs::remove_file(&newest).unwrap();
        put(&newest);
        let put_there = fs::symlink_metadata(&newest).unwrap().ino();
        let loaded = folder.load::<u32>().unwrap();
        assert_eq!(loaded, Loaded::Previous { state: 1, corrupt: newest }, "{what}");
        let corrupt = folder
            .update(|loaded: Loaded<u32>| {
                let Loaded::Previous { state: 1, corrupt } = loaded else { panic!("{what}: {loaded:?}") };
                (Change::Next(3), corrupt)
            })
            .unwrap();
        assert_eq!(fs::symlink_metadata(corrupt).unwrap().ino(), put_there, "{what}");
        assert_eq!(folder.load::<u32>().unwrap(), Loaded::Current(3), "{what}");
    }
}

#[test]
fn foreign_things_in_the_place_of_the_previous_state_do_not_stop_a_save() {
    for (what, put) in FOREIGN {
        let (_root, folder) = folder();
        save(&folder, 1);
        put(&folder.path().join("state.previous.json"));
        save(&folder, 2);
        fs::write(folder.path().join("state.json"), "corrupt").unwrap();
        assert!(matches!(folder.load::<u32>().unwrap(), Loaded::Previous { state: 1, .. }), "{what}");
    }
}

#[test]
fn foreign_things_in_the_place_of_the_lock_are_errors_and_never_block() {
    // An empty file of any size can be locked, so only the others are refused.
    for (what, put) in FOREIGN.into_iter().filter(|(what, _)| !what.contains("file")) {
        let (_root, folder) = folder();
        fs::create_dir_all(folder.path()).unwrap();
        put(&folder.path().join("lock"));
        let error = folder.update(|_: Loaded<u32>| (Change::Next(1), ())).unwrap_err();
        assert!(matches!(error, StoreError::Unwritable { .. }), "{what}: {error}");
    }
}

#[test]
fn a_link_in_the_place_of_the_state_is_set_aside_and_not_followed() {
    let (root, folder) = folder();
    let other = root.path().join("other");
    fs::write(&other, r#"{"format":1,"state":7}"#).unwrap();
    fs::create_dir_all(folder.path()).unwrap();
    symlink(&other, folder.path().join("state.json")).unwrap();
    assert!(matches!(folder.load::<u32>().unwrap(), Loaded::Corrupt { .. }));
    save(&folder, 1);
    folder.erase().unwrap();
    assert_eq!(fs::read(&other).unwrap(), br#"{"format":1,"state":7}"#);
    assert!(names(&folder).iter().any(|name| name.starts_with("state.corrupt-")), "nor removed");
}

#[test]
fn the_folder_may_itself_be_a_link() {
    let root = tempfile::tempdir().unwrap();
    let elsewhere = root.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, root.path().join("root")).unwrap();
    let machine = MachineId::derive("p", "linux", "x");
    let folder = Folder::new(&root.path().join("root"), "p", &machine, PLAIN);
    save(&folder, 1);
    assert_eq!(folder.load::<u32>().unwrap(), Loaded::Current(1));
}
