use ipnet::IpNet;
use seatlock_protocol::setting;
use std::net::{IpAddr, SocketAddr};

/// The network address that a request comes from: the peer's, or what the proxies in front of the
/// server say, as long as each of them is one that is trusted. Whatever the client itself wrote
/// into `X-Forwarded-For` stands behind that. `unread` hears of an address that a trusted proxy
/// wrote and that cannot be read.
pub(super) fn client<'a>(
    peer: IpAddr,
    forwarded: impl DoubleEndedIterator<Item = &'a str>,
    trusted: &[IpNet],
    unread: impl FnOnce(IpAddr),
) -> IpAddr {
    let mut address = peer.to_canonical();
    for hop in forwarded.rev().flat_map(|value| value.rsplit(',')) {
        if !trusted.iter().any(|network| network.contains(&address)) {
            break;
        }
        match hop_address(hop) {
            Some(next) => address = next.to_canonical(),
            None => {
                unread(address);
                break;
            }
        }
    }
    address
}

/// An address as proxies write it: alone, with a port, in brackets or in quotation marks.
fn hop_address(hop: &str) -> Option<IpAddr> {
    let hop = setting(hop)?;
    let with_port = || hop.parse().map(|address: SocketAddr| address.ip()).ok();
    let in_brackets = || hop.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    hop.parse().ok().or_else(with_port).or_else(in_brackets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_chooses_his_own_address() {
        let trusted: Vec<IpNet> = vec!["127.0.0.0/8".parse().unwrap(), "10.0.0.0/8".parse().unwrap()];
        for (peer, forwarded, trusts, found, unread) in [
            ("203.0.113.9", &["198.51.100.1"][..], true, "203.0.113.9", false),
            ("127.0.0.1", &["198.51.100.1"], true, "198.51.100.1", false),
            ("127.0.0.1", &["198.51.100.1"], false, "127.0.0.1", false),
            ("127.0.0.1", &["6.6.6.6, 198.51.100.1"], true, "198.51.100.1", false),
            ("127.0.0.1", &["6.6.6.6", "198.51.100.1, 10.1.2.3"], true, "198.51.100.1", false),
            ("127.0.0.1", &["nonsense, 198.51.100.1"], true, "198.51.100.1", false),
            ("127.0.0.1", &["6.6.6.6, nonsense"], true, "127.0.0.1", true),
            ("127.0.0.1", &[""], true, "127.0.0.1", true),
            ("127.0.0.1", &[], true, "127.0.0.1", false),
            ("::ffff:127.0.0.1", &["2001:db8::1"], true, "2001:db8::1", false),
            ("127.0.0.1", &["198.51.100.7:41000"], true, "198.51.100.7", false),
            ("127.0.0.1", &["6.6.6.6:1, 198.51.100.7:41000, 10.1.2.3:5"], true, "198.51.100.7", false),
            ("127.0.0.1", &["[2001:db8::7]:443"], true, "2001:db8::7", false),
            ("127.0.0.1", &["[2001:db8::7]"], true, "2001:db8::7", false),
            ("127.0.0.1", &["\"[2001:db8::7]:443\""], true, "2001:db8::7", false),
            ("127.0.0.1", &["\"198.51.100.7\""], true, "198.51.100.7", false),
            ("127.0.0.1", &["[::ffff:198.51.100.7]:1"], true, "198.51.100.7", false),
            ("127.0.0.1", &["unknown"], true, "127.0.0.1", true),
            ("127.0.0.1", &["198.51.100.7:"], true, "127.0.0.1", true),
            ("127.0.0.1", &["198.51.100.7:99999"], true, "127.0.0.1", true),
            ("127.0.0.1", &["[198.51.100.7"], true, "127.0.0.1", true),
        ] {
            let trusted = if trusts { &trusted[..] } else { &[] };
            let mut told = false;
            let address = client(peer.parse().unwrap(), forwarded.iter().copied(), trusted, |_| told = true);
            assert_eq!(address, found.parse::<IpAddr>().unwrap(), "{peer} {forwarded:?}");
            assert_eq!(told, unread, "{peer} {forwarded:?}");
        }
    }
}
