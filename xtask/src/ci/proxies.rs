//! Real proxies and a name server of our own, in a network namespace from which nothing leaves.

use anyhow::{Context, Result, ensure};
use std::fs;
use std::net::{Ipv4Addr, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use xtask::fault_proxy::{FaultProxy, Upstream, interactive};
use xtask::plugin::Plugin;
use xtask::{build, run};

/// Longest wait for a proxy to listen: one of them is a Python program.
const PATIENCE: Duration = Duration::from_secs(60);
/// The library's own limit for a call, and room for starting a program on a busy computer.
const CALL: Duration = Duration::from_secs(15 + 30);

const TINYPROXY: &str = "127.0.0.1:8888";
const SQUID: &str = "127.0.0.1:3128";
const MITMPROXY: &str = "127.0.0.1:8080";
/// The password is "sesame".
const SQUID_USER: &str = "artist:$6$seatlock$wWF0YwX0bxAMKE4Sgk1y.uluXQshCfsaDXhDymzTgs0DrKdX641kbyj2Ll2qeM3trQqED15oY0DH8.vQzoQCd.\n";

/// How a plug-in is told of its proxy.
enum Told {
    /// By its own option.
    Option(&'static str),
    /// By `HTTPS_PROXY`, with this `NO_PROXY`.
    Environment(&'static str, &'static str),
}
use Told::{Environment, Option as Opt};

/// Which authority its extra-CA option holds.
enum Trusts {
    Server,
    ResigningProxy,
}
use Trusts::{ResigningProxy, Server};

/// What is asked for.
const HERE: &str = "license.test";
/// The name server knows no such name.
const NOWHERE: &str = "license.invalid";
/// The name server does not answer for this one.
const SILENT: &str = "silent.invalid";
/// squid does not let anybody go there.
const BLOCKED: &str = "blocked.test";

/// (what, host, proxy, authority, expected code, words of the sentence)
#[rustfmt::skip] // one row, one case
const CASES: &[(&str, &str, Told, Trusts, &str, &str)] = &[
    ("tinyproxy without a password",      HERE,    Opt("http://127.0.0.1:8888"),                Server, "proxy_auth_required", "asks for a password"),
    // It answers 401, which says that the way is closed rather than that a password is missing.
    ("tinyproxy with a wrong password",   HERE,    Opt("http://artist:wrong@127.0.0.1:8888"),   Server, "unexpected_response", "proxy or login page"),
    ("tinyproxy with the password",       HERE,    Opt("http://artist:sesame@127.0.0.1:8888"),  Server, "ok", "licensed"),
    ("squid without a password",          HERE,    Opt("http://127.0.0.1:3128"),                Server, "proxy_auth_required", "asks for a password"),
    ("squid with a wrong password",       HERE,    Opt("http://artist:wrong@127.0.0.1:3128"),   Server, "proxy_auth_required", "asks for a password"),
    ("squid with the password",           HERE,    Opt("http://artist:sesame@127.0.0.1:3128"),  Server, "ok", "licensed"),
    ("squid does not allow the server",   BLOCKED, Opt("http://artist:sesame@127.0.0.1:3128"),  Server, "unexpected_response", "proxy or login page"),
    ("squid does not find the server",    NOWHERE, Opt("http://artist:sesame@127.0.0.1:3128"),  Server, "unexpected_response", "proxy or login page"),
    ("HTTPS_PROXY, no password",          HERE,    Environment("http://127.0.0.1:8888", ""),    Server, "proxy_auth_required", "asks for a password"),
    ("HTTPS_PROXY with the password",     HERE,    Environment("http://artist:sesame@127.0.0.1:8888", ""), Server, "ok", "licensed"),
    ("NO_PROXY names the server",         HERE,    Environment("http://127.0.0.1:1", "license.test"), Server, "ok", "licensed"),
    ("NO_PROXY names another server",     HERE,    Environment("http://127.0.0.1:1", "other.test"), Server, "unreachable", "proxy cannot be reached"),
    ("a proxy that is not there",         HERE,    Opt("http://127.0.0.1:1"),                   Server, "unreachable", "proxy cannot be reached"),
    ("a proxy whose name is not found",   HERE,    Opt("http://proxy.invalid:3128"),            Server, "unreachable", "proxy cannot be reached"),
    ("mitmproxy, its authority trusted",  HERE,    Opt("http://127.0.0.1:8080"),                ResigningProxy, "ok", "licensed"),
    ("mitmproxy, not trusted",            HERE,    Opt("http://127.0.0.1:8080"),                Server, "tls_untrusted", "unknown issuer; the certificate is by \"mitmproxy\""),
    ("a name that is not found",          NOWHERE, Opt(""),                                     Server, "unreachable", "was not found"),
    ("a name server that is silent",      SILENT,  Opt(""),                                     Server, "unreachable", "no answer in time"),
];

/// Prepares what needs the outside world, and goes on where there is none.
pub fn real() -> Result<String> {
    ensure!(rustix::process::geteuid().is_root(), "only root can make the network that this needs");
    // Its packages get along with nobody else's.
    let mitmproxy = xtask::python::program("python-mitmproxy", "tests/data/mitmproxy.txt", "mitmdump")?;
    build::shared_library(false)?;
    build::server()?;
    let mut inside = Command::new("unshare");
    inside.args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    inside.arg(std::env::current_exe()?).arg("proxies-inside").arg(mitmproxy);
    let (code, said) = run::status(&mut inside, None)?;
    ensure!(code == 0, "{said}");
    Ok(said.lines().last().context("it said nothing")?.to_owned())
}

/// Runs every case in a network that has nobody else in it.
pub fn inside(mitmproxy: &Path) -> Result<()> {
    let place = Place::new(mitmproxy)?;
    let mut longest = Duration::ZERO;
    let mut failed = Vec::new();
    for (what, host, told, trusts, code, says) in CASES {
        match place.play(host, told, trusts, code, says) {
            Ok(took) => longest = longest.max(took),
            Err(error) => failed.push(format!("{what}: {error:#}")),
        }
    }
    ensure!(failed.is_empty(), "{} of {} cases failed\n{}", failed.len(), CASES.len(), failed.join("\n"));
    println!("{} cases, the longest took {:.1} s", CASES.len(), longest.as_secs_f32());
    Ok(())
}

struct Place {
    folder: TempDir,
    plugin: Plugin,
    upstream: Arc<Upstream>,
    tls: FaultProxy,
    _proxies: [Proxy; 3],
}

impl Place {
    fn new(mitmproxy: &Path) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        // squid gives up being root, and reads its list of users afterwards.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
        let at = |name: &str| folder.path().join(name);
        isolate(folder.path())?;
        let upstream = Arc::new(Upstream::start()?);
        let tls = FaultProxy::start(interactive::find("tls")?, &upstream)?;
        fs::write(at("server.pem"), tls.route().ca.as_deref().context("no authority")?)?;

        fs::write(
            at("tinyproxy.conf"),
            "Port 8888\nListen 127.0.0.1\nBasicAuth artist sesame\nLogLevel Error\n",
        )?;
        fs::write(at("users"), SQUID_USER)?;
        fs::write(at("squid.conf"), squid_settings(folder.path()))?;
        let mut tinyproxy = Command::new("tinyproxy");
        tinyproxy.arg("-d").arg("-c").arg(at("tinyproxy.conf"));
        let mut squid = Command::new("squid");
        squid.arg("-N").arg("-f").arg(at("squid.conf"));
        let mut mitm = Command::new(mitmproxy);
        mitm.args(["--quiet", "--listen-host", "127.0.0.1", "--listen-port", "8080", "--set"]);
        mitm.arg(format!("confdir={}", at("mitmproxy").display())).arg("--set");
        mitm.arg(format!("ssl_verify_upstream_trusted_ca={}", at("server.pem").display()));
        let proxies = [
            Proxy::start(tinyproxy, TINYPROXY)?,
            Proxy::start(squid, SQUID)?,
            Proxy::start(mitm, MITMPROXY)?,
        ];
        Ok(Self { plugin: Plugin::build()?, folder, upstream, tls, _proxies: proxies })
    }

    /// One computer: it activates on the way that is tried when that must work, and otherwise on an
    /// honest one.
    fn play(&self, host: &str, told: &Told, trusts: &Trusts, code: &str, says: &str) -> Result<Duration> {
        let server = self.upstream.server();
        let seat = server.create_seat("artist@example.com")?;
        let state = tempfile::tempdir()?;
        let plugin = || {
            let mut command = self.plugin.command(server, state.path());
            command.env("SEATLOCK_MACHINE_ID", format!("computer-{}", seat.id));
            command
        };
        if code != "ok" {
            let (ended, said) = run::status(plugin().args(["activate", "-"]), Some(&seat.token))?;
            ensure!(ended == 0, "activating honestly ended with {ended}\n{said}");
            ensure!(lease(state.path()).is_some(), "no lease was stored");
        }
        let before = lease(state.path());

        let mut tried = plugin();
        let (_, port) = self.tls.route().server.rsplit_once(':').context("no port")?;
        tried.env("EXAMPLE_SERVER", format!("https://{host}:{port}"));
        tried.env(
            "EXAMPLE_CA",
            match trusts {
                Server => self.folder.path().join("server.pem"),
                ResigningProxy => self.folder.path().join("mitmproxy/mitmproxy-ca-cert.pem"),
            },
        );
        for name in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
            tried.env_remove(name).env_remove(name.to_uppercase());
        }
        match told {
            Opt(url) => tried.env("EXAMPLE_PROXY", url),
            Environment(proxy, except) => {
                tried.env_remove("EXAMPLE_PROXY").env("HTTPS_PROXY", proxy).env("NO_PROXY", except)
            }
        };
        let verb: &[&str] = if code == "ok" { &["activate", "-"] } else { &["ping"] };
        let begin = Instant::now();
        let (ended, said) = run::status(tried.args(verb), Some(&seat.token))?;
        let took = begin.elapsed();
        ensure!(ended == 0, "it ended with {ended}, as if there were no license\n{said}");
        ensure!(code == "ok" || said.contains(&format!("({code})")), "no {code}\n{said}");
        ensure!(said.contains(says) || code == "ok", "it does not say \"{says}\"\n{said}");
        ensure!(!said.contains("sesame"), "the password is shown\n{said}");
        ensure!(took < CALL, "it took {took:?}");
        let (ended, said) = run::status(plugin().arg("status"), None)?;
        let expected = if code == "ok" { "unlocked (ok)" } else { "grace (ok_offline)" };
        ensure!(ended == 0 && said.contains(expected), "the license is gone, or not \"{expected}\"\n{said}");
        ensure!(code == "ok" || lease(state.path()) == before, "the stored lease is another");
        Ok(took)
    }
}

