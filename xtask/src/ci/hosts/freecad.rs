use super::folder;
use anyhow::{Result, ensure};
use std::fs;
use std::path::Path;
use std::process::Command;
use xtask::server::Running;
use xtask::{build, repository, run};

/// FreeCAD without its start page, which is a browser.
const SETTINGS: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="no" ?>
<FCParameters><FCParamGroup Name="Root"><FCParamGroup Name="BaseApp"><FCParamGroup Name="Preferences">
<FCParamGroup Name="General"><FCText Name="AutoloadModule">NoneWorkbench</FCText></FCParamGroup>
</FCParamGroup></FCParamGroup></FCParamGroup></FCParameters>
"#;

/// A person in FreeCAD's window: activates, uses the workbench, releases, and removes it.
pub fn workbench() -> Result<String> {
    let home = tempfile::tempdir()?;
    let server = Running::start()?;
    let seat = server.create_seat("freecad@example.com")?;
    let installed = install(home.path())?;
    let settings = format!(
        "PRODUCT = \"com.example.bridge\"\nSERVER = \"{}\"\nROOT_KEY = \"{}\"\n",
        server.url(),
        server.root_key()
    );
    fs::write(installed.join("settings.py"), settings)?;
    let configuration = home.path().join("user.cfg");
    fs::write(&configuration, SETTINGS)?;

    let mut freecad = Command::new("timeout");
    freecad.args(["120", "xvfb-run", "-a", "-s", "-screen 0 1280x800x24", "freecad", "-u"]);
    freecad.arg(&configuration).arg(repository().join("tests/hosts/workbench.py"));
    freecad.env("HOME", home.path()).env("FREECAD_USER_HOME", home.path());
    freecad.env("SEATLOCK_STATE_DIR", home.path().join("state")).env("NO_PROXY", "127.0.0.1");
    freecad.env("LIBGL_ALWAYS_SOFTWARE", "1").env("PYTHONUNBUFFERED", "1");
    freecad.env("QTWEBENGINE_DISABLE_SANDBOX", "1").env_remove("QT_QPA_PLATFORM");
    freecad.env("BRIDGE_TEST_TOKEN", &seat.token).env("BRIDGE_TEST_PICTURES", super::pictures()?);
    let (code, said) = run::status(&mut freecad, None)?;
    // FreeCAD ends with 0 whatever has happened.
    ensure!(code == 0 && said.lines().any(|line| line == "done"), "FreeCAD ended with {code}\n{said}");
    Ok("activated, used, released, removed".to_owned())
}

/// The workbench with the Python package beside it, as a vendor ships them. Answers its folder.
fn install(home: &Path) -> Result<std::path::PathBuf> {
    let installed = folder(home.join("Mod/Bridge"))?;
    copy(&repository().join("examples/freecad"), &installed)?;
    let package = folder(installed.join("seatlock"))?;
    copy(&repository().join("bindings/python/src/seatlock"), &package)?;
    for name in ["table.json", "labels.json"] {
        fs::copy(repository().join("panel").join(name), package.join(name))?;
    }
    fs::copy(build::shared_library(false)?, folder(package.join("lib"))?.join("libseatlock.so"))?;
    Ok(installed)
}

/// The files of a folder, without those below it.
fn copy(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        if let (true, Some(name)) = (path.is_file(), path.file_name()) {
            fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}
