//! The archives that `cargo xtask dist` makes, as their users have them.

use super::consumers::{Place, sources, story};
use super::rust_target::{fetch, package, site};
use super::windows::run_by_msvc;
use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use xtask::dist::platform::{PLATFORMS, Platform};
use xtask::dist::{Dist, compile, link, symbols};
use xtask::layout::{ABI, Layout, OWN_NAME, System};
use xtask::server::Running;
use xtask::{build, c, functions, repository, run};

/// The oldest glibc that archives promise to run on.
const OLDEST: (u32, u32) = (2, 28);
/// Debian's suite with the oldest glibc that its archive still has, and which that is.
const OLD: (&str, &str) = ("bullseye", "2.31");

/// A platform's archives under the project's own name and under a vendor's, optimized little.
pub fn build(platform: &str) -> Result<String> {
    // They share a folder of cargo's, and a list of checksums.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut made = 0;
    for name in [None, Some("acme_license".to_owned())] {
        dist(&[platform], name)?.run(&mut |_| made += 1)?;
    }
    Ok(format!("{made} files"))
}

fn dist(platforms: &[&str], name: Option<String>) -> Result<Dist> {
    let platforms: Vec<String> = platforms.iter().map(|name| (*name).to_owned()).collect();
    Ok(Dist::new(&platforms, name)?.quickly())
}

fn platform(name: &str) -> Result<&'static Platform> {
    PLATFORMS.iter().find(|platform| platform.name == name).context("no such platform")
}

fn unpacked(name: &str, of: &str) -> Result<Place> {
    let folder = tempfile::tempdir()?;
    let to = folder.path().join("unpacked");
    fs::create_dir(&to)?;
    let archive = dist(&[of], Some(name.to_owned()))?.file(platform(of)?, "");
    let mut unpack = if archive.extension().is_some_and(|kind| kind == "zip") {
        let mut unzip = Command::new("unzip");
        unzip.arg("-q").arg(&archive).arg("-d");
        unzip
    } else {
        let mut tar = Command::new("tar");
        tar.arg("-xzf").arg(&archive).arg("-C");
        tar
    };
    run::output(unpack.arg(&to))?;
    let prefix = fs::read_dir(&to)?.next().context("the archive is empty")??.path();
    Place::around(folder, prefix)
}

impl Place {
    fn library(&self, name: &str, of: &str) -> Result<PathBuf> {
        let shared = Layout::archived(name, platform(of)?.system).shared;
        Ok(self.prefix.join(shared.context("there is no shared library")?))
    }

    /// The C example, compiled with these words before it and linked with those behind.
    fn example(&self, compiler: &[&str], last: &[&str]) -> Result<PathBuf> {
        let program = self.folder.path().join("seatlock_plugin");
        let (tool, words) = compiler.split_first().context("no compiler")?;
        let mut compile = Command::new(tool);
        compile.args(words).arg("-I").arg(self.prefix.join("include")).args(sources());
        run::output(compile.arg("-o").arg(&program).args(last))?;
        Ok(program)
    }
}

/// What the shared libraries for Linux ask of the C library, by the version of each name.
pub fn glibc() -> Result<String> {
    let mut said = Vec::new();
    for of in ["linux-x86_64", "linux-aarch64"] {
        let place = unpacked(OWN_NAME, of)?;
        let listed =
            run::output(Command::new("readelf").arg("--version-info").arg(place.library(OWN_NAME, of)?))?;
        let versions: BTreeSet<(u32, u32)> = listed
            .split(|c: char| c.is_whitespace())
            .filter_map(|word| word.strip_prefix("GLIBC_"))
            .filter_map(|version| {
                let mut numbers = version.split('.').map(|number| number.parse().ok());
                Some((numbers.next()??, numbers.next()??))
            })
            .collect();
        let newest = versions.last().copied().context("no version of glibc is named")?;
        ensure!(newest <= OLDEST, "{of} needs glibc {newest:?}\n{listed}");
        said.push(format!("{of} needs glibc {}.{}", newest.0, newest.1));
    }
    Ok(said.join(", "))
}

