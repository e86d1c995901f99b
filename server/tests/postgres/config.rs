//! A configuration file that names the database.

use crate::ENGINE;
use crate::harness::Site;
use std::fs;

#[test]
fn the_file_names_the_database_for_every_command() {
    let url = ENGINE.url().unwrap();
    let site = Site::at(Some(url.clone()), &[]);
    fs::write(site.data().join("url"), &url).unwrap();
    site.configure("database_file = \"url\"\nlisten = \"127.0.0.1:0\"\n");
    // Without any variable.
    let alone = |args: &[&str]| site.cli_told(&[("SEATLOCK_DATABASE_URL", "")], args);
    assert_eq!(alone(&["license", "show"]).json()[0]["id"], site.license);
    assert_eq!(alone(&["config", "check"]).problems(), [""; 0]);
    let lost = site.configure("database_file = \"lost\"\nlisten = \"127.0.0.1:0\"\nlog = \"loud\"\n");
    let found = alone(&["config", "check"]).problems();
    assert!(found.iter().any(|problem| problem.starts_with(&format!("{}:3", lost.display()))), "{found:?}");
    assert!(found.iter().any(|problem| problem.contains("lost cannot be read")), "{found:?}");
    fs::remove_file(lost).unwrap();
    // Whoever names another one means it.
    let other = alone(&["--database", "postgres://nobody@127.0.0.1:1/x", "license", "show"]);
    assert!(!other.ok && other.stderr.contains("127.0.0.1:1"), "{other:?}");
    let both = alone(&["--database", "postgres://x@y/z", "--database-file", "url", "license", "show"]);
    assert!(!both.ok && both.stderr.contains("mean the same"), "{both:?}");
}
