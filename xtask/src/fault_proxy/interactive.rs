use super::{CASES, Case, FaultProxy, Upstream};
use anyhow::{Context, Result};
use std::fs;
use std::sync::{Arc, mpsc};

pub fn list() {
    for Case { name, what, code, .. } in CASES {
        println!("{name:27} {:21} {what}", code.name());
    }
    println!("{} cases", CASES.len());
}

/// Runs one case until somebody presses Ctrl-C.
///
/// # Errors
/// There is no such case, or it cannot be begun.
pub fn run(name: &str) -> Result<()> {
    let case = find(name)?;
    println!("Building and starting a licensing server ...");
    let upstream = Arc::new(Upstream::start()?);
    let server = upstream.server();
    let seat = server.create_seat("you@example.com")?;
    let proxy = FaultProxy::start(case, &upstream)?;
    let route = proxy.route();
    let folder = tempfile::tempdir()?;

    println!("\nOnce, at the honest server:");
    println!("  server    {}", server.url());
    println!("  issuer    {}", server.issuer());
    println!("  root key  {}", server.root_key());
    println!("  product   com.example.bridge, terms 2026-01");
    println!("  token     {}", seat.token);
    println!("\nThen, before the fault \"{name}\" ({}):", case.what);
    println!("  server    {}", route.server);
    if let Some(proxy) = &route.proxy {
        println!("  proxy     {proxy}");
    }
    if let Some(pem) = &route.ca {
        let file = folder.path().join("ca.pem");
        fs::write(&file, pem)?;
        println!("  extra CA  {}", file.display());
    }
    println!("\nA ping must end with `{}` within 15 seconds. Its sentence is", case.code.name());
    println!("  {}", case.code.row().text);
    println!("and holds: {}", if case.says.is_empty() { "(nothing more)" } else { case.says });
    println!("The license must last, and the plug-in must stay usable and close at once. Ctrl-C ends this.");
    wait_for_ctrl_c()
}

/// The case with this name.
///
/// # Errors
/// There is none.
pub fn find(name: &str) -> Result<&'static Case> {
    let found = CASES.iter().find(|case| case.name == name);
    found.with_context(|| format!("there is no case \"{name}\"; see `cargo xtask fault-proxy --list`"))
}

fn wait_for_ctrl_c() -> Result<()> {
    let (pressed, wait) = mpsc::channel();
    ctrlc::set_handler(move || pressed.send(()).unwrap_or_default())?;
    Ok(wait.recv()?)
}
