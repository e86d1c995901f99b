//! Windows' side of things, as wine plays it, in a folder of the target folder.

use anyhow::{Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use xtask::{build, repository, run};

/// Debian's, which is in no search path.
pub const LOADER: &str = "/usr/lib/wine/wine64";
/// What all programs of one Windows share. It stays for a minute after the last of them, because
/// starting it takes longer than most of them run.
const SERVER: [&str; 2] = ["/usr/lib/wine/wineserver64", "-p60"];

/// Where it keeps what a Windows has.
fn prefix() -> PathBuf {
    build::target_folder().join("wine")
}

/// A program of Windows, without the settings of the person who runs the check.
pub fn command(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new(LOADER);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("EXAMPLE_") || text.starts_with("SEATLOCK_") || text.starts_with("LC_") {
            command.env_remove(&name);
        }
    }
    // Names of files are UTF-8 only in a locale that says so.
    command
        .env("WINEPREFIX", prefix())
        .env("WINEARCH", "win64")
        .env("WINEDEBUG", "-all")
        .env("LC_ALL", "C.UTF-8");
    // Neither .NET nor a browser is offered for installation.
    command.env("WINEDLLOVERRIDES", "mscoree,mshtml=").env_remove("DISPLAY");
    command.arg(program.as_ref());
    command
}

/// How a program of Windows calls a file of this computer.
pub fn path(path: &Path) -> String {
    format!("Z:{}", path.display()).replace('/', "\\")
}

/// Makes it, once: Windows 10, with a machine id, and what wine may lack.
pub fn prepare() -> Result<String> {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let done = prefix().join("prepared");
    let [server, stays] = SERVER;
    let mut serve = Command::new(server);
    serve.arg(stays).env("WINEPREFIX", prefix()).stdout(Stdio::null()).stderr(Stdio::null());
    if !done.exists() {
        if prefix().exists() {
            fs::remove_dir_all(prefix())?;
        }
        fs::create_dir_all(prefix())?;
        // One that runs already says so, and stays as it is.
        serve.status()?;
        start(command("wineboot.exe").arg("--init"))?;
        let library = prefix().join("drive_c/windows/system32/bcryptprimitives.dll");
        if !library.exists() {
            let mut compile = Command::new("x86_64-w64-mingw32-gcc");
            compile.args(["-O2", "-shared", "-o"]).arg(library);
            compile.arg(repository().join("tests/c/windows/bcryptprimitives.c")).arg("-ladvapi32");
            run::output(&mut compile)?;
        }
        run::output(command("winecfg.exe").args(["-v", "win10"]))?;
        registry(
            "HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Cryptography",
            "\"MachineGuid\"=\"11111111-2222-3333-4444-555555555555\"\n",
        )?;
        fs::write(done, "")?;
    } else {
        serve.status()?;
    }
    start(command("cmd.exe").args(["/c", "exit"]))?;
    Ok("it runs".to_owned())
}

/// A program that may be the first. It starts Windows' services, which would keep its outputs open.
fn start(first: &mut Command) -> Result<()> {
    let ended = first.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    ensure!(ended.success(), "`{}` ended with {ended}", run::shown(first));
    Ok(())
}

/// Writes values below a key.
pub fn registry(key: &str, values: &str) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("values.reg");
    fs::write(&file, format!("Windows Registry Editor Version 5.00\n\n[{key}]\n{values}"))?;
    run::output(command("reg.exe").arg("import").arg(path(&file))).map(drop)
}
