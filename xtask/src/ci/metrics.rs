use anyhow::{Result, ensure};
use std::process::Command;
use xtask::port::Port;
use xtask::server::{Running, Setup};
use xtask::{repository, run};

/// What a server tells Prometheus, read by Prometheus's own strict parser.
pub fn openmetrics() -> Result<String> {
    let python = xtask::python::program("python", "server/tests/openmetrics/requirements.txt", "python")?;
    let port = Port::hold()?;
    let serve = vec!["--metrics-listen".to_owned(), port.address().to_string()];
    let server = Running::start_with(&Setup { serve, ..Setup::default() })?;
    server.create_seat("ada@example.com")?;
    let mut check = Command::new(python);
    check
        .arg(repository().join("server/tests/openmetrics/check.py"))
        .arg(format!("http://{}/metrics", port.address()));
    let (code, said) = run::status(&mut check, None)?;
    ensure!(code == 0, "{said}");
    Ok(said.trim().to_owned())
}
