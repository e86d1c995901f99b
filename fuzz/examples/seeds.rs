//! Writes the seeds below `corpus/`: what is signed and well-formed, which mutation alone would
//! never find. Run again after a format has changed: `cargo run --manifest-path fuzz/Cargo.toml
//! --example seeds`.

use seatlock_fuzz::{HELD, KEY_SETS, LEASES, NONCE, PRODUCT, TOKEN, VERDICTS, licensed};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

fn write(target: &str, number: usize, bytes: &[u8]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(format!("seed-{number:02}")), bytes).unwrap();
}

/// How `(u16, u8, Option<&str>, u16, &[u8])` is read from bytes: numbers from the front, lengths
/// from the back.
fn answer(status: u16, kind: u8, body: &str) -> Vec<u8> {
    [&status.to_le_bytes()[..], &[kind, 0], &[0, 0], body.as_bytes()].concat()
}

fn main() {
    let tokens = [
        "sit_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE1pDYNs",
        " \"sat_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE0HOh8r\"\r\n",
        "soc_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE23XUDe",
        "sit_8uVq2ZtYw0LkSx7\u{200b}RmBnD4cJhPf3GaE1pDYNs\u{feff}",
        "sit_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE1pDYNt",
    ];
    tokens.iter().enumerate().for_each(|(number, text)| write("token", number, text.as_bytes()));
    let catalogues = [
        r#"{"language":"de","busy":"Zu viel.","busy.remedy":"Warten.","unreachable":"Weg. {reason}.","net_none":"Kein Netz","x":[7]}"#,
        "{\"store_no_write\":\"{reason} {path}\",\"seat_in_use_elsewhere\":\"\u{3002}{date}\u{3002}{machine}{time}\u{3002}\",\"days\":\"{number} Tage\"}",
    ];
    catalogues.iter().enumerate().for_each(|(number, text)| write("catalogue", number, text.as_bytes()));
    let signed: Vec<&String> = LEASES.iter().chain(&*VERDICTS).collect();
    signed.iter().enumerate().for_each(|(number, text)| write("jws", number, text.as_bytes()));
    KEY_SETS.iter().enumerate().for_each(|(number, text)| write("key_set", number, text.as_bytes()));

    let mut states = vec![serde_json::to_value(licensed().to_record(PRODUCT)).unwrap()];
    let install_id = "3b0f7d52-9f1f-4c9e-8a75-0f8d5c1f6b21";
    let of = |key_set: &str, product: Value| {
        json!({ "install_id": install_id, "key_set": key_set, "key_set_at": 1_800_000_000,
            "products": { PRODUCT: product, "another": { "lease": LEASES[1], "later": [1] } } })
    };
    states.push(of(&KEY_SETS[0], json!({ "verdict": VERDICTS[0] })));
    states.push(of(&KEY_SETS[1], json!({ "lease": LEASES[2] })));
    states.push(of("", json!({ "handed_back": {
        "seat": install_id, "epoch": 7, "jti": install_id, "issued_at": 1_800_000_000, "token": TOKEN, "renewal": "r" } })));
    states.push(json!({ "install_id": install_id, "token": "sit_", "seats": [{
        "token": TOKEN, "install_id": install_id, "at": 1_800_000_000, "renewal": "A".repeat(54) }],
        "clock": { "high_water": 1_800_500_000, "signed": 1_800_000_000, "since_boot": 100, "boot": 7 },
        "products": { PRODUCT: { "lease": *HELD, "pacing": { "failures": 3, "not_before": 1_800_009_999 },
            "launches": { "started": 9, "reported": 3 } } } }));
    for (number, state) in states.iter().enumerate() {
        write("state_file", number, &[&[0, 0, 0, 0], state.to_string().as_bytes()].concat());
    }

    let seat = json!({ "id": install_id, "lock_status": "in_use" });
    let mut bodies: Vec<(u16, u8, String)> = LEASES
        .iter()
        .map(|lease| {
            (
                200,
                0,
                json!({ "lease": lease, "renewal": "n", "seat": seat, "keyset": KEY_SETS[0] }).to_string(),
            )
        })
        .collect();
    bodies.extend(VERDICTS.iter().map(|verdict| (200, 0, json!({ "verdict": verdict }).to_string())));
    bodies.push((
        403,
        1,
        json!({ "type": "t", "title": "t", "status": 403, "detail": "d", "code": "seat_released",
        "verdict": VERDICTS[0], "keyset": KEY_SETS[1] })
        .to_string(),
    ));
    bodies.push((503, 3, "<html>".to_owned()));
    for (number, (status, kind, body)) in bodies.iter().enumerate() {
        write("answer", number, &answer(*status, *kind, body));
    }

    let request = json!({ "format": "seatlock-request", "version": 1, "call": "lease",
        "issuer": "https://license.example.com", "token_hash": TOKEN, "request": {
            "nonce": NONCE, "product": "com.example.bridge", "install_id": install_id,
            "machine": { "id": "m1_8vjsu_RtJCGi4MrAH8JyMty_uDOjGInxBPyA5GHg6rA", "source": "os" },
            "client": { "lib": "0.1.0" }, "clock": { "wall": 1_800_000_000 } } });
    write("request_file", 0, request.to_string().as_bytes());
    for (number, lease) in LEASES.iter().enumerate() {
        let file = json!({ "format": "seatlock-lease", "version": 1, "lease": lease, "renewal": "n", "keyset": KEY_SETS[0] });
        write("request_file", number + 1, file.to_string().as_bytes());
    }
}
