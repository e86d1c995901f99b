use ipnet::IpNet;
use std::net::IpAddr;

/// The network address that a request comes from: the peer's, or what the proxies in front of the server say, as long as
/// each of them is one that is trusted. Whatever the client itself wrote into `X-Forwarded-For` stands behind that.
pub(super) fn client<'a>(
    peer: IpAddr,
    forwarded: impl DoubleEndedIterator<Item = &'a str>,
    trusted: &[IpNet],
) -> IpAddr {
    let mut address = peer.to_canonical();
    for hop in forwarded.rev().flat_map(|value| value.rsplit(',')) {
        if !trusted.iter().any(|network| network.contains(&address)) {
            break;
        }
        match hop.trim().parse::<IpAddr>() {
            Ok(next) => address = next.to_canonical(),
            Err(_) => break,
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_chooses_his_own_address() {
        let trusted: Vec<IpNet> = vec!["127.0.0.0/8".parse().unwrap(), "10.0.0.0/8".parse().unwrap()];
        for (peer, forwarded, trusts, found) in [
            ("203.0.113.9", &["198.51.100.1"][..], true, "203.0.113.9"),
            ("127.0.0.1", &["198.51.100.1"], true, "198.51.100.1"),
            ("127.0.0.1", &["198.51.100.1"], false, "127.0.0.1"),
            ("127.0.0.1", &["6.6.6.6, 198.51.100.1"], true, "198.51.100.1"),
            ("127.0.0.1", &["6.6.6.6", "198.51.100.1, 10.1.2.3"], true, "198.51.100.1"),
            ("127.0.0.1", &["6.6.6.6, nonsense"], true, "127.0.0.1"),
            ("127.0.0.1", &[], true, "127.0.0.1"),
            ("::ffff:127.0.0.1", &["2001:db8::1"], true, "2001:db8::1"),
        ] {
            let trusted = if trusts { &trusted[..] } else { &[] };
            let address = client(peer.parse().unwrap(), forwarded.iter().copied(), trusted);
            assert_eq!(address, found.parse::<IpAddr>().unwrap(), "{peer} {forwarded:?}");
        }
    }
}
