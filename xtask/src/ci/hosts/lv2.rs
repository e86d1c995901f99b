use super::compiled_in;
use anyhow::{Result, ensure};
use std::fs;
use std::path::Path;
use std::process::Command;
use xtask::plugin::Plugin;
use xtask::server::Running;
use xtask::{build, run};

/// Sound in, and silence or the same sound out: the plug-in in a host that calls it for each block.
pub fn effect() -> Result<String> {
    let place = tempfile::tempdir()?;
    let (built, state) = (place.path().join("built"), place.path().join("state"));
    let server = Running::start()?;
    let seat = server.create_seat("lv2@example.com")?;
    let mut settings = compiled_in(&server);
    settings.push("-DEXAMPLE_STATIC=OFF".to_owned());
    super::cmake("examples/lv2", &built, &settings)?;

    let sound = place.path().join("in.wav");
    fs::write(&sound, wav(&[8000; 20_000]))?;
    let apply = || {
        let out = place.path().join("out.wav");
        let mut host = Command::new("lv2apply");
        host.arg("-i").arg(&sound).arg("-o").arg(&out).arg("https://example.com/bridge");
        host.env("LV2_PATH", &built).env("SEATLOCK_STATE_DIR", &state).env_remove("SEATLOCK_MACHINE_ID");
        run::output(&mut host)?;
        not_silent(&out)
    };
    ensure!(apply()? == 0, "there is sound while it is locked");
    // What another program of the vendor does.
    let other = Plugin::with(&build::shared_library(false)?)?;
    let (code, said) =
        run::status(other.command(&server, &state).args(["activate", "-"]), Some(&seat.token))?;
    ensure!(code == 0, "activating ended with {code}\n{said}");
    ensure!(apply()? > 0, "there is silence though it is licensed");
    Ok("silence while it is locked, sound while it is licensed".to_owned())
}

/// A file with one channel of these samples.
fn wav(samples: &[i16]) -> Vec<u8> {
    let data: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let size = u32::try_from(data.len()).unwrap_or_default();
    let mut file = Vec::new();
    file.extend(b"RIFF");
    file.extend((size + 36).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    file.extend([1_u16, 1].map(u16::to_le_bytes).concat());
    file.extend([48_000_u32, 96_000].map(u32::to_le_bytes).concat());
    file.extend([2_u16, 16].map(u16::to_le_bytes).concat());
    file.extend(b"data");
    file.extend(size.to_le_bytes());
    file.extend(data);
    file
}

/// How many bytes of a file's sound are not silence.
fn not_silent(path: &Path) -> Result<usize> {
    let file = fs::read(path)?;
    let start = file.windows(4).position(|four| four == b"data").map_or(file.len(), |at| at + 8);
    Ok(file.iter().skip(start).filter(|byte| **byte != 0).count())
}
