use super::{files, programs, stored};
use anyhow::{Context, Result, ensure};
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use xtask::plugin::Plugin;
use xtask::server::{Running, Setup};
use xtask::{c, repository, run};

/// Sound tokens of other kinds and a mistyped one: what a person pastes by mistake is a secret all
/// the same.
const PASTED: &[&str] =
    &[API_TOKEN, "soc_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE23XUDe", "sit_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE1pDYNx"];

const API_TOKEN: &str = "sat_8uVq2ZtYw0LkSx7RmBnD4cJhPf3GaE0HOh8r";

/// Everything that can be asked of the example, with a token in all the places where a person may
/// put it; then whatever was printed, logged or stored is searched for the tokens and for the
/// renewal secrets.
pub fn printed() -> Result<String> {
    let plugin = Plugin::build()?;
    let folder = tempfile::tempdir()?;
    let state = folder.path().join("state");
    let serve = ["--log", "trace"].map(str::to_owned).to_vec();
    let mut server = Running::start_with(&Setup { serve, ..Setup::default() })?;
    let seat = server.create_seat("ada@example.com")?;
    let other = server.create_seat("bob@example.com")?;
    let mirror = Mirror::start()?;

    let mut life = Life { plugin: &plugin, said: String::new(), renewals: Vec::new(), runs: 0 };
    let server_now = &server;
    let mut go = |arguments: &[&str], input: Option<&str>, more: &[(&str, &str)]| {
        let mut command = plugin.command(server_now, &state);
        command.args(arguments).envs(more.iter().copied());
        life.run(&mut command, input)?;
        life.renewals.extend(renewal(&state)?);
        anyhow::Ok(())
    };
    for pasted in PASTED {
        go(&["activate", "-"], Some(pasted), &[])?;
        go(&["preflight", "-"], Some(pasted), &[])?;
    }
    go(&["activate", "-", "--no-terms"], Some(&seat.token), &[])?;
    go(&["preflight", "-"], Some(&seat.token), &[])?;
    go(&["activate", "-"], Some(&seat.token), &[])?;
    go(&["status", &seat.token], None, &[])?;
    go(&["--token", &seat.token, "status"], None, &[])?;
    go(&["ping"], None, &[])?;
    go(&["watch", "1"], None, &[])?;
    // Servers and proxies that repeat what they were sent, in every place from which words could be
    // taken.
    for answer in 0..ANSWERS.len() {
        let url = format!("http://{}/{answer}", mirror.address);
        go(&["ping"], None, &[("EXAMPLE_SERVER", &url)])?;
        go(&["activate", "-"], Some(&other.token), &[("EXAMPLE_SERVER", &url)])?;
    }
    go(&["ping"], None, &[("EXAMPLE_PROXY", &format!("http://{}", mirror.address))])?;
    go(&["ping"], None, &[("EXAMPLE_SERVER", "http://127.0.0.1:9")])?;
    go(&["activate", "-"], Some(&other.token), &[("EXAMPLE_STATE_FOLDER", "/proc/nowhere")])?;
    go(&["ping"], None, &[("SEATLOCK_TOKEN", &other.token)])?;
    go(&["status"], None, &[("SEATLOCK_TOKEN", API_TOKEN)])?;
    let beyond = ("EXAMPLE_SERVER", "https://license.test");
    for (name, value) in misplaced(&other.token) {
        go(&["ping"], None, &[beyond, (name, &value)])?;
    }
    for content in spoilt(&other.token) {
        let (accounts, authority) = (folder.path().join("credentials.json"), folder.path().join("ca.pem"));
        fs::write(&accounts, &content)?;
        fs::write(&authority, &content)?;
        let path = folder.path().display().to_string();
        go(&["ping"], None, &[("EXAMPLE_ACCOUNT_FOLDER", &path)])?;
        go(&["ping"], None, &[("EXAMPLE_CA", &authority.display().to_string())])?;
        fs::remove_file(accounts)?;
    }
    go(&["release"], None, &[])?;
    go(&["activate", "-", "--no-remember"], Some(&other.token), &[])?;
    let (said, renewals, runs) = (life.said, life.renewals, life.runs);
    server.administer(&["seat", "revoke", &other.id, "--yes"])?;
    ensure!(mirror.followed.load(Ordering::Relaxed) == 0, "a redirect was followed");
    ensure!(mirror.asked.load(Ordering::Relaxed) >= 2 * ANSWERS.len(), "the mirror was not asked");
    ensure!(!renewals.is_empty(), "no renewal secret was ever stored");
    server.stop()?;

    let mut places = vec![("what the example printed".to_owned(), said.into_bytes())];
    places.push(("what the server printed".to_owned(), server.log().into_bytes()));
    for path in files(&server.data())?.into_iter().chain(files(&state)?) {
        places.push((path.display().to_string(), fs::read(&path)?));
    }
    let tokens = [&seat.token, &other.token].into_iter().map(String::as_str).chain(PASTED.iter().copied());
    let secrets: Vec<&str> = tokens.filter_map(|token| token.get(4..34)).collect();
    for (place, bytes) in &places {
        let kept = place.ends_with("/state.json") || place.ends_with("/state.previous.json");
        let found = secrets.iter().filter(|secret| holds(bytes, secret)).count();
        ensure!(kept || found == 0, "{found} tokens in {place}");
        let found = renewals.iter().filter(|secret| holds(bytes, secret)).count();
        ensure!(kept || found == 0, "{found} renewal secrets in {place}");
    }
    Ok(format!("{runs} runs, {} places, {} secrets", places.len(), secrets.len() + renewals.len()))
}