/// The C example's life of a seat on the old glibc, on this processor and an Arm that is emulated.
pub fn old_glibc() -> Result<String> {
    let mut verbs = 0;
    for (of, architecture, triple) in
        [("linux-x86_64", "amd64", "x86_64-linux-gnu"), ("linux-aarch64", "arm64", "aarch64-linux-gnu")]
    {
        let root = old_system(architecture)?;
        let place = unpacked(OWN_NAME, of)?;
        let library = place.library(OWN_NAME, of)?;
        let target = platform(of)?.targets.first().and_then(|target| target.zig).context("no target")?;
        let zig = compile::zig()?;
        let program = place.example(
            &[&zig.to_string_lossy(), "cc", "-target", target, "-std=c11"],
            &[&library.to_string_lossy()],
        )?;
        let system = root.join("lib").join(triple);
        let libraries = format!("{}:{}", library.parent().unwrap_or(&library).display(), system.display());
        let start = || {
            // Its own loader: the links to it lead to that of this computer.
            let loader = system.join(format!("ld-{}.so", OLD.1));
            let mut command =
                Command::new(if triple == "aarch64-linux-gnu" { Path::new("qemu-aarch64") } else { &loader });
            command.args((triple == "aarch64-linux-gnu").then_some(&loader));
            command
                .args(["--library-path", &libraries])
                .arg(&program)
                .env("SEATLOCK_MACHINE_ID", "a-test-machine-of-ours");
            command
        };
        verbs += life(start)?;
    }
    Ok(format!("{verbs} verbs with Debian's glibc {}", OLD.1))
}

/// The C example with the static library and musl in one file, with flags that pkg-config tells.
pub fn musl() -> Result<String> {
    let place = unpacked(OWN_NAME, "linux-musl-x86_64")?;
    let flags = place.pkg_config(&["--cflags", "--libs"])?;
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let program = place.example(&["musl-gcc", "-std=c11", "-static"], &flags)?;
    let bytes = fs::read(&program)?;
    let needs = object::Object::dynamic_symbols(&object::File::parse(&*bytes)?).count();
    ensure!(needs == 0, "the program asks others for {needs} names");
    let verbs = life(|| {
        let mut command = Command::new(&program);
        command.env("SEATLOCK_MACHINE_ID", "a-test-machine-of-ours");
        command
    })?;
    Ok(format!("{verbs} verbs by one file of {} bytes", bytes.len()))
}

/// A whole life of a seat at a server of its own.
fn life(plugin: impl Fn() -> Command) -> Result<usize> {
    let server = Running::start()?;
    let seat = server.create_seat("archive@example.com")?;
    let state = tempfile::tempdir()?;
    story(&server, &seat.token, &state.path().join("state"), plugin)
}

/// The C library of an older Debian, unpacked.
fn old_system(architecture: &str) -> Result<PathBuf> {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let root = build::target_folder().join("old-glibc").join(architecture);
    if root.join("lib").exists() {
        return Ok(root);
    }
    fs::create_dir_all(&root)?;
    let (suite, version) = OLD;
    let site = site()?;
    let Some((path, sum)) = package(&site, suite, architecture, "libc6", version, &root)? else {
        bail!("{suite} has no libc6 {version} for {architecture}");
    };
    let file = root.join("libc6.deb");
    fetch(&format!("{site}/{path}"), &file, &sum)?;
    run::output(Command::new("dpkg-deb").arg("-x").arg(&file).arg(&root))?;
    Ok(root)
}

/// What the DLL exports and is called, its version resource and the name of its debug information;
/// the C example linked with both import libraries, and a program as Visual Studio's linker makes
/// it, run under wine.
pub fn windows() -> Result<String> {
    let of = "windows-x86_64";
    for name in [OWN_NAME, "acme_license"] {
        let place = unpacked(name, of)?;
        let library = place.library(name, of)?;
        let bytes = fs::read(&library)?;
        let file = object::File::parse(&*bytes)?;
        exported(name, of, object::Object::exports(&file)?.iter().map(|export| export.name()))?;
        let module = format!("{name}-{ABI}.dll");
        let debug = format!("{module}.debug");
        for needle in [module.clone(), debug, utf16("OriginalFilename"), utf16(&module)] {
            let there = bytes.windows(needle.len()).any(|window| window == needle.as_bytes());
            ensure!(there, "{} does not name {needle:?}", library.display());
        }
        for import in [format!("lib{name}.dll.a"), format!("{name}.lib")] {
            let path = place.prefix.join("lib").join(&import);
            let bytes = fs::read(&path).with_context(|| format!("{import} is missing"))?;
            let there = bytes.windows(module.len()).any(|window| window == module.as_bytes());
            ensure!(there, "{import} does not lead to {module}");
            if name == OWN_NAME {
                let compiler = ["x86_64-w64-mingw32-gcc", "-std=c11"];
                place.example(&compiler, &[&path.to_string_lossy()])?;
            }
        }
        let msvc = tempfile::tempdir()?;
        if name == OWN_NAME {
            fs::copy(&library, msvc.path().join(&module))?;
            run_by_msvc(msvc.path(), &place.prefix.join("lib/seatlock.lib"))?;
        }
    }
    Ok("exports, names, version; the example is linked, and one of Visual Studio's kind ran".to_owned())
}

