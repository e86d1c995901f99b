//! A database on another computer than its servers, of which one has a wrong clock.

use crate::harness::{
    Plugin, Site,
    fake_clock::{FakeClock, expect},
};
use xtask::postgres::{Postgres, Setting};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_computers_of_which_one_is_wrong() {
    let clock = FakeClock::new();
    let setting = Setting { environment: clock.environment(), ..Setting::default() };
    let postgres = Postgres::start_with(setting).unwrap();
    let url = postgres.database().unwrap();
    let mut site = Site::at(Some(url), &[]);
    let (_, token) = site.seat("ada@example.com");
    let mut plugin = Plugin::new(&token, "a");
    let server = site.serve();
    server.lease("activate", &mut plugin).await;
    let database = "the clock of the database's computer shows ";
    for (offset, told) in [
        ("+365d", Some(database)),
        ("+365d", Some(", 365 days after ")),
        ("+0", None),
        ("-1d", Some(", 24 hours before ")),
        ("+0", None),
        // Too little for the mark alone: the other computer tells.
        ("+3h", Some("one of them is wrong by 3 hours")),
        ("-4m", None),
        ("+0", None),
        // The last one: a sweep may have moved the mark.
        ("+10m", None),
    ] {
        clock.set(offset);
        expect(&server, &mut plugin, offset, told).await;
    }
    let released = "SELECT count(*) FROM audit WHERE event = 'auto_released'";
    assert_eq!(site.place().number(released).await, 0);
    drop(server);
    // The database goes on as it was, so the server's own clock is the wrong one, and decides nothing.
    let own = FakeClock::new();
    own.set("+365d");
    site.environment = own.environment();
    let server = site.serve();
    expect(&server, &mut plugin, "own +365d", None).await;
}
