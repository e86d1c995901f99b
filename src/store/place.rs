use super::StoreError;
use etcetera::base_strategy::{BaseStrategy as _, choose_native_strategy};
use seatlock_protocol::MachineId;
use std::path::PathBuf;

/// The longest folder name that is spelled out. With the machine id and the file names behind it,
/// paths stay below the 260 characters that old Windows programs handle.
const LONGEST: usize = 64;

pub fn default_root() -> Result<PathBuf, StoreError> {
    let base = choose_native_strategy().map_err(|_| StoreError::NoHome)?;
    // `cache_dir` is %LOCALAPPDATA%, which does not roam; `data_dir` on macOS is Application Support.
    let root = match base.state_dir() {
        Some(folder) => folder,
        None if cfg!(windows) => base.cache_dir(),
        None => base.data_dir(),
    };
    // An empty or relative HOME gives a relative path: the license would follow the working directory
    // about.
    if root.is_absolute() { Ok(root.join("seatlock")) } else { Err(StoreError::NoHome) }
}

/// A folder name for `product` that no other product gets, on any file system.
///
/// Lower-case letters, digits, inner dots and dashes stand for themselves, every other byte is `_`
/// and two hexadecimal digits: names that differ only in case, or that Windows reserves (`con`,
/// `nul.x`, a dot at the end), stay apart and valid. A long name is its beginning, `~`, and a
/// digest.
pub fn folder_name(product: &str) -> String {
    let mut name = String::with_capacity(product.len());
    let last = product.len().saturating_sub(1);
    for (index, byte) in product.bytes().enumerate() {
        let at_edge = index == 0 || index == last;
        let plain = match byte {
            b'a'..=b'z' | b'0'..=b'9' => index > 0 || !is_reserved(product),
            b'.' | b'-' => !at_edge,
            _ => false,
        };
        if plain {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("_{byte:02x}"));
        }
    }
    if name.is_empty() {
        return "_".to_owned();
    }
    if name.len() > LONGEST {
        name.truncate(16); // all ASCII, so never inside a character
        name.push('~');
        name.push_str(digest(product).as_str().trim_start_matches("m1_"));
    }
    name
}

/// The protocol's keyed hash, under a tag that no operating system has.
fn digest(product: &str) -> MachineId {
    MachineId::derive(product, "folder", "")
}

/// Device names of Windows, also with an extension ("Naming Files, Paths, and Namespaces").
fn is_reserved(product: &str) -> bool {
    let stem = product.split('.').next().unwrap_or_default();
    match stem.split_at_checked(3) {
        Some(("con" | "prn" | "aux" | "nul", "")) => true,
        Some(("com" | "lpt", digit)) => digit.len() == 1 && digit.bytes().all(|byte| byte.is_ascii_digit()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_plain_where_they_can_be() {
        for (product, expected) in [
            ("com.example.bridge", "com.example.bridge"),
            ("my-plugin2", "my-plugin2"),
            ("Bridge", "_42ridge"),
            ("a_b", "a_5fb"),
            ("", "_"),
            (".", "_2e"),
            ("..", "_2e_2e"),
            ("../../etc", "_2e._2f.._2fetc"),
            ("a/b\\c:d", "a_2fb_5cc_3ad"),
            ("con", "_63on"),
            ("nul.x", "_6eul.x"),
            ("com7", "_63om7"),
            ("com.example", "com.example"),
            ("console", "console"),
            ("trailing.", "trailing_2e"),
            ("é", "_c3_a9"),
        ] {
            assert_eq!(folder_name(product), expected, "{product:?}");
        }
    }

    #[test]
    fn no_two_products_share_a_folder_even_if_case_is_ignored() {
        let long = "p".repeat(200);
        let products = [
            "a",
            "A",
            "_41",
            "a.b",
            "a_b",
            "a/b",
            "a-b",
            "",
            "_",
            "con",
            "_con",
            "é",
            "e\u{301}",
            "a ",
            " a",
            &long,
            &long[1..],
            &format!("{long}q"),
        ];
        let names: HashSet<String> =
            products.iter().map(|product| folder_name(product).to_lowercase()).collect();
        assert_eq!(names.len(), products.len());
        assert!(names.iter().all(|name| name.len() <= LONGEST));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_root_is_absolute_or_refused() {
        // This test runs itself in a child process for each case: changing the environment of this process
        // would be seen by other tests.
        const CHILD: &str = "SEATLOCK_TEST_PRINT_ROOT";
        if std::env::var_os(CHILD).is_some() {
            return println!("root={:?}", default_root().ok());
        }
        for (home, state, expected) in [
            ("/home/ada", None, "Some(\"/home/ada/.local/state/seatlock\")"),
            ("/home/ada", Some("/var/state"), "Some(\"/var/state/seatlock\")"),
            ("/home/ada", Some("relative"), "Some(\"/home/ada/.local/state/seatlock\")"),
            ("", Some("/var/state"), "Some(\"/var/state/seatlock\")"),
            // std looks an empty HOME up in the password file, where there may be none.
            ("", None, ""),
            ("relative/home", None, "None"),
        ] {
            let mut child = std::process::Command::new(std::env::current_exe().unwrap());
            child.args(["--exact", "--nocapture", "store::place::tests::the_root_is_absolute_or_refused"]);
            child.env(CHILD, "1").env("HOME", home).env_remove("XDG_STATE_HOME");
            child.envs(state.map(|state| ("XDG_STATE_HOME", state)));
            let output = String::from_utf8(child.output().unwrap().stdout).unwrap();
            let expected = match expected {
                "" => output.contains("root=None\n") || output.contains("root=Some(\"/"),
                exact => output.contains(&format!("root={exact}\n")),
            };
            assert!(expected, "{home:?} {state:?}: {output}");
        }
    }
}