fn utf16(text: &str) -> String {
    text.chars().flat_map(|letter| [letter, '\0']).collect()
}

/// What the dylib exports and is called, in both halves, and the C example linked with each.
/// Nothing is run.
pub fn macos() -> Result<String> {
    use object::read::macho::{FatArch as _, MachOFatFile32};
    let of = "macos-universal";
    for name in [OWN_NAME, "acme_license"] {
        let place = unpacked(name, of)?;
        let library = place.library(name, of)?;
        let bytes = fs::read(&library)?;
        let install = format!("@rpath/lib{name}.{ABI}.dylib");
        let halves = MachOFatFile32::parse(&*bytes)?;
        ensure!(halves.arches().len() == 2, "{} halves", halves.arches().len());
        for half in halves.arches() {
            let half = half.data(&*bytes)?;
            let file = object::File::parse(half)?;
            let names = object::Object::exports(&file)?;
            exported(
                name,
                of,
                names.iter().map(|export| export.name().strip_prefix(b"_").unwrap_or_default()),
            )?;
            let (named, oldest) = load_commands(half)?;
            ensure!(named == install && oldest == (11, 0), "it is {named}, for macOS {oldest:?}");
        }
    }
    let zig = compile::zig()?;
    for target in platform(of)?.targets {
        let place = unpacked(OWN_NAME, of)?;
        let library = place.library(OWN_NAME, of)?;
        let zig = zig.to_string_lossy();
        let compiler = [&*zig, "cc", "-target", target.zig.context("no target")?, "-std=c11"];
        place.example(&compiler, &[&library.to_string_lossy()])?;
    }
    Ok("exports and install name of both halves; the example is linked".to_owned())
}

/// What a dylib calls itself, and the oldest macOS that it is for.
fn load_commands(half: &[u8]) -> Result<(String, (u32, u32))> {
    use object::macho::MachHeader64;
    use object::read::macho::{LoadCommandVariant, MachHeader as _};
    let header = MachHeader64::<object::Endianness>::parse(half, 0)?;
    let endian = header.endian()?;
    let (mut named, mut oldest) = (String::new(), (0, 0));
    let mut commands = header.load_commands(endian, half, 0)?;
    while let Some(command) = commands.next()? {
        match command.variant()? {
            LoadCommandVariant::IdDylib(id) => {
                named = String::from_utf8_lossy(command.string(endian, id.dylib.name)?).into_owned();
            }
            LoadCommandVariant::BuildVersion(version) => {
                let number = version.minos.get(endian);
                oldest = (number >> 16, number >> 8 & 0xff);
            }
            _ => {}
        }
    }
    Ok((named, oldest))
}

/// Compares what a library exports with the ledger.
fn exported<'a>(name: &str, of: &str, found: impl Iterator<Item = &'a [u8]>) -> Result<()> {
    let layout = Layout::archived(name, platform(of)?.system);
    let found: BTreeSet<String> = found.map(|name| String::from_utf8_lossy(name).into_owned()).collect();
    let wanted: BTreeSet<String> = functions()?.iter().map(|function| layout.renamed(function)).collect();
    let others: Vec<_> = found.symmetric_difference(&wanted).collect();
    ensure!(others.is_empty() && !wanted.is_empty(), "{of} of {name}: {others:?}");
    Ok(())
}

/// Consumers that have no Rust: CMake fetches the archive, once for each form of the library.
pub fn fetch_content() -> Result<String> {
    let place = unpacked(OWN_NAME, "linux-x86_64")?;
    let archive = dist(&["linux-x86_64"], None)?.file(platform("linux-x86_64")?, "");
    let get = format!(
        "include(FetchContent)\nFetchContent_Declare(seatlock URL \"{}\")\nFetchContent_MakeAvailable(seatlock)\n\
         find_package(seatlock REQUIRED PATHS ${{seatlock_SOURCE_DIR}} NO_DEFAULT_PATH)\n",
        archive.display()
    );
    use_by_cmake(&place, &get, &[])?;
    place.no_rust_was_used()?;
    Ok("linked with the shared and the static library".to_owned())
}

