use super::{Answer, Refusal};
use std::{fs::File, io::Read as _, path::Path};

/// The `os_tag` under which ids are derived.
pub const OS_TAG: &str = "linux";

const MACHINE_ID: &str = "/etc/machine-id";
const DBUS_MACHINE_ID: &str = "/var/lib/dbus/machine-id";

/// `/etc/machine-id` (machine-id(5)), then what `machine-uid` finds, then D-Bus's copy of it.
///
/// `machine-uid` prefers D-Bus's copy. That one is left over in cloned images when the other has
/// been reset, and is missing inside Flatpak, so the authoritative file is asked first: the id is
/// then the same inside and outside a sandbox. Neither is validated by `machine-uid`, nor does it
/// look further when one of them is useless.
pub fn answers() -> impl Iterator<Item = Answer> {
    answers_in(Path::new("/"), || machine_uid::get().map_err(|error| Refusal::of(&*error)))
}

fn answers_in(root: &Path, library: impl Fn() -> Result<String, Refusal>) -> impl Iterator<Item = Answer> {
    [MACHINE_ID, "machine-uid", DBUS_MACHINE_ID].into_iter().map(move |place| match place.strip_prefix('/') {
        Some(file) => (place, read(&root.join(file))),
        None => (place, library()),
    })
}

fn read(path: &Path) -> Result<String, Refusal> {
    // A real one has 33 bytes; whatever else lies there is not worth reading to its end.
    const ENOUGH: u64 = 256;
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(ENOUGH).read_to_string(&mut text))
        .map_err(|error| Refusal::of(&error))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::super::{IdentityError, from_answers};
    use super::*;
    use seatlock_protocol::MachineId;
    use std::fs;

    const A: &str = "3d1219c7c4c5404aaa1f6d2a48adfda4";
    const B: &str = "b0c5a1f0e5d84f2a9a3c7d1e2f405162";
    const C: &str = "c0ffee11223344556677889900aabbcd";

    /// Puts the two files under a root of their own and identifies with `library` in the place of
    /// `machine-uid`.
    fn found(
        etc: Option<&str>,
        dbus: Option<&str>,
        library: Option<&str>,
    ) -> Result<MachineId, IdentityError> {
        let root = tempfile::tempdir().unwrap();
        for (file, content) in [(MACHINE_ID, etc), (DBUS_MACHINE_ID, dbus)] {
            let path = root.path().join(&file[1..]);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            if let Some(content) = content {
                fs::write(path, content).unwrap();
            }
        }
        let library = || library.map(str::to_owned).ok_or(Refusal::Empty);
        from_answers("p", OS_TAG, answers_in(root.path(), library))
    }

    #[test]
    fn falls_through_to_the_first_usable_source() {
        type Case = (Option<&'static str>, Option<&'static str>, Option<&'static str>, Option<&'static str>);
        let cases: &[Case] = &[
            // /etc, D-Bus, machine-uid, expected
            (Some(A), Some(B), Some(C), Some(A)),
            (None, Some(B), Some(C), Some(C)),
            (None, Some(B), None, Some(B)),
            (Some(""), Some(B), Some(""), Some(B)),
            (Some("uninitialized\n"), Some(B), Some("uninitialized"), Some(B)),
            (Some("00000000000000000000000000000000\n"), Some(B), Some(C), Some(C)),
            (Some(""), None, Some(C), Some(C)),
            (Some(""), Some("\n"), Some(""), None),
            (None, None, None, None),
        ];
        for case @ (etc, dbus, library, expected) in cases {
            let expected = expected.map(|raw| MachineId::derive("p", OS_TAG, raw));
            assert_eq!(found(*etc, *dbus, *library).ok(), expected, "{case:?}");
        }
    }

    #[test]
    fn the_error_names_every_source() {
        let error = found(Some(""), None, None).unwrap_err().to_string();
        for part in
            ["/etc/machine-id is empty", "machine-uid is empty", "/var/lib/dbus/machine-id cannot be read"]
        {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn an_endless_file_is_not_read_to_its_end() {
        assert_eq!(read(Path::new("/dev/zero")).unwrap().len(), 256);
    }

    #[test]
    fn root_and_user_get_the_same_answer() {
        use std::os::unix::fs::PermissionsExt as _;
        // A source that only root can read would give the two different ids.
        for file in [MACHINE_ID, DBUS_MACHINE_ID] {
            if let Ok(metadata) = fs::metadata(file) {
                assert_eq!(metadata.permissions().mode() & 0o444, 0o444, "{file}");
            }
        }
    }
}
