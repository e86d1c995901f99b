use anyhow::Result;
use std::fs;
use std::process::Command;
use xtask::{repository, run};

/// C compilers with the C++ compilers that belong to them.
const COMPILERS: [(&str, &str); 2] = [("gcc", "g++"), ("clang", "clang++")];

/// Each header alone and twice, in every standard that is promised.
pub fn standards() -> Result<String> {
    let folder = tempfile::tempdir()?;
    let include = repository().join("include");
    let mut compiled = 0;
    for (c, cxx) in COMPILERS {
        let rows: [(&str, &str, &[&str], &[&str]); 3] = [
            (c, "seatlock.h", &["c99", "c11", "c17"], &["-Wstrict-prototypes"]),
            (cxx, "seatlock.h", &["c++17", "c++20"], &[]),
            (cxx, "seatlock.hpp", &["c++17", "c++20"], &["-fno-exceptions", "-fno-rtti"]),
        ];
        for (compiler, header, standards, more) in rows {
            let source = folder.path().join(if compiler == c { "unit.c" } else { "unit.cpp" });
            let line = format!("#include <{header}>\n");
            fs::write(&source, format!("{line}{line}int unit(void);\nint unit(void) {{ return 0; }}\n"))?;
            for standard in standards {
                let mut command = Command::new(compiler);
                command.arg(format!("-std={standard}")).args([
                    "-Wall",
                    "-Wextra",
                    "-Wpedantic",
                    "-Wconversion",
                ]);
                command.args(["-Werror", "-fsyntax-only"]).args(more).arg("-I").arg(&include).arg(&source);
                run::output(&mut command)?;
                compiled += 1;
            }
        }
    }
    Ok(format!("{compiled} compiled with gcc and clang"))
}

/// The examples and the C test programs, with both compilers.
pub fn examples() -> Result<String> {
    let root = repository();
    let mut compiled = 0;
    for (c, cxx) in COMPILERS {
        for folder in ["examples/c", "tests/c"] {
            for entry in fs::read_dir(root.join(folder))? {
                let source = entry?.path();
                if source.extension().is_some_and(|extension| extension == "c") {
                    syntax(Command::new(c).args(xtask::c::C_WARNINGS).arg(&source))?;
                    compiled += 1;
                }
            }
        }
        let names = ["PRODUCT", "SERVER", "ROOT_KEY", "OIDC_ISSUER", "CLIENT_ID"];
        let names = names.map(|name| format!("-DEXAMPLE_{name}=\"x\""));
        for source in ["main.cpp", "sign_in.cpp", "panel.cpp"] {
            let source = root.join("examples/cpp").join(source);
            syntax(Command::new(cxx).args(xtask::c::CXX_WARNINGS).args(&names).arg(source))?;
            compiled += 1;
        }
    }
    Ok(format!("{compiled} compiled with gcc and clang"))
}

fn syntax(command: &mut Command) -> Result<String> {
    run::output(command.arg("-fsyntax-only").arg("-I").arg(repository().join("include")))
}