/// The Conan package of the archive, made and used.
pub fn conan() -> Result<String> {
    let place = unpacked(OWN_NAME, "linux-x86_64")?;
    let archive = dist(&["linux-x86_64"], None)?.file(platform("linux-x86_64")?, "");
    let program = xtask::python::program("python-conan", "packaging/conan/requirements.txt", "conan")?;
    let conan = |arguments: &[&str]| {
        let mut conan = place.without_rust(&program);
        conan.env("CONAN_HOME", place.folder.path().join("conan")).args(arguments);
        conan.current_dir(place.folder.path());
        run::output(&mut conan)
    };
    conan(&["profile", "detect"])?;
    let recipe = repository().join("packaging/conan");
    let given = format!("user.seatlock:archive={}", archive.display());
    conan(&["create", &recipe.to_string_lossy(), "-c", &given])?;
    let wanted = format!("--requires=seatlock/{}", env!("CARGO_PKG_VERSION"));
    conan(&["install", &wanted, "--generator=CMakeToolchain", "--output-folder=generated"])?;
    let toolchain = place.folder.path().join("generated/conan_toolchain.cmake");
    let toolchain = format!("-DCMAKE_TOOLCHAIN_FILE={}", toolchain.display());
    use_by_cmake(&place, "find_package(seatlock REQUIRED)\n", &[&toolchain])?;
    place.no_rust_was_used()?;
    Ok("made, and linked with the shared and the static library".to_owned())
}

/// The port of vcpkg, as far as its script and its names go: CMake runs the one, with functions in
/// place of vcpkg's own, and a consumer uses what it installs.
pub fn vcpkg() -> Result<String> {
    let port = repository().join("packaging/vcpkg");
    let names: Value = serde_json::from_str(&fs::read_to_string(port.join("vcpkg.json"))?)?;
    for (member, wanted) in [("name", OWN_NAME), ("version", env!("CARGO_PKG_VERSION"))] {
        let found = names.get(member).and_then(Value::as_str);
        ensure!(found == Some(wanted), "vcpkg.json: {member} is {found:?}");
    }
    let place = unpacked(OWN_NAME, "linux-x86_64")?;
    let archive = dist(&["linux-x86_64"], None)?.file(platform("linux-x86_64")?, "");
    let packages = place.folder.path().join("packages");
    let script = place.folder.path().join("vcpkg.cmake");
    fs::write(
        &script,
        format!(
            "set(CURRENT_PACKAGES_DIR \"{0}\")\n\
             function(vcpkg_extract_source_archive to from archive)\n\
             file(ARCHIVE_EXTRACT INPUT ${{archive}} DESTINATION {0}-source)\n\
             file(GLOB inside {0}-source/*)\nset(${{to}} ${{inside}} PARENT_SCOPE)\nendfunction()\n\
             function(vcpkg_install_copyright)\n\
             foreach(file IN LISTS ARGN)\nif(NOT file STREQUAL FILE_LIST)\n\
             file(INSTALL ${{file}} DESTINATION {0}/share/seatlock)\nendif()\nendforeach()\nendfunction()\n\
             include(\"{1}/portfile.cmake\")\n",
            packages.display(),
            port.display()
        ),
    )?;
    run::output(place.without_rust("cmake").env("SEATLOCK_ARCHIVE", &archive).arg("-P").arg(&script))?;
    let prefix = format!("-DCMAKE_PREFIX_PATH={}", packages.display());
    use_by_cmake(&place, "find_package(seatlock REQUIRED)\n", &[&prefix])?;
    place.no_rust_was_used()?;
    Ok("installed by its script, and linked with the shared and the static library".to_owned())
}

