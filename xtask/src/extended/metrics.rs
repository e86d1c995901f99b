use super::python;
use anyhow::{Context, Result, ensure};
use std::process::Command;
use xtask::server::{Running, Setup};
use xtask::{build, repository, run};

/// What a server tells Prometheus, read by Prometheus's own strict parser.
pub fn openmetrics() -> Result<String> {
    let tests = repository().join("server/tests/openmetrics");
    let venv = build::target_folder().join("openmetrics-venv");
    python::install(&venv, &tests.join("requirements.txt"))?;
    let serve = ["--metrics-listen", "127.0.0.1:0"].map(str::to_owned).to_vec();
    let server = Running::start_with(&Setup { serve, ..Setup::default() })?;
    server.create_seat("ada@example.com")?;
    let log = server.log();
    let address =
        log.split("metrics are served address=").nth(1).and_then(|rest| rest.split_whitespace().next());
    let address = address.with_context(|| format!("the server says nothing of metrics: {log}"))?;
    let mut check = Command::new(venv.join("bin/python"));
    check.arg(tests.join("check.py")).arg(format!("http://{address}/metrics"));
    let (code, said) = run::status(&mut check, None)?;
    ensure!(code == 0, "{said}");
    Ok(said.trim().to_owned())
}
