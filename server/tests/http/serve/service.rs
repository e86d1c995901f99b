use crate::harness::Site;
use rustix::process::Signal;
use std::{os::unix::net::UnixDatagram, sync::mpsc, time::Duration};

#[test]
fn a_service_manager_is_told_when_the_server_is_ready_alive_and_stopping() {
    let site = Site::new(&[]);
    let path = site.scratch("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    let (tell, heard) = mpsc::channel();
    // Always at its ear: a server that cannot get rid of what it says would wait.
    std::thread::spawn(move || {
        let mut bytes = [0; 256];
        while let Ok(length) = manager.recv(&mut bytes) {
            let _ = tell.send(String::from_utf8(bytes[..length].to_vec()).unwrap().trim().to_owned());
        }
    });
    let hear = || heard.recv_timeout(Duration::from_secs(60)).expect("the manager is told");
    // The watchdog's limit is a second; no process is named, so it is meant for whoever reads it.
    let variables = [("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "1000000")];
    let server = site.serve_told(&variables, &[]);
    assert_eq!(hear(), "READY=1");
    assert_eq!([hear(), hear(), hear()], ["WATCHDOG=1"; 3]);
    let url = server.url.clone();
    let health = |more: &[&str]| site.cli(&[&["health", "--url", &url], more].concat());
    assert!(health(&[]).ok && health(&["--ready"]).ok);
    // Neither does it end by what asks it to read its files again.
    server.signal(Signal::HUP);
    assert_eq!(hear(), "WATCHDOG=1");
    assert_eq!(server.stop(), "");
    while hear() != "STOPPING=1" {}
    let gone = site.cli(&["health", "--url", "http://127.0.0.1:1"]);
    assert!(!gone.ok && gone.stderr.contains("nobody answers at http://127.0.0.1:1/healthz"), "{gone:?}");
}
