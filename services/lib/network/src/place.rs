//! Places of a network as an operator writes them.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::Deserialize;

/// A host by its name, an address, or a range of addresses in CIDR notation (RFC 4632, RFC 4291).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Place {
    /// A host, in lower case.
    Host(String),
    /// Addresses; a single one is a range of one.
    Range(IpNet),
}

/// A place that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadPlace(String);

impl std::fmt::Display for BadPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "expected a host, an address or a range such as 10.2.0.0/16, found {:?}", self.0)
    }
}

impl std::error::Error for BadPlace {}

impl TryFrom<String> for Place {
    type Error = BadPlace;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let bare = text.trim().trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Ok(Self::Range(IpNet::from(address)));
        }
        if bare.contains('/') {
            return bare.parse::<IpNet>().map(|range| Self::Range(range.trunc())).map_err(|_| BadPlace(text.clone()));
        }
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if bare.is_empty() || !bare.chars().all(is_name) {
            return Err(BadPlace(text));
        }
        Ok(Self::Host(bare.to_ascii_lowercase()))
    }
}

impl Place {
    /// Whether this is that host as it is written; an address, in brackets or without, is looked for in the range.
    pub fn is_host(&self, host: &str) -> bool {
        match self {
            Self::Host(own) => own.eq_ignore_ascii_case(host),
            Self::Range(range) => {
                let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
                literal.is_ok_and(|address| range.contains(&address))
            }
        }
    }

    /// Whether this is a range with that address in it, also when IPv6 wraps an IPv4 address (RFC 4291, 2.5.5.2).
    pub fn has(&self, address: IpAddr) -> bool {
        match self {
            Self::Host(_) => false,
            Self::Range(range) => range.contains(&address) || range.contains(&address.to_canonical()),
        }
    }
}

/// Whether an address lies in one of these places.
pub fn is_in(places: &[Place], address: IpAddr) -> bool {
    places.iter().any(|place| place.has(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Place {
        Place::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn a_place_is_a_host_an_address_or_a_range() {
        for (text, host, expected) in [
            ("Demo.internal", "demo.INTERNAL", true),
            ("demo.internal", "a.demo.internal", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("10.2.0.0/16", "10.2.3.4", true),
            ("10.2.0.1/16", "10.2.3.4", true),
            ("10.2.0.0/16", "10.3.0.1", false),
            ("10.2.0.0/16", "[::ffff:10.2.3.4]", false),
            ("[fd00::1]", "[fd00::1]", true),
            ("fd00::/8", "fd12::9", true),
            ("fd00::/8", "demo.internal", false),
        ] {
            assert_eq!(place(text).is_host(host), expected, "{text} {host}");
        }
        for text in ["", "10.2.0.0/33", "a b", "http://host", "*", "host:80"] {
            assert!(Place::try_from(text.to_owned()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_name_has_no_address_of_its_own() {
        assert!(!is_in(&[place("localhost")], IpAddr::from([127, 0, 0, 1])));
        assert!(is_in(&[place("localhost"), place("127.0.0.0/8")], IpAddr::from([127, 0, 0, 1])));
    }
}
