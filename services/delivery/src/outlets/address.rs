//! Where we may call: public hosts over TLS on the allowed ports, and the internal places that the
//! operator named; never the places that the operator forbade. The address is checked where it is
//! resolved, so that the one connected to is the one that was checked.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use futures::future::BoxFuture;
use network::{Place, is_in};
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::config::DeliverySettings;

/// Asks for the addresses of a name.
pub(crate) type LookUp = dyn Fn(String) -> BoxFuture<'static, std::io::Result<Vec<SocketAddr>>> + Send + Sync;

/// A name leads to no address that may be called.
#[derive(Debug, thiserror::Error)]
#[error("{0} has no address that may be called")]
pub struct AddressRefused(String);

/// What the operator allows.
#[derive(Clone)]
pub struct Addresses {
    ports: Arc<[u16]>,
    internal: Arc<[Place]>,
    denied: Arc<[Place]>,
    look_up: Arc<LookUp>,
}

impl Addresses {
    /// Where providers' APIs, webhooks and bots may be called.
    pub fn of_providers(settings: &DeliverySettings) -> Self {
        Self::new(&settings.ports, &settings.internal_hosts, &settings.denied_hosts)
    }

    /// Where media may be fetched from, whose addresses strangers wrote.
    pub fn of_media(settings: &DeliverySettings) -> Self {
        Self::new(&settings.ports, &settings.media_internal_hosts, &settings.denied_hosts)
    }

    fn new(ports: &[u16], internal: &[Place], denied: &[Place]) -> Self {
        let look_up = |name: String| -> BoxFuture<'static, std::io::Result<Vec<SocketAddr>>> {
            Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.collect()) })
        };
        Self { ports: ports.into(), internal: internal.into(), denied: denied.into(), look_up: Arc::new(look_up) }
    }

    /// The same with another who is asked for addresses.
    #[cfg(test)]
    pub(crate) fn asking(self, look_up: Arc<LookUp>) -> Self {
        Self { look_up, ..self }
    }

    /// The address, if it may be called as far as can be told before it is resolved.
    ///
    /// # Errors
    /// What is wrong with it, from a closed set.
    pub fn check(&self, url: &str) -> Result<Url, &'static str> {
        let url = Url::parse(url).map_err(|_| "bad_url")?;
        let host = url.host_str().ok_or("bad_url")?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("credentials_in_url");
        }
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        let is_denied = literal.as_ref().is_ok_and(|address| is_in(&self.denied, *address));
        if is_denied || self.denied.iter().any(|place| place.is_host(host)) {
            return Err("host_denied");
        }
        if self.is_internal(host) {
            return if matches!(url.scheme(), "http" | "https") { Ok(url) } else { Err("bad_url") };
        }
        if url.scheme() != "https" {
            return Err("not_https");
        }
        if !url.port_or_known_default().is_some_and(|port| self.ports.contains(&port)) {
            return Err("port_refused");
        }
        if literal.is_ok_and(|address| !is_public(address)) {
            return Err("address_refused");
        }
        Ok(url)
    }

    fn is_internal(&self, host: &str) -> bool {
        self.internal.iter().any(|place| place.is_host(host))
    }
}