/// A secret in variables that it does not belong into, or in which it cannot be read.
fn misplaced(secret: &str) -> Vec<(&'static str, String)> {
    let user = |scheme: &str| format!("{scheme}://ada:{secret}@license.test");
    vec![
        ("SEATLOCK_TOKEN", format!("{secret}x")),
        ("SEATLOCK_SERVER", secret.to_owned()),
        ("SEATLOCK_SERVER", user("https")),
        ("SEATLOCK_OIDC_ISSUER", user("https")),
        ("SEATLOCK_STATE_DIR", secret.to_owned()),
        ("SEATLOCK_OFFLINE", secret.to_owned()),
        ("SEATLOCK_MACHINE_ID", format!("{secret}\n{secret}")),
        ("SEATLOCK_CLIENT_ID", format!("{secret}\n{secret}")),
        ("SEATLOCK_CLIENT_SECRET", format!("{secret}\n{secret}")),
        ("SEATLOCK_SCOPES", format!("\"{secret}")),
        ("HTTPS_PROXY", format!("http://ada:{secret}#@proxy.test")),
        ("HTTPS_PROXY", user("socks5")),
        ("EXAMPLE_PROXY", user("socks5")),
        ("EXAMPLE_PROXY", format!("http://ada:{secret}/@proxy.test")),
    ]
}

/// A secret in files that people edit, none of which can be read.
fn spoilt(secret: &str) -> Vec<Vec<u8>> {
    let utf16 = format!("{{\"token\":\"{secret}\"}}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let texts = [
        secret.to_owned(),
        format!("{{\"token\":{secret}}}"),
        format!("{{\"token\":\"{secret}\"}} {secret}"),
        format!("{{\"token\":[\"{secret}\"]}}"),
        format!("{{\"token\":\"{secret}x\"}}"),
        format!("-----BEGIN PRIVATE KEY-----\\n{secret}\\n-----END PRIVATE KEY-----\\n"),
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", &secret.replace('_', "+")),
    ];
    texts.into_iter().map(String::into_bytes).chain([utf16]).collect()
}

