use crate::harness::{Server, Site, join_all, logged};
use rcgen::{CertificateParams, KeyPair};
use rustix::process::Signal;
use rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName};
use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};
use tokio::{io::AsyncReadExt as _, net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

const PATIENCE: Duration = Duration::from_secs(60);
const DAY: u64 = 86_400;

/// A certificate that signs itself, with its key.
struct Pair {
    certificate: String,
    der: Vec<u8>,
    key: String,
}

/// One that ends in so many days; a negative number is in the past.
fn pair(days: i64) -> Pair {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let away = Duration::from_secs(DAY * days.unsigned_abs());
    let now = SystemTime::now();
    params.not_before = (now - Duration::from_secs(1000 * DAY)).into();
    params.not_after = if days < 0 { now - away } else { now + away }.into();
    let certificate = params.self_signed(&key).unwrap();
    Pair { certificate: certificate.pem(), der: certificate.der().to_vec(), key: key.serialize_pem() }
}

struct Files<'a> {
    site: &'a Site,
}

impl Files<'_> {
    fn certificate(&self) -> PathBuf {
        self.site.scratch("certificate.pem")
    }

    fn key(&self) -> PathBuf {
        self.site.scratch("key.pem")
    }

    fn write(&self, pair: &Pair) {
        fs::write(self.key(), &pair.key).unwrap();
        fs::write(self.certificate(), &pair.certificate).unwrap();
    }

    fn serve(&self, more: &[&str]) -> Server<'_> {
        let (certificate, key) = (self.certificate(), self.key());
        let mut options = vec!["--tls-certificate", certificate.to_str().unwrap(), "--tls-key"];
        options.push(key.to_str().unwrap());
        options.extend(more);
        self.site.serve_with(&options)
    }
}

fn port(server: &Server<'_>) -> u16 {
    assert!(server.url.starts_with("https://"), "{}", server.url);
    server.url.rsplit_once(':').unwrap().1.parse().unwrap()
}

/// A client as a plug-in is one: it believes this certificate and no other.
fn client(pair: &Pair) -> reqwest::Client {
    crate::harness::http_client();
    let certificate = reqwest::Certificate::from_pem(pair.certificate.as_bytes()).unwrap();
    reqwest::Client::builder().tls_certs_only([certificate]).https_only(true).build().unwrap()
}

/// The certificate that a new connection is shown, if the handshake with it succeeds.
async fn shown(port: u16, trusted: &Pair) -> Option<Vec<u8>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.der.clone().into()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.ok()?;
    Some(stream.get_ref().1.peer_certificates()?.first()?.to_vec())
}