/// Builds the C example with what `get` finds, and runs it.
fn use_by_cmake(place: &Place, get: &str, options: &[&str]) -> Result<()> {
    let project = place.folder.path().join("project");
    fs::create_dir(&project)?;
    let [main, settings] = sources();
    let mut text = format!("cmake_minimum_required(VERSION 3.16)\nproject(consumer C)\n{get}");
    for form in ["seatlock", "seatlock_static"] {
        text += &format!(
            "add_executable(with_{form} \"{}\" \"{}\")\ntarget_link_libraries(with_{form} PRIVATE seatlock::{form})\n",
            main.display(),
            settings.display()
        );
    }
    fs::write(project.join("CMakeLists.txt"), text)?;
    let mut configure = place.without_rust("cmake");
    configure.arg("-S").arg(&project).arg("-B").arg(project.join("build")).args(options);
    run::output(configure.arg("-DCMAKE_BUILD_TYPE=Release"))?;
    run::output(place.without_rust("cmake").arg("--build").arg(project.join("build")))?;
    for form in ["seatlock", "seatlock_static"] {
        let mut show = place.without_rust(project.join("build").join(format!("with_{form}")));
        let id = run::output(show.arg("machine-id").env("SEATLOCK_MACHINE_ID", "a-test-machine-of-ours"))?;
        ensure!(id.starts_with("m1_"), "{form}: {id}");
    }
    Ok(())
}

/// The same archive made again, from another checkout, in another folder, from nothing.
pub fn again() -> Result<String> {
    let first = dist(&["linux-x86_64"], None)?;
    let folder = tempfile::tempdir_in(build::target_folder())?;
    let sources = folder.path().join("a second checkout");
    let mut list = Command::new("git");
    for file in run::output(list.arg("ls-files").current_dir(repository()))?.lines() {
        let to = sources.join(file);
        fs::create_dir_all(to.parent().unwrap_or(&sources))?;
        // One that was removed and not committed is missing here as well.
        if repository().join(file).exists() {
            fs::copy(repository().join(file), to)?;
        }
    }
    let second = Dist { folder: folder.path().join("dist"), sources, ..first.clone() };
    fs::create_dir(&second.folder)?;
    second.run(&mut |_| ())?;
    let mut sizes = Vec::new();
    for part in ["", "-debug"] {
        let platform = platform("linux-x86_64")?;
        let (one, other) = (fs::read(first.file(platform, part))?, fs::read(second.file(platform, part))?);
        ensure!(one == other, "the second archive{part} is another one");
        sizes.push(format!("{}", one.len()));
    }
    Ok(format!("the same {} bytes", sizes.join(" and ")))
}

/// Checksums, and a signature of them by minisign.
pub fn signature() -> Result<String> {
    let made = dist(&[], None)?;
    run::output(
        Command::new("sha256sum").args(["--check", "--quiet", "SHA256SUMS"]).current_dir(&made.folder),
    )?;
    let keys = tempfile::tempdir()?;
    let (secret, public) = (keys.path().join("secret"), keys.path().join("public"));
    run::output(Command::new("minisign").args(["-G", "-W", "-s"]).arg(&secret).arg("-p").arg(&public))?;
    made.sign(&secret)?;
    let sums = made.folder.join("SHA256SUMS");
    let verify = || {
        let mut verify = Command::new("minisign");
        verify.arg("-V").arg("-p").arg(&public).arg("-m").arg(&sums);
        run::output(&mut verify)
    };
    let said = verify()?;
    let right = fs::read(&sums)?;
    fs::write(&sums, "changed")?;
    let changed = verify();
    fs::write(&sums, right)?;
    ensure!(changed.is_err(), "a changed list is verified as well");
    Ok(said.lines().next().unwrap_or_default().to_owned())
}

