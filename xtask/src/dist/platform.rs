use crate::layout::System;

/// What archives are made for.
#[derive(Debug)]
pub struct Platform {
    /// As in the archive's name.
    pub name: &'static str,
    /// Which computers it serves.
    pub about: &'static str,
    /// How its files are called.
    pub system: System,
    /// As wheels of Python call it; `None` where there is no shared library to put into one.
    pub wheel: Option<&'static str>,
    /// What it is compiled for: one, or the halves of a universal library.
    pub targets: &'static [Target],
}

/// One target of the compiler.
#[derive(Debug)]
pub struct Target {
    /// Rust's name of it.
    pub rust: &'static str,
    /// Zig's name of it; `None` where mingw compiles C and links.
    pub zig: Option<&'static str>,
    /// Apple's name of the processor.
    pub arch: &'static str,
}

const fn target(rust: &'static str, zig: Option<&'static str>) -> Target {
    Target { rust, zig, arch: "" }
}

pub const PLATFORMS: &[Platform] = &[
    Platform {
        name: "linux-x86_64",
        about: "Linux with glibc 2.28 or newer: RHEL 8, Debian 10, Ubuntu 18.10 and later",
        system: System::Linux,
        wheel: Some("manylinux_2_28_x86_64"),
        targets: &[target("x86_64-unknown-linux-gnu", Some("x86_64-linux-gnu.2.28"))],
    },
    Platform {
        name: "linux-aarch64",
        about: "the same on 64-bit Arm",
        system: System::Linux,
        wheel: Some("manylinux_2_28_aarch64"),
        targets: &[target("aarch64-unknown-linux-gnu", Some("aarch64-linux-gnu.2.28"))],
    },
    Platform {
        name: "linux-musl-x86_64",
        about: "Linux of any kind: the static library alone, for programs that bring musl along",
        system: System::Musl,
        wheel: None,
        targets: &[target("x86_64-unknown-linux-musl", Some("x86_64-linux-musl"))],
    },
    Platform {
        name: "windows-x86_64",
        about: "Windows 10 and later; its static library is for mingw",
        system: System::Windows { msvc: false },
        wheel: Some("win_amd64"),
        targets: &[target("x86_64-pc-windows-gnu", None)],
    },
    Platform {
        name: "macos-universal",
        about: "macOS 11 and later, Apple's processors and Intel's",
        system: System::MacOs,
        wheel: Some("macosx_11_0_universal2"),
        targets: &[
            Target { rust: "aarch64-apple-darwin", zig: Some("aarch64-macos.11.0"), arch: "arm64" },
            Target { rust: "x86_64-apple-darwin", zig: Some("x86_64-macos.11.0"), arch: "x86_64" },
        ],
    },
];
