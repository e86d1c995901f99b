//! How long a ring took last.

use anyhow::Result;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use xtask::run;

fn file() -> Result<PathBuf> {
    Ok(super::folder()?.join("times.json"))
}

fn read() -> Result<Value> {
    let text = fs::read(file()?).unwrap_or_default();
    Ok(serde_json::from_slice(&text).unwrap_or_else(|_| json!({})))
}

/// Keeps the seconds of some rings.
pub fn keep(rings: &BTreeMap<&str, f32>) -> Result<()> {
    let mut kept = read()?;
    let today = run::output(Command::new("date").arg("+%Y-%m-%d"))?;
    for (ring, seconds) in rings {
        if let Some(kept) = kept.as_object_mut() {
            kept.insert((*ring).to_owned(), json!({ "seconds": seconds.round(), "date": today.trim() }));
        }
    }
    Ok(fs::write(file()?, serde_json::to_string_pretty(&kept)?)?)
}

pub fn shown(ring: &str) -> Result<String> {
    let kept = read()?;
    let seconds = kept.get(ring).and_then(|ring| ring.get("seconds")).and_then(Value::as_f64);
    let date = kept.get(ring).and_then(|ring| ring.get("date")).and_then(Value::as_str);
    Ok(seconds
        .zip(date)
        .map_or("never ran here".to_owned(), |(seconds, date)| format!("{seconds:.0} s on {date}")))
}
