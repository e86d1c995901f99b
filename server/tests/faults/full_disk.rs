//! A disk that is full: everybody is told to come back, and afterwards nothing is lost.

use crate::harness::{
    PROGRAM, Server, Site,
    unavailable::{Bench, Fails, OPTIONS, prepared},
};
use std::{path::PathBuf, process::Command};

const SMALL_DISK: &str = "small-disk";

/// A server with a copy of the data folder on a disk of few megabytes, which nobody else sees.
fn on_small_disk(site: &Site) -> Server<'_> {
    let script = "mount -t tmpfs -o size=8m none \"$2\" && cp -a \"$1/.\" \"$2\" && small=$2 && program=$3 && shift 3 && \
                  exec \"$program\" --data \"$small\" \"$@\"";
    std::fs::create_dir(site.scratch(SMALL_DISK)).unwrap();
    let mut program = Command::new("unshare");
    program.args(["--map-root-user", "--mount", "sh", "-c", script, "sh"]).arg(site.data());
    program.arg(site.scratch(SMALL_DISK)).arg(PROGRAM);
    Server::start(site, program, &OPTIONS)
}

/// That disk, which only the server has in its tree.
fn seen_from_outside(server: &Server<'_>) -> PathBuf {
    let root = PathBuf::from(format!("/proc/{}/root", server.id()));
    root.join(server.site.scratch(SMALL_DISK).strip_prefix("/").unwrap())
}

#[tokio::test]
async fn a_file_on_a_disk_that_is_full() {
    let (site, secrets) = prepared(None);
    let server = on_small_disk(&site);
    let disk = seen_from_outside(&server);
    let bench = Bench::new(server, secrets).await;
    let filler = disk.join("filler");
    let full = std::fs::write(&filler, vec![0; 64 << 20]).unwrap_err();
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    bench.are_turned_away("full", Fails::Writes).await;
    std::fs::remove_file(filler).unwrap();
    bench.works("with room again").await;
}