/// What test programs and their servers printed is searched for the tokens that the servers handed
/// out. When no test has run, those of the server do.
pub fn tests() -> Result<String> {
    let folder = programs::secrets_folder()?;
    let printed = |path: &Path| path.extension().is_some_and(|extension| extension == programs::OUTPUT);
    if !files(&folder)?.iter().any(|path| printed(path)) {
        programs::run_packages(&["server"])?;
    }
    let tokens = fs::read_to_string(folder.join("tokens")).context("no token was handed out")?;
    let secrets: Vec<&str> = tokens.lines().filter_map(|token| token.get(4..34)).collect();
    ensure!(!secrets.is_empty(), "no token was noted");
    let known: BTreeSet<&[u8]> = secrets.iter().map(|secret| secret.as_bytes()).collect();
    let (mut outputs, mut logs) = (0, 0);
    for path in files(&folder)?.into_iter().filter(|path| !path.ends_with("tokens")) {
        let bytes = fs::read(&path)?;
        let found = bytes.windows(30).filter(|window| known.contains(window)).count();
        ensure!(found == 0, "{found} tokens in {}", path.display());
        if printed(&path) { outputs += 1 } else { logs += 1 }
    }
    ensure!(outputs > 0 && logs > 0, "{outputs} outputs and {logs} logs of servers are too few");
    Ok(format!("{outputs} outputs, {logs} logs of servers, {} tokens", secrets.len()))
}

struct Life<'a> {
    plugin: &'a Plugin,
    said: String,
    renewals: Vec<String>,
    runs: usize,
}

impl Life<'_> {
    /// Runs the example, whatever it ends with.
    fn run(&mut self, command: &mut Command, input: Option<&str>) -> Result<()> {
        let (code, said) = run::status(command, input)?;
        ensure!((0..=3).contains(&code), "{} ended with {code}\n{said}", self.plugin.program().display());
        self.said.push_str(&said);
        self.runs += 1;
        Ok(())
    }
}

fn holds(bytes: &[u8], secret: &str) -> bool {
    bytes
        .windows(secret.len())
        .any(|window| window.first() == secret.as_bytes().first() && window == secret.as_bytes())
}

/// The stored renewal secret, if any.
fn renewal(state: &Path) -> Result<Option<String>> {
    Ok(stored(state, "/state/seats/0/renewal")?.and_then(|secret| secret.as_str().map(str::to_owned)))
}

/// Answers that repeat the request, `{}`. `{to}` is the mirror's own address.
const ANSWERS: &[&str] = &[
    "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n<pre>{}</pre>",
    "HTTP/1.1 401 Unauthorized\r\ncontent-type: application/problem+json\r\n\r\n\
     {\"type\":\"about:blank\",\"title\":\"{}\",\"status\":401,\"detail\":\"{}\",\"code\":\"token_unknown\",\"params\":{\"machine\":\"{}\"}}",
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{\"lease\":\"{}\",\"renewal\":\"{}\",\"seat\":{\"id\":\"{}\"}}",
    "HTTP/1.1 302 Found\r\nlocation: http://{to}/followed?{}\r\n\r\n",
    "HTTP/1.1 503 {}\r\nretry-after: {}\r\ncontent-type: application/problem+json\r\n\r\n{}",
    "HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic realm=\"{}\"\r\n\r\n",
    "{}",
];

/// A server that sends back what it was sent.
struct Mirror {
    address: String,
    asked: Arc<AtomicUsize>,
    followed: Arc<AtomicUsize>,
}

impl Mirror {
    fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?.to_string();
        let (asked, followed) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let new =
            Self { address: address.clone(), asked: Arc::clone(&asked), followed: Arc::clone(&followed) };
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let request = answer(stream, &address).unwrap_or_default();
                asked.fetch_add(1, Ordering::Relaxed);
                followed.fetch_add(usize::from(request.contains("followed")), Ordering::Relaxed);
            }
        });
        Ok(new)
    }
}

