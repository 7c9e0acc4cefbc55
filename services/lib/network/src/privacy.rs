//! Whether somebody on the way could have read along.

use std::net::IpAddr;

use axum::http::{HeaderMap, header};

use crate::place::{Place, is_in};

/// Whether a socket is asked for (RFC 6455, 4.1).
pub(crate) fn wants_socket(headers: &HeaderMap) -> bool {
    let upgrade = headers.get(header::UPGRADE).and_then(|value| value.to_str().ok());
    upgrade.is_some_and(|value| value.split(',').any(|one| one.trim().eq_ignore_ascii_case("websocket")))
}

/// Whether it came by TLS as far as a trusted proxy tells, or never left this machine. A proxy's word is
/// `X-Forwarded-Proto`; each of several must say so.
pub(crate) fn is_private(peer: IpAddr, headers: &HeaderMap, proxies: &[Place]) -> bool {
    if !is_in(proxies, peer) {
        return peer.is_loopback();
    }
    let lines = headers.get_all("x-forwarded-proto").iter();
    let mut words = lines.flat_map(|line| line.to_str().unwrap_or_default().split(',')).peekable();
    words.peek().is_some() && words.all(|word| matches!(word.trim(), "https" | "wss"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_and_a_proxy_that_says_so_are_private() {
        let proxies = [Place::try_from("10.0.0.0/8".to_owned()).unwrap()];
        for (peer, words, expected) in [
            ("127.0.0.1", vec![], true),
            ("::1", vec![], true),
            ("192.168.1.5", vec![], false),
            ("192.168.1.5", vec!["https"], false),
            ("10.0.0.1", vec![], false),
            ("10.0.0.1", vec!["http"], false),
            ("10.0.0.1", vec!["https"], true),
            ("10.0.0.1", vec!["wss, https"], true),
            ("10.0.0.1", vec!["https", "http"], false),
        ] {
            let mut headers = HeaderMap::new();
            for word in &words {
                headers.append("x-forwarded-proto", word.parse().unwrap());
            }
            assert_eq!(is_private(peer.parse().unwrap(), &headers, &proxies), expected, "{peer} {words:?}");
        }
    }

    #[test]
    fn a_wish_for_a_socket_is_seen_in_any_spelling() {
        for (upgrade, expected) in [("websocket", true), ("WebSocket", true), ("h2c, websocket", true), ("h2c", false)]
        {
            let headers = HeaderMap::from_iter([(header::UPGRADE, upgrade.parse().unwrap())]);
            assert_eq!(wants_socket(&headers), expected, "{upgrade}");
        }
    }
}