/// The stored lease, wherever it is below the folder.
fn lease(state: &Path) -> Option<String> {
    fs::read_dir(state).ok()?.flatten().find_map(|entry| {
        let path = entry.path();
        if path.is_dir() { lease(&path) } else { path.ends_with("state.json").then(|| read_lease(&path))? }
    })
}

fn read_lease(path: &Path) -> Option<String> {
    let state: serde_json::Value = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    Some(state.pointer("/state/products/com.example.bridge/lease")?.as_str()?.to_owned())
}

/// A loopback interface, names of our own, and a name server that knows no others.
fn isolate(folder: &Path) -> Result<()> {
    run::output(Command::new("ip").args(["link", "set", "lo", "up"]))?;
    let names = format!("127.0.0.1 localhost {HERE} {BLOCKED}\n");
    for (file, text) in
        [("hosts", names.as_str()), ("resolv.conf", "nameserver 127.0.0.1\noptions timeout:5 attempts:3\n")]
    {
        fs::write(folder.join(file), text)?;
        run::output(
            Command::new("mount").arg("--bind").arg(folder.join(file)).arg(Path::new("/etc").join(file)),
        )?;
    }
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 53))?;
    thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((length, asker)) = socket.recv_from(&mut query) {
            let Some(query) = query.get_mut(..length) else { continue };
            if query.windows(6).any(|label| label == b"silent") {
                continue;
            }
            // An answer (QR), recursion available, no such name (RFC 1035, section 4.1.1).
            if let Some(flags) = query.get_mut(2..4) {
                flags.copy_from_slice(&[0x81, 0x83]);
                let _ = socket.send_to(query, asker);
            }
        }
    });
    Ok(())
}