impl Resolve for Addresses {
    fn resolve(&self, name: Name) -> Resolving {
        let is_named = self.is_internal(name.as_str());
        let (internal, denied) = (Arc::clone(&self.internal), Arc::clone(&self.denied));
        let found = (self.look_up)(name.as_str().to_owned());
        Box::pin(async move {
            let is_allowed = |found: &SocketAddr| {
                let address = found.ip();
                (is_named || is_public(address) || is_in(&internal, address)) && !is_in(&denied, address)
            };
            let allowed: Vec<SocketAddr> = found.await?.into_iter().filter(is_allowed).collect();
            if allowed.is_empty() {
                return Err(AddressRefused(name.as_str().to_owned()).into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is reachable by everybody (IANA special-purpose registries), whatever it is
/// wrapped in.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (18..20).contains(&b));
    !is_special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => embedded(high, low),
        [0x2002, high, low, ..] => embedded(high, low),
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        [first, ..] => (0x2000..0x4000).contains(&first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(texts: &[&str]) -> Vec<Place> {
        texts.iter().map(|text| Place::try_from((*text).to_owned()).unwrap()).collect()
    }

    /// Addresses that a name is said to have.
    fn called(addresses: Addresses, found: &'static str) -> Addresses {
        addresses
            .asking(Arc::new(move |_| Box::pin(async move { Ok(vec![SocketAddr::new(found.parse().unwrap(), 0)]) })))
    }

    #[test]
    fn only_public_hosts_over_tls_and_named_internal_ones_may_be_called() {
        let internal = places(&["127.0.0.1", "demo.internal", "10.9.0.0/16"]);
        let addresses = Addresses::new(&[443], &internal, &places(&["evil.example", "10.9.9.0/24", "8.8.0.0/16"]));
        for (url, expected) in [
            ("https://graph.facebook.com/v25.0/1/messages", Ok(())),
            ("http://127.0.0.1:4000/hook", Ok(())),
            ("http://demo.internal:4000/hook", Ok(())),
            ("http://10.9.1.1:4000/hook", Ok(())),
            ("http://10.9.9.1:4000/hook", Err("host_denied")),
            ("https://8.8.8.8/", Err("host_denied")),
            ("https://[::ffff:8.8.8.8]/", Err("host_denied")),
            ("https://Evil.example/", Err("host_denied")),
            ("https://not.evil.example/", Ok(())),
            ("http://graph.facebook.com/", Err("not_https")),
            ("https://graph.facebook.com:8443/", Err("port_refused")),
            ("https://user:word@shop.example/", Err("credentials_in_url")),
            ("https://127.0.0.2/", Err("address_refused")),
            ("https://10.1.2.3/", Err("address_refused")),
            ("https://0x7f000002/", Err("address_refused")),
            ("https://[::1]/", Err("address_refused")),
            ("https://[::ffff:10.0.0.1]/", Err("address_refused")),
            ("https://169.254.169.254/latest", Err("address_refused")),
            ("file:///etc/passwd", Err("bad_url")),
            ("nonsense", Err("bad_url")),
        ] {
            assert_eq!(addresses.check(url).map(drop), expected, "{url}");
        }
    }

    #[test]
    fn special_addresses_are_not_public() {
        for (address, expected) in [
            ("93.184.215.14", true),
            ("100.64.0.1", false),
            ("192.168.0.1", false),
            ("198.18.0.1", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("2606:4700::1", true),
            ("fd00::1", false),
            ("fe80::1", false),
            ("64:ff9b::a00:1", false),
            ("64:ff9b::5db8:d70e", true),
            ("2002:a00:1::", false),
            ("2001:db8::1", false),
            ("::", false),
        ] {
            assert_eq!(is_public(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_to_a_private_address_is_not_resolved() {
        let resolve = |addresses: Addresses| addresses.resolve("localhost".parse().unwrap());
        assert!(resolve(Addresses::new(&[443], &[], &[])).await.is_err());
        assert!(resolve(Addresses::new(&[443], &places(&["localhost"]), &[])).await.is_ok());
    }

    #[tokio::test]
    async fn a_range_admits_the_addresses_behind_names_and_a_forbidden_one_refuses_them() {
        for (found, internal, denied, expected) in [
            ("10.2.3.4", vec!["10.2.0.0/16"], vec![], true),
            ("10.3.0.1", vec!["10.2.0.0/16"], vec![], false),
            ("10.2.3.4", vec!["bots.internal"], vec![], true),
            ("10.2.3.4", vec!["bots.internal"], vec!["10.2.0.0/16"], false),
            ("93.184.215.14", vec![], vec![], true),
            ("93.184.215.14", vec![], vec!["93.184.0.0/16"], false),
            ("::ffff:10.2.3.4", vec!["10.2.0.0/16"], vec!["10.2.3.0/24"], false),
        ] {
            let addresses = called(Addresses::new(&[443], &places(&internal), &places(&denied)), found);
            let resolved = addresses.resolve("bots.internal".parse().unwrap()).await;
            assert_eq!(resolved.is_ok(), expected, "{found} {internal:?} {denied:?}");
            assert!(addresses.check("https://bots.internal/").is_ok(), "it is told when it is resolved");
        }
    }
}
