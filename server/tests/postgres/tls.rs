//! A PostgreSQL database over a network that nobody trusts.

use crate::harness::{Plugin, Site};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use xtask::{
    port::Port,
    postgres::{Postgres, Setting},
};

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_right_certificate_and_no_other() {
    let (ours, others, key) = (authority("Ours"), authority("Others"), KeyPair::generate().unwrap());
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &ours).unwrap().pem();
    let held = Port::hold().unwrap();
    let port = held.number();
    let tls = Some((port, certificate, key.serialize_pem()));
    let postgres = Postgres::start_with(Setting { tls, ..Setting::default() }).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, pem: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, pem).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (ours, others) = (file("ours.pem", ours.pem()), file("others.pem", others.pem()));
    postgres.sql("postgres", "CREATE DATABASE secure").unwrap();
    let url = |host: &str, rest: &str| format!("postgres://postgres@{host}:{port}/secure?{rest}");

    let good = url("localhost", &format!("sslmode=verify-full&sslrootcert={ours}"));
    let site = Site::at(Some(good), &[]);
    let (_, token) = site.seat("ada@example.com");
    let server = site.serve();
    assert_eq!(server.call("activate", &Plugin::new(&token, "a")).await.status, 201);
    let seen = "SELECT count(*) FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) WHERE a.application_name = \
                'seatlock-server' AND NOT s.ssl";
    assert_eq!(postgres.sql("secure", seen).unwrap().trim(), "0", "every connection has TLS");

    let plain = Postgres::shared().unwrap().database().unwrap();
    for (what, url, words) in [
        (
            "another authority",
            url("localhost", &format!("sslmode=verify-full&sslrootcert={others}")),
            "signed by nobody",
        ),
        (
            "another name",
            url("127.0.0.1", &format!("sslmode=verify-full&sslrootcert={ours}")),
            "another name",
        ),
        ("no authority", url("localhost", "sslmode=verify-full"), "signed by nobody"),
        ("no TLS", format!("{plain}&sslmode=require"), "no secure connection"),
        ("no file", url("localhost", "sslmode=verify-full&sslrootcert=/nowhere/ca.pem"), "/nowhere/ca.pem"),
    ] {
        let place = file("url", url);
        let done = site.cli(&["--database-file", &place, "seat", "list"]);
        assert!(!done.ok && done.stderr.contains(words), "{what}: {}", done.stderr);
    }
    let anybody = file("url", url("127.0.0.1", "sslmode=require"));
    assert!(site.cli(&["--database-file", &anybody, "seat", "list"]).ok, "\"require\" asks nobody who it is");
}