#[tokio::test]
async fn a_new_certificate_is_taken_under_load_without_dropping_a_connection() {
    let site = Site::new(&[]);
    let files = Files { site: &site };
    let (old, new) = (pair(300), pair(400));
    files.write(&old);
    let server = files.serve(&[]);
    let port = port(&server);
    let (url, stop, answered) =
        (format!("https://localhost:{port}/healthz"), AtomicBool::new(false), AtomicUsize::new(0));
    // Each keeps the connection that it has.
    let ask = async || {
        let http = client(&old);
        while !stop.load(Ordering::SeqCst) {
            assert_eq!(http.get(&url).send().await.unwrap().status(), 200);
            answered.fetch_add(1, Ordering::SeqCst);
        }
    };
    let exchange = async {
        let wait = async |more: usize| {
            let goal = answered.load(Ordering::SeqCst) + more;
            while answered.load(Ordering::SeqCst) < goal {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        wait(20).await;
        assert_eq!(shown(port, &old).await, Some(old.der.clone()));
        // Without any signal: whoever renews certificates need not know this server.
        files.write(&new);
        let mut handshake = None;
        while handshake.is_none() {
            tokio::time::sleep(Duration::from_millis(50)).await;
            handshake = shown(port, &new).await;
        }
        assert_eq!(handshake, Some(new.der.clone()));
        assert_eq!(shown(port, &old).await, None);
        wait(20).await;
        stop.store(true, Ordering::SeqCst);
    };
    let load = join_all((0..4).map(|_| ask()));
    timeout(PATIENCE, async { tokio::join!(load, exchange) }).await.expect("the new one is taken");
    logged(&site, "TLS certificate read again", 1).await;
    assert_eq!(client(&new).get(&url).send().await.unwrap().status(), 200);
    server.stop();
}

#[tokio::test]
async fn a_bad_new_pair_is_refused_and_the_old_one_goes_on() {
    let site = Site::new(&[]);
    let files = Files { site: &site };
    let (old, other) = (pair(300), pair(300));
    files.write(&old);
    let server = files.serve(&[]);
    let port = port(&server);
    let refused = async |why: &str| {
        server.signal(Signal::HUP);
        // It looks by itself too, perhaps between two files, so the refusals cannot be counted.
        logged(&site, why, 1).await;
        let log = fs::read_to_string(site.log()).unwrap();
        let line = log.lines().find(|line| line.contains(why)).unwrap();
        assert!(line.contains("the new TLS certificate is refused"), "{line}");
        assert_eq!(shown(port, &old).await, Some(old.der.clone()), "{why}");
    };
    fs::write(files.key(), &other.key).unwrap();
    refused("does not belong to the certificate").await;
    fs::write(files.certificate(), "no PEM").unwrap();
    refused("there is no certificate in PEM in it").await;
    files.write(&pair(-1));
    refused("ended on").await;
    fs::remove_file(files.key()).unwrap();
    refused("key.pem: No such file").await;
    files.write(&other);
    server.signal(Signal::HUP);
    logged(&site, "TLS certificate read again", 1).await;
    assert_eq!(shown(port, &other).await, Some(other.der.clone()));
    assert!(!fs::read_to_string(site.log()).unwrap().contains("PRIVATE"));
}

#[tokio::test]
async fn whoever_never_ends_the_handshake_is_left_and_keeps_nobody_out() {
    let site = Site::new(&[]);
    let files = Files { site: &site };
    let pair = pair(300);
    files.write(&pair);
    let server = files.serve(&["--idle-timeout", "1s"]);
    let port = port(&server);
    let began = Instant::now();
    let mut silent = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    assert_eq!(shown(port, &pair).await, Some(pair.der.clone()));
    let mut byte = [0];
    let read = timeout(PATIENCE, silent.read(&mut byte)).await.expect("the server hangs up");
    assert!(read.is_err() || read.is_ok_and(|bytes| bytes == 0));
    assert!(began.elapsed() >= Duration::from_secs(9), "it has ten seconds");
    // Whoever speaks no TLS is told nothing.
    let plain = reqwest::get(format!("http://localhost:{port}/healthz")).await;
    assert!(plain.is_err());
}

#[tokio::test]
async fn a_certificate_that_ends_is_warned_of() {
    for (days, warned) in [(13, true), (15, false), (-2, true)] {
        let site = Site::new(&[]);
        let files = Files { site: &site };
        files.write(&pair(days));
        let server = files.serve(&[]);
        if warned {
            logged(&site, "the TLS certificate ends; renew it", 1).await;
        }
        server.stop();
        let log = fs::read_to_string(site.log()).unwrap();
        assert_eq!(log.contains("the TLS certificate ends"), warned, "{days} days");
    }
}

#[test]
fn a_pair_that_can_not_be_used_is_named_before_anything_is_served() {
    let site = Site::new(&[]);
    let files = Files { site: &site };
    let (one, other) = (pair(300), pair(300));
    files.write(&one);
    fs::write(files.key(), &other.key).unwrap();
    let (certificate, key) = (files.certificate(), files.key());
    let (certificate, key) = (certificate.to_str().unwrap(), key.to_str().unwrap());
    let write = |name: &str, text: &[u8]| {
        let path = site.scratch(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let chain = &write("chain.pem", format!("{}{}", one.certificate, other.certificate).as_bytes());
    let wide: Vec<u8> =
        format!("\u{feff}{}", one.certificate).encode_utf16().flat_map(u16::to_le_bytes).collect();
    let wide = &write("wide.pem", &wide);
    let locked = &write("locked.pem", other.key.replace("PRIVATE", "ENCRYPTED PRIVATE").as_bytes());
    let old =
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    let old = &write("old.pem", old.as_bytes());
    let odd = &write("odd.pem", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    let serve = ["serve", "--listen", "127.0.0.1:0"];
    for (options, says) in [
        (vec!["--tls-certificate", certificate, "--tls-key", key], "does not belong to the certificate"),
        (vec!["--tls-certificate", certificate], "Name it with --tls-key"),
        (vec!["--tls-key", key], "Name it with --tls-certificate"),
        (vec!["--tls-certificate", key, "--tls-key", key], "no certificate in PEM"),
        (vec!["--tls-certificate", certificate, "--tls-key", certificate], "no private key in PEM"),
        (vec!["--tls-certificate", chain, "--tls-key", key], "stands behind another one. Put it first"),
        (vec!["--tls-certificate", wide, "--tls-key", key], "wide.pem: it is UTF-16; save it as UTF-8"),
        (
            vec!["--tls-certificate", certificate, "--tls-key", locked],
            "has a password, which a server cannot type",
        ),
        (
            vec!["--tls-certificate", certificate, "--tls-key", old],
            "has a password, which a server cannot type",
        ),
        (vec!["--tls-certificate", certificate, "--tls-key", odd], "damaged, or of a kind that is not used"),
    ] {
        let done = site.cli(&[&serve[..], &options].concat());
        assert!(!done.ok && done.stderr.contains(says) && done.stdout.is_empty(), "{options:?}: {done:?}");
    }
    // A mark before either of them is no harm.
    fs::write(certificate, format!("\u{feff}{}", other.certificate)).unwrap();
    fs::write(key, format!("\u{feff}{}", other.key)).unwrap();
    let check =
        ["config", "check", "--listen", "127.0.0.1:0", "--tls-certificate", certificate, "--tls-key", key];
    assert_eq!(site.cli(&check).problems(), [""; 0]);
}
