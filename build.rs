//! Prints the C header into `OUT_DIR` and names the shared library. Touches nothing outside `OUT_DIR`.

use std::{env, error::Error, fs, path::PathBuf};

/// The sections of the header, in the order in which it is read.
const SECTIONS: [&str; 8] = ["code", "error", "library", "options", "client", "operation", "event", "status"];

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
    let mut config = cbindgen::Config::from_file(root.join("cbindgen.toml"))?;
    config.header = Some(fs::read_to_string(root.join("src/ffi/preamble.h"))?.trim_end().to_owned());
    config.after_includes = Some(format!(
        "\n/* Version of this header; seatlock_version() and seatlock_abi_version() tell the library's. */\n\
         #define SEATLOCK_VERSION \"{}\"\n\
         #define SEATLOCK_VERSION_MAJOR {}\n\
         #define SEATLOCK_VERSION_MINOR {}\n\
         #define SEATLOCK_VERSION_PATCH {}\n\
         #define SEATLOCK_ABI_VERSION {ABI}",
        env::var("CARGO_PKG_VERSION")?,
        env::var("CARGO_PKG_VERSION_MAJOR")?,
        env::var("CARGO_PKG_VERSION_MINOR")?,
        env::var("CARGO_PKG_VERSION_PATCH")?,
    ));
    let mut builder = cbindgen::Builder::new().with_config(config);
    for section in SECTIONS {
        builder = builder.with_src(root.join(format!("src/ffi/{section}.rs")));
    }
    builder.generate()?.write_to_file(PathBuf::from(env::var("OUT_DIR")?).join("seatlock.h"));
    Ok(())
}

/// rustc gives a shared library neither SONAME nor install name. The library is also told never to be unloaded,
/// because code that has run threads can not be (the image is pinned at run time too, for static copies).
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
