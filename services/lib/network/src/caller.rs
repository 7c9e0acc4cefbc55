//! Whose request it is, as far as addresses tell.

use std::net::IpAddr;

use axum::http::HeaderMap;

use crate::place::{Place, is_in};

/// The client's address, put into every request by [`serve`](crate::serve).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller(pub IpAddr);

impl Caller {
    /// The peer, unless it is one of these proxies: then the last address of `X-Forwarded-For` that is none of
    /// them. What stands before that was written by the client. A word that is no address is where it ends.
    pub(crate) fn of(peer: IpAddr, headers: &HeaderMap, proxies: &[Place]) -> Self {
        let mut nearest = peer.to_canonical();
        let lines = headers.get_all("x-forwarded-for").iter().rev();
        let words = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
        for word in words {
            if !is_in(proxies, nearest) {
                break;
            }
            let Ok(address) = word.trim().parse::<IpAddr>() else { break };
            nearest = address.to_canonical();
        }
        Self(nearest)
    }

    /// Who counts as one client: an IPv4 address, or the /64 that one IPv6 subscriber has (RFC 6177).
    pub(crate) fn bucket(self) -> String {
        match self.0 {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_cannot_choose_its_address() {
        let proxies = ["10.0.0.0/8".to_owned(), "192.168.1.1".to_owned()].map(|text| Place::try_from(text).unwrap());
        for (peer, forwarded, expected) in [
            ("93.184.215.14", vec![], "93.184.215.14"),
            ("93.184.215.14", vec!["1.2.3.4"], "93.184.215.14"),
            ("10.0.0.1", vec![], "10.0.0.1"),
            ("10.0.0.1", vec!["1.2.3.4"], "1.2.3.4"),
            ("10.0.0.1", vec!["6.6.6.6, 1.2.3.4"], "1.2.3.4"),
            ("10.0.0.1", vec!["6.6.6.6, 1.2.3.4, 192.168.1.1"], "1.2.3.4"),
            ("10.0.0.1", vec!["6.6.6.6", "1.2.3.4"], "1.2.3.4"),
            ("10.0.0.1", vec!["6.6.6.6, unknown"], "10.0.0.1"),
            ("10.0.0.1", vec!["6.6.6.6, 10.0.0.7"], "6.6.6.6"),
            ("::ffff:10.0.0.1", vec!["1.2.3.4"], "1.2.3.4"),
        ] {
            let mut headers = HeaderMap::new();
            for line in &forwarded {
                headers.append("x-forwarded-for", line.parse().unwrap());
            }
            headers.insert("x-real-ip", "7.7.7.7".parse().unwrap());
            headers.insert("forwarded", "for=7.7.7.7".parse().unwrap());
            let caller = Caller::of(peer.parse().unwrap(), &headers, &proxies);
            assert_eq!(caller.0.to_string(), expected, "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn one_subscriber_is_one_client() {
        let bucket = |text: &str| Caller(text.parse().unwrap()).bucket();
        assert_eq!(bucket("2001:db8:1:2:3::4"), bucket("2001:db8:1:2:ffff::1"));
        assert_ne!(bucket("2001:db8:1:2::1"), bucket("2001:db8:1:3::1"));
        assert_ne!(bucket("93.184.215.14"), bucket("93.184.215.15"));
    }
}
