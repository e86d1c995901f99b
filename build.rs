//! Prints the C header into `OUT_DIR` and names the shared library. Touches nothing outside
//! `OUT_DIR`.

#[path = "build/header.rs"]
mod header;

use std::{env, error::Error, fs, path::PathBuf};

/// The sections of the header, in the order in which it is read: a file of src/ffi and its banner.
const SECTIONS: [(&str, &str); 8] = [
    ("code", "Results"),
    ("error", "Details of a failed call"),
    ("library", "Library: what needs no client"),
    ("options", "Options: how a client is to be opened"),
    ("client", "Client: an open license"),
    ("status", "Status: what is known of the license now"),
    ("operation", "Operations: work that is started and ends with an event"),
    ("event", "Events"),
];

/// Binary interface number: only additions within one. It is part of the shared library's name.
const ABI: u32 = 1;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=src/ffi");
    println!("cargo:rerun-if-changed=cbindgen.toml");
    if env::var_os("CARGO_FEATURE_CAPI").is_some() {
        print_header()?;
        name_library()?;
    }
    Ok(())
}

fn print_header() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml"))?;
    let mut builder = cbindgen::Builder::new().with_config(config);
    let mut sources = Vec::new();
    for (file, title) in SECTIONS {
        let path = root.join(format!("src/ffi/{file}.rs"));
        sources.push((title, fs::read_to_string(&path)?));
        builder = builder.with_src(path);
    }
    let mut made = Vec::new();
    builder.generate()?.write(&mut made);
    let body = header::arrange(&String::from_utf8(made)?, &sources)?;
    let preamble = fs::read_to_string(root.join("src/ffi/preamble.h"))?
        .replace("@VERSION@", &env::var("CARGO_PKG_VERSION")?)
        .replace("@MAJOR@", &env::var("CARGO_PKG_VERSION_MAJOR")?)
        .replace("@MINOR@", &env::var("CARGO_PKG_VERSION_MINOR")?)
        .replace("@PATCH@", &env::var("CARGO_PKG_VERSION_PATCH")?)
        .replace("@ABI@", &ABI.to_string());
    let end = "\n#ifdef __cplusplus\n}\n#endif\n\n#endif /* SEATLOCK_H */\n";
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("seatlock.h"), preamble + &body + end)?;
    Ok(())
}

/// rustc gives a shared library neither SONAME nor install name. The library is also told never to
/// be unloaded, because code that has run threads cannot be (the image is pinned at run time too,
/// for static copies).
fn name_library() -> Result<(), Box<dyn Error>> {
    match env::var("CARGO_CFG_TARGET_OS")?.as_str() {
        "linux" => {
            println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libseatlock.so.{ABI}");
            println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
        }
        "macos" => println!("cargo:rustc-cdylib-link-arg=-Wl,-install_name,@rpath/libseatlock.{ABI}.dylib"),
        _ => {}
    }
    Ok(())
}
