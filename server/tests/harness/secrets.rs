use serde_json::Value;
use xtask::server::note;

/// Notes every token in what a command printed.
pub fn note_tokens(printed: &Value) {
    match printed {
        Value::String(text) if ["sit_", "sat_", "soc_"].iter().any(|kind| text.starts_with(kind)) => {
            note("tokens", text).unwrap();
        }
        Value::Array(all) => all.iter().for_each(note_tokens),
        Value::Object(all) => all.values().for_each(note_tokens),
        _ => {}
    }
}