/// Plug-ins of two vendors in one host, with an older and a newer library, in both orders and every
/// way of loading; and both static libraries in one program.
pub fn vendors() -> Result<String> {
    let folder = tempfile::tempdir()?;
    let at = |name: &str| folder.path().join(name);
    let host = at("vendors");
    let flags: Vec<&str> = c::C_WARNINGS.iter().copied().chain(["-ldl"]).collect();
    c::compile(&[&repository().join("tests/c/vendors.c")], &[], &host, &flags)?;
    let older = plugin(folder.path(), "acme_license", false)?;
    let newer = plugin(folder.path(), "beta_license", true)?;
    let load = |how: &str, scope: &str, plugins: [&(PathBuf, PathBuf); 2]| {
        let mut command = Command::new(&host);
        command.args([how, scope]).arg(at("state"));
        command.args(plugins.iter().flat_map(|(plugin, library)| [plugin, library]));
        run::status(command.env_remove("SEATLOCK_MACHINE_ID").env_remove("LD_LIBRARY_PATH"), None)
    };
    let mut count = 0;
    for how in ["lazy", "now"] {
        for scope in ["local", "global"] {
            for plugins in [[&older, &newer], [&newer, &older]] {
                let (code, said) = load(how, scope, plugins)?;
                ensure!(code == 0, "{how} {scope} {plugins:?}: {said}");
                count += 1;
            }
        }
    }
    // Under one name they meet: so the host would show it.
    let (first, second) = (at("first"), at("second"));
    fs::create_dir(&first)?;
    fs::create_dir(&second)?;
    let plugins = [plugin(&first, OWN_NAME, false)?, plugin(&second, OWN_NAME, true)?];
    let [older, newer] = &plugins;
    let (code, said) = load("now", "local", [older, newer])?;
    ensure!(code == 1 && said.contains("seatlock_code_url"), "one name for two libraries: {code} {said}");
    both_inside(folder.path())?;
    Ok(format!("{count} ways to load them, and both inside of one program"))
}

/// A shared library of this name, without the newest function if it is an older one, and a plug-in
/// beside it.
fn plugin(folder: &Path, name: &str, newer: bool) -> Result<(PathBuf, PathBuf)> {
    let of = platform("linux-x86_64")?;
    let layout = Layout::archived(name, of.system);
    let target = of.targets.first().context("no target")?;
    let compiled = dist(&["linux-x86_64"], None)?.compiled(target, &layout)?;
    let mut exported = functions()?;
    if !newer {
        exported.remove("seatlock_code_url");
    }
    let library = link::link(&layout, target, &compiled, &exported, folder)?.shared;
    let include = headers(&layout, folder)?;
    let plugin = folder.join(format!("{name}-plugin.so"));
    let mut build = Command::new("cc");
    build.args(["-std=c11", "-shared", "-fPIC", "-Wl,-z,lazy", "-Wl,-rpath,$ORIGIN", "-o"]).arg(&plugin);
    build.args(newer.then_some("-DPLUGIN_NEWER")).arg("-I").arg(include);
    run::output(build.arg(repository().join("tests/c/plugin.c")).arg(&library))?;
    Ok((plugin, library))
}

/// The headers of a library of this name, in a folder of their own.
fn headers(layout: &Layout, folder: &Path) -> Result<PathBuf> {
    let include = folder.join(layout.include());
    fs::create_dir_all(&include)?;
    for (path, content) in layout.files(&build::Libraries::default(), "0")? {
        if path.starts_with(layout.include()) {
            fs::write(folder.join(path), content.bytes()?)?;
        }
    }
    Ok(include)
}

/// One program with the static libraries of two vendors inside.
fn both_inside(folder: &Path) -> Result<()> {
    let of = platform("linux-x86_64")?;
    let target = of.targets.first().context("no target")?;
    let mut program = Command::new("cc");
    let main = folder.join("main.c");
    let text = "int acme_license_life(const char *);\nint beta_license_life(const char *);\n\
                int main(int count, char **words) { return count != 2 || acme_license_life(words[1]) || \
                beta_license_life(words[1]); }\n";
    fs::write(&main, text)?;
    program.arg(&main);
    for name in ["acme_license", "beta_license"] {
        let layout = Layout::archived(name, System::Linux);
        let object = folder.join(format!("{name}.o"));
        let mut part = Command::new("cc");
        part.args(["-std=c11", "-c", "-DSEATLOCK_STATIC", "-I"]).arg(headers(&layout, folder)?);
        for function in ["life", "library"] {
            part.arg(format!("-Dplugin_{function}={name}_{function}"));
        }
        run::output(part.arg(repository().join("tests/c/plugin.c")).arg("-o").arg(&object))?;
        let compiled = dist(&["linux-x86_64"], None)?.compiled(target, &layout)?;
        ensure!(
            symbols::of(&compiled.archive)?.defined.iter().all(|symbol| symbol.starts_with(name)),
            "{name} defines names that are not its own"
        );
        program.arg(object).arg(compiled.archive).args(compiled.system);
    }
    let inside = folder.join("both-inside");
    run::output(program.arg("-o").arg(&inside))?;
    run::output(Command::new(&inside).arg(folder.join("state")).env_remove("SEATLOCK_MACHINE_ID")).map(drop)
}
