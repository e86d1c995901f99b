/// Asks the operating system to show a web page, and does not wait for it. False when it can not be asked.
///
/// What is started is no child of the host that somebody would have to wait for, keeps no thread here, and has no console
/// and none of the host's standard streams. An address of a web page is taken for a program or a file by no system.
pub fn open_browser(url: &str) -> bool {
    let is_page = url.starts_with("https://") || url.starts_with("http://");
    // Its `that_detached` leaves a thread behind that waits for the program, where a program is what is asked.
    #[cfg(not(any(windows, target_os = "macos")))]
    let opened = || open::with_detached(url, "xdg-open");
    #[cfg(any(windows, target_os = "macos"))]
    let opened = || open::that_detached(url);
    is_page && opened().is_ok()
}