fn squid_settings(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "http_port {SQUID}\npid_filename none\ncache deny all\naccess_log none\ncache_log /dev/null\n\
         cache_store_log none\nnetdb_filename none\nshutdown_lifetime 0 seconds\ncoredump_dir /tmp\n\
         pinger_enable off\nvisible_hostname squid.test\ndns_timeout 3 seconds\n\
         auth_param basic program /usr/lib/squid/basic_ncsa_auth {folder}/users\nauth_param basic realm seatlock\n\
         acl known proxy_auth REQUIRED\nacl blocked dstdomain {BLOCKED}\n\
         http_access deny !known\nhttp_access deny blocked\nhttp_access allow known\nhttp_access deny all\n"
    )
}

/// A proxy that runs until this is dropped.
struct Proxy(Child);

impl Proxy {
    fn start(mut command: Command, address: &str) -> Result<Self> {
        let name = run::shown(&command);
        let child = command.stdin(Stdio::null()).stdout(Stdio::inherit()).stderr(Stdio::inherit()).spawn();
        let mut proxy = Self(child.with_context(|| format!("`{name}` cannot be started"))?);
        let begin = Instant::now();
        while TcpStream::connect(address).is_err() {
            if let Some(status) = proxy.0.try_wait()? {
                anyhow::bail!("`{name}` ended with {status}");
            }
            ensure!(begin.elapsed() < PATIENCE, "`{name}` does not listen at {address}");
            thread::sleep(Duration::from_millis(50));
        }
        Ok(proxy)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
