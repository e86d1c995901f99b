/// Asks the operating system to show a web page, and does not wait for it. False when it cannot be
/// asked.
///
/// What is started is no child of the host that somebody would have to wait for, keeps no thread
/// here, has no console and none of the host's standard streams, and takes signals as any program
/// does. An address of a web page is taken for a program or a file by no system.
pub fn open_browser(url: &str) -> bool {
    let is_page = url.starts_with("https://") || url.starts_with("http://");
    is_page && open(url).is_ok()
}

#[cfg(any(windows, target_os = "macos"))]
fn open(url: &str) -> std::io::Result<()> {
    open::that_detached(url)
}

/// The crate's `that_detached` leaves a thread behind that waits for the program, where a program
/// is what is asked; its `with_detached` hands on the signal mask of the library's thread, with
/// which a browser could not be ended.
#[cfg(not(any(windows, target_os = "macos")))]
fn open(url: &str) -> std::io::Result<()> {
    use std::os::unix::process::CommandExt as _;
    use std::process::Stdio;
    let mut command = open::with_command(url, "xdg-open");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // SAFETY: between fork and exec only calls that are safe there are made, and nothing is allocated.
    unsafe { command.pre_exec(leave) };
    // The child has ended as soon as it has made the one that goes on, which is nobody's child here.
    command.spawn()?.wait().map(drop)
}

/// Makes the program a grandchild in a session of its own.
#[cfg(not(any(windows, target_os = "macos")))]
fn leave() -> std::io::Result<()> {
    super::signals::take_all_signals()?;
    // SAFETY: fork, _exit and setsid have no preconditions; the child has one thread.
    unsafe {
        match libc::fork() {
            -1 => return Err(std::io::Error::last_os_error()),
            0 => {}
            _ => libc::_exit(0),
        }
        if libc::setsid() == -1 { Err(std::io::Error::last_os_error()) } else { Ok(()) }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::{Duration, Instant};
    use std::{env, fs, process::Command, thread};

    /// This test runs itself in a child process: the search path is the whole process's.
    #[test]
    fn a_browser_takes_signals_although_the_thread_that_starts_it_does_not() {
        const CHILD: &str = "SEATLOCK_TEST_OPEN_BROWSER";
        if env::var_os(CHILD).is_some() {
            assert!(super::super::without_signals(|| super::open_browser("https://login.example/")));
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let (program, said) = (folder.path().join("xdg-open"), folder.path().join("said"));
        let script = format!("#!/bin/sh\nexec grep SigBlk /proc/self/status > {}\n", said.display());
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let mut child = Command::new(env::current_exe().unwrap());
        let name =
            "machine::browser::tests::a_browser_takes_signals_although_the_thread_that_starts_it_does_not";
        child.args(["--exact", name]).env(CHILD, "1");
        child.env("PATH", format!("{}:/usr/bin:/bin", folder.path().display()));
        assert!(child.output().unwrap().status.success());
        let end = Instant::now() + Duration::from_secs(30);
        let said = loop {
            let text = fs::read_to_string(&said).unwrap_or_default();
            if text.ends_with('\n') || Instant::now() > end {
                break text;
            }
            thread::sleep(Duration::from_millis(5));
        };
        let mask = said.trim().rsplit(char::is_whitespace).next().unwrap_or_default();
        assert_eq!(u64::from_str_radix(mask, 16), Ok(0), "{said:?}");
    }
}