fn answer(mut stream: TcpStream, address: &str) -> Result<String> {
    let mut request = String::new();
    let mut reader = BufReader::new(stream.try_clone()?);
    while reader.read_line(&mut request)? > 2 {}
    // All of it: who hangs up on what he has not read breaks off his own answer.
    let length =
        request.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    reader.take(length.unwrap_or(0)).read_to_end(&mut Vec::new())?;
    let authorization =
        request.lines().find(|line| line.to_lowercase().starts_with("authorization")).unwrap_or("no token");
    let first = request.lines().next().unwrap_or_default();
    let number = first.split(['/', ' ']).find_map(|part| part.parse::<usize>().ok()).unwrap_or(0);
    let pattern = ANSWERS.get(number).copied().unwrap_or("{}");
    let text = pattern.replace("{to}", address).replace("{}", authorization);
    stream.write_all(text.as_bytes())?;
    Ok(request)
}

/// A C host that wipes its own copy of the token is dumped with gdb's gcore while the client is
/// open, where the token must be found, and after it was closed.
pub fn memory() -> Result<String> {
    let folder = tempfile::tempdir()?;
    let program = folder.path().join("secrets");
    let tests = repository().join("tests/c");
    // As it is shipped: the quick build wipes nothing.
    let link = c::link_with(&super::shipped()?)?;
    let flags: Vec<&str> = c::C_WARNINGS
        .iter()
        .copied()
        .chain(["-D_POSIX_C_SOURCE=200809L"])
        .chain(link.iter().map(String::as_str))
        .collect();
    c::compile(&[&tests.join("secrets.c")], &[&repository().join("include"), &tests], &program, &flags)?;
    let server = Running::start()?;
    let seat = server.create_seat("ada@example.com")?;
    let mut command = Command::new(program);
    command.args([&server.url(), server.root_key()]).arg(folder.path().join("state"));
    let mut host = Host(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?);
    let mut input = host.0.stdin.take().context("no pipe")?;
    let mut output = BufReader::new(host.0.stdout.take().context("no pipe")?);
    let token = seat.token.get(4..34).context("not a token")?.to_owned();

    input.write_all(seat.token.as_bytes())?;
    wait_for("open\n", &mut output)?;
    let secrets = [token, renewal(&folder.path().join("state"))?.context("no renewal secret")?];
    let open = host.copies(folder.path(), &secrets)?;
    for place in ["cmdline", "environ"] {
        let mut seen = Vec::new();
        fs::File::open(format!("/proc/{}/{place}", host.0.id()))?.read_to_end(&mut seen)?;
        ensure!(!secrets.iter().any(|secret| holds(&seen, secret)), "a secret is in {place}");
    }
    input.write_all(b"\n")?;
    wait_for("closed\n", &mut output)?;
    let closed = host.copies(folder.path(), &secrets)?;
    input.write_all(b"\n")?;
    ensure!(host.0.wait()?.success(), "the host failed");
    ensure!(!open.contains(&0), "the secrets of an open client were not found: the search is wrong");
    ensure!(closed == [0, 0], "left of token and renewal secret: {closed:?} copies");
    Ok(format!("copies of token and renewal secret: {open:?} while open, {closed:?} after close"))
}

fn wait_for(word: &str, output: &mut impl BufRead) -> Result<()> {
    let mut line = String::new();
    output.read_line(&mut line)?;
    ensure!(line == word, "the host said \"{line}\"");
    Ok(())
}

/// Ended when dropped.
struct Host(Child);

impl Host {
    /// How often a core dump of the process holds each of the secrets.
    fn copies(&self, folder: &Path, secrets: &[String]) -> Result<Vec<usize>> {
        let id = self.0.id().to_string();
        let core = folder.join(format!("core.{id}"));
        run::output(Command::new("gcore").arg("-o").arg(folder.join("core")).arg(&id))?;
        ensure!(fs::metadata(&core)?.len() > 100_000, "gcore wrote next to nothing");
        // The patterns come through a pipe: arguments can be seen by others.
        let mut grep = Command::new("grep");
        let (_, found) = run::status(grep.args(["-aoF", "-f", "-"]).arg(&core), Some(&secrets.join("\n")))?;
        fs::remove_file(core)?;
        Ok(secrets.iter().map(|secret| found.lines().filter(|line| *line == secret).count()).collect())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
