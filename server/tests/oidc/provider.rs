//! The provider of the other tests here.

use std::net::TcpStream;
use xtask::oidc_provider::Provider;

#[test]
fn it_starts_and_ends() {
    let provider = Provider::default().start().unwrap();
    let address = provider.url().strip_prefix("http://").unwrap().to_owned();
    TcpStream::connect(&address).unwrap();
    drop(provider);
    assert!(TcpStream::connect(&address).is_err());
}
