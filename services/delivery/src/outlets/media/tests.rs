//! What a hostile sender, server, or name server can try. The servers stand on the loopback, which
//! must be allowed by name for anything to reach them.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use access::TokenSecrets;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Uri, header};
use axum::response::{IntoResponse, Response as Answer};
use network::Place;
use objects::MediaSettings;
use reqwest::dns::Resolve;
use schemas::ids::{CustomerKey, MessageId};
use schemas::records::{Attachment, Channel};

use super::*;
use crate::core::event::{AccountKey, Route};
use crate::core::media::Stored;
use crate::outlets::address::LookUp;

const LOOPBACK: &str = "127.0.0.1";
const PICTURE: &[u8] = b"\x89PNG not much of a picture";

/// A server that does as its path says; what it was asked, and by what right.
#[derive(Clone, Default)]
struct Server {
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// A path, and what came in `Authorization`.
type Asked = (String, Option<String>);

impl Server {
    async fn start() -> (Self, SocketAddr) {
        let server = Self::default();
        let listener = tokio::net::TcpListener::bind((LOOPBACK, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(serve).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (server, address)
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

async fn serve(State(server): State<Server>, uri: Uri, headers: HeaderMap) -> Answer {
    let right = headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
    server.asked.lock().unwrap().push((uri.path().to_owned(), right));
    let query = uri.query().unwrap_or_default();
    let typed = |mime: &str, body: Body| ([(header::CONTENT_TYPE, mime.to_owned())], body).into_response();
    let endless = |pause: Duration| {
        let chunks = futures::stream::unfold((), move |()| async move {
            tokio::time::sleep(pause).await;
            Some((Ok::<_, std::io::Error>(Bytes::from_static(&[7; 4_096])), ()))
        });
        typed("image/png", Body::from_stream(chunks))
    };
    match uri.path() {
        "/picture" => typed("image/png", PICTURE.into()),
        "/typed" => typed(query, PICTURE.into()),
        "/untyped" => Body::from(PICTURE).into_response(),
        "/page" => typed("image/png", "\n<!DOCTYPE html><html>sign in</html>".into()),
        "/empty" => typed("image/png", Body::empty()),
        "/big" => typed("image/png", vec![7; 100_001].into()),
        "/endless" => endless(Duration::ZERO),
        "/slow" => endless(Duration::from_millis(50)),
        "/silent" => std::future::pending().await,
        "/status" => {
            let status = axum::http::StatusCode::from_u16(query.parse().unwrap()).unwrap();
            (status, [(header::RETRY_AFTER, "9")], "no").into_response()
        }
        "/to" => (axum::http::StatusCode::FOUND, [(header::LOCATION, query.to_owned())]).into_response(),
        path if path.starts_with("/hops/") => {
            let left: usize = path["/hops/".len()..].parse().unwrap();
            let next = if left == 0 { "/picture".to_owned() } else { format!("/hops/{}", left - 1) };
            (axum::http::StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, next)]).into_response()
        }
        // What the Cloud API answers to a look-up of a file at the address in the query's `at`.
        _ => {
            let at = query.split('&').find_map(|pair| pair.strip_prefix("at=")).unwrap_or_default();
            format!(r#"{{"url":"{at}","mime_type":"image/png","id":"1"}}"#).into_response()
        }
    }
}

struct House {
    fetcher: Fetcher,
    folder: tempfile::TempDir,
}

fn settings() -> DeliverySettings {
    DeliverySettings {
        admin_listen: "127.0.0.1:0".parse().unwrap(),
        account_calls_max: 32,
        account_rate_share: 1.0,
        connect_timeout_ms: 2_000,
        ports: vec![443],
        internal_hosts: vec![Place::try_from(LOOPBACK.to_owned()).unwrap()],
        media_internal_hosts: vec![Place::try_from(LOOPBACK.to_owned()).unwrap()],
        denied_hosts: Vec::new(),
        media_fetches_max: 2,
        media_timeout_ms: 30_000,
    }
}

/// No media from inside.
fn strangers() -> DeliverySettings {
    DeliverySettings { media_internal_hosts: Vec::new(), ..settings() }
}

fn house(settings: &DeliverySettings, look_up: Option<Arc<LookUp>>) -> House {
    let folder = tempfile::tempdir().unwrap();
    let media = MediaSettings {
        store: Some(folder.path().to_str().unwrap().to_owned()),
        s3_region: String::new(),
        s3_endpoint: None,
        s3_access_key_id: None,
        s3_secret: None,
        public_url: String::new(),
        url_ttl_s: 1,
        bytes_max: 100_000,
        types: vec!["image/png".into(), "audio/*".into()],
    };
    let tokens = TokenSecrets::parse("a token secret of tests").unwrap();
    let media = Media::open(&media, &tokens).unwrap().unwrap();
    let metrics = Metrics::start(&prometheus::Registry::new()).unwrap();
    let (api, mut foreign) = (Addresses::of_providers(settings), Addresses::of_media(settings));
    if let Some(look_up) = look_up {
        foreign = foreign.asking(look_up);
    }
    let fetcher = Fetcher::through(settings, [api, foreign], (media, Arc::default(), metrics)).unwrap();
    House { fetcher, folder }
}

fn open_house() -> House {
    house(&settings(), None)
}

impl House {
    async fn copy(&self, copy: &Copy) -> CopyOutcome {
        self.fetcher.copy(copy, || true).await
    }

    /// Every file that lies in the store.
    fn files(&self) -> usize {
        fn count(folder: &std::path::Path) -> usize {
            let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            entries.map(|path| if path.is_dir() { count(&path) } else { 1 }).sum()
        }
        count(self.folder.path())
    }
}

/// A picture at an address, of an account that allows its host whatever it is.
fn copy_of(url: &str) -> Copy {
    let host = reqwest::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
    let attachment = Attachment { attachment_type: "image".into(), url: Some(url.to_owned()), ..Attachment::default() };
    Copy {
        key: (MessageId::derive(&["m"]), 0),
        attempt_no: 1,
        channel: Channel::Open,
        account: AccountKey { tenant: "acme".into(), account: "main".into() },
        customer_key: CustomerKey::default(),
        attachment,
        route: Route { media_hosts: host.into_iter().collect(), ..Route::default() },
    }
}

fn refused(reason: &'static str) -> CopyOutcome {
    CopyOutcome::Refused { reason }
}

fn failed(reason: &'static str) -> CopyOutcome {
    CopyOutcome::Failed { reason, retry_after_ms: None }
}

fn is_stored(outcome: &CopyOutcome) -> bool {
    matches!(outcome, CopyOutcome::Stored(_))
}

#[tokio::test]
async fn a_picture_is_kept_with_its_size_type_and_hash() {
    let (_, address) = Server::start().await;
    let house = open_house();
    let outcome = house.copy(&copy_of(&format!("http://{address}/picture"))).await;
    let reference = format!("acme/{}/{}-0/image/png", CustomerKey::default(), MessageId::derive(&["m"]));
    let CopyOutcome::Stored(Stored { reference: kept, size_bytes, mime, sha256 }) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!((kept, size_bytes, mime.as_str(), sha256.len()), (reference.clone(), 26, "image/png", 64));
    assert_eq!(std::fs::read(house.folder.path().join(reference)).unwrap(), PICTURE);
}

#[tokio::test]
async fn no_spelling_of_a_private_address_is_reached() {
    let (server, address) = Server::start().await;
    let port = address.port();
    let house = house(&strangers(), None);
    let literal = [
        "127.0.0.1",
        "127.0.0.2",
        "127.1",
        "2130706433",
        "0177.0.0.1",
        "017700000001",
        "0x7f.0.0.1",
        "0x7f000001",
        "0",
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "0xa9fea9fe",
        "172.16.0.1",
        "192.0.0.192",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "[::]",
        "[::1]",
        "[::127.0.0.1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::ffff:a9fe:a9fe]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b::a9fe:a9fe]",
        "[64:ff9b:1::7f00:1]",
        "[2002:7f00:1::]",
        "[2002:a00:1::1]",
        "[2001:0:7f00:1::]",
        "[fc00::1]",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "[fec0::1]",
        "[ff02::1]",
        "[100::1]",
        "[2001:db8::1]",
    ];
    for host in literal {
        let outcome = house.copy(&copy_of(&format!("https://{host}/picture"))).await;
        assert_eq!(outcome, refused("address_refused"), "{host}");
        let outcome = house.copy(&copy_of(&format!("http://{host}:{port}/picture"))).await;
        assert_eq!(outcome, refused("not_https"), "{host}");
    }
    for (url, reason) in [
        (format!("https://{LOOPBACK}:{port}/picture"), "port_refused"),
        (format!("https://user:word@{LOOPBACK}/picture"), "credentials_in_url"),
        ("ftp://files.example/picture".into(), "not_https"),
        ("gopher://files.example/picture".into(), "not_https"),
        ("file:///etc/passwd".into(), "bad_url"),
        ("data:image/png;base64,AA==".into(), "bad_url"),
        ("//files.example/picture".into(), "bad_url"),
        ("https:///".into(), "bad_url"),
    ] {
        assert_eq!(house.copy(&copy_of(&url)).await, refused(reason), "{url}");
    }
    assert!(server.asked().is_empty() && house.files() == 0);
}

#[tokio::test]
async fn a_name_is_judged_by_the_address_that_would_be_connected_to() {
    let answers = [
        ("localhost", LOOPBACK),
        ("localhost.", LOOPBACK),
        ("metadata.example", "169.254.169.254"),
        ("intranet.example", "10.0.0.7"),
        ("mapped.example", "::ffff:127.0.0.1"),
        ("nat64.example", "64:ff9b::7f00:1"),
        ("six.example", "2002:7f00:1::"),
    ];
    let look_up: Arc<LookUp> = Arc::new(move |name| {
        let found = answers.iter().find(|(known, _)| *known == name).map(|(_, address)| address.parse().unwrap());
        Box::pin(async move { Ok(found.map(|address| SocketAddr::new(address, 0)).into_iter().collect()) })
    });
    let house = house(&strangers(), Some(look_up));
    for (name, _) in answers {
        let outcome = house.copy(&copy_of(&format!("https://{name}/picture"))).await;
        assert_eq!(outcome, refused("address_refused"), "{name}");
    }
}

#[tokio::test]
async fn a_name_server_that_changes_its_mind_changes_nothing() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let look_up: Arc<LookUp> = Arc::new(move |_| {
        let public: SocketAddr = "93.184.215.14:0".parse().unwrap();
        let private: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let answer = match count.fetch_add(1, Ordering::SeqCst) {
            0 => vec![public],
            1 => vec![private, public],
            _ => vec![private],
        };
        Box::pin(async move { Ok(answer) })
    });
    let addresses = Addresses::of_media(&strangers()).asking(look_up);
    addresses.check("https://rebind.example/picture").unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 0, "nobody is asked before the connection is made");
    let resolve = async || addresses.resolve("rebind.example".parse().unwrap()).await.map(Iterator::count);
    assert_eq!(resolve().await.unwrap(), 1);
    assert_eq!(resolve().await.unwrap(), 1, "of two addresses the public one is left");
    assert!(resolve().await.is_err());
}

#[tokio::test]
async fn only_the_hosts_of_the_channel_and_the_account_are_asked() {
    let (server, address) = Server::start().await;
    let house = open_house();
    let mut copy = copy_of(&format!("http://{address}/picture"));
    copy.route.media_hosts = vec!["*.0.0.1".into(), "cdn.example".into()];
    assert!(is_stored(&house.copy(&copy).await), "below a domain");
    copy.route.media_hosts = vec!["cdn.example".into()];
    for channel in [Channel::Open, Channel::Facebook, Channel::Instagram, Channel::Twitter] {
        copy.channel = channel;
        assert_eq!(house.copy(&copy).await, refused("host_not_allowed"), "{channel}");
    }
    assert_eq!(server.asked().len(), 1);
    for (host, pattern, expected) in [
        ("a.fbcdn.net", "*.fbcdn.net", true),
        ("x.a.FBCDN.net", "*.fbcdn.net", true),
        ("fbcdn.net", "*.fbcdn.net", false),
        ("evilfbcdn.net", "*.fbcdn.net", false),
        ("a.fbcdn.net.evil.example", "*.fbcdn.net", false),
        (".fbcdn.net", "*.fbcdn.net", false),
        ("pbs.twimg.com", "pbs.twimg.com", true),
        ("a.pbs.twimg.com", "pbs.twimg.com", false),
    ] {
        assert_eq!(is_host(host, pattern), expected, "{host} {pattern}");
    }
}

#[tokio::test]
async fn every_redirect_is_judged_anew_and_there_are_three_at_most() {
    let (server, address) = Server::start().await;
    let house = open_house();
    let copy = async |path: &str| house.copy(&copy_of(&format!("http://{address}{path}"))).await;
    assert!(is_stored(&copy("/hops/2").await));
    assert_eq!(copy("/hops/3").await, refused("too_many_redirects"));
    for (to, reason) in [
        ("https://169.254.169.254/latest/meta-data", "address_refused"),
        ("https://[::ffff:127.0.0.1]/picture", "address_refused"),
        ("http://localhost/picture", "not_https"),
        ("https://cdn.example/picture", "host_not_allowed"),
        ("https://user@127.0.0.1/", "credentials_in_url"),
        ("file:///etc/passwd", "bad_url"),
        ("http://", "bad_redirect"),
    ] {
        assert_eq!(copy(&format!("/to?{to}")).await, refused(reason), "{to}");
    }
    assert!(server.asked().iter().all(|(path, _)| path != "/latest/meta-data"));
}

/// A copy by WhatsApp's look-up at `api`, which says that the file lies at `file`.
fn looked_up(api: SocketAddr, file: &str, token: &tempfile::NamedTempFile) -> Copy {
    let mut copy = copy_of("https://unused.example/");
    copy.channel = Channel::Whatsapp;
    copy.attachment = Attachment { media_id: Some("m1".into()), ..copy.attachment };
    copy.route = Route {
        api_url: Some(format!("http://{api}/v25.0")),
        access_token: Some(SecretPlace::File(token.path().display().to_string())),
        provider_account_id: format!("1&at={file}"),
        media_hosts: vec![LOOPBACK.into()],
        ..Route::default()
    };
    copy
}

#[tokio::test]
async fn credentials_stay_with_the_host_they_are_for() {
    let ((api, api_at), (other, other_at)) = (Server::start().await, Server::start().await);
    let house = open_house();
    let token = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(token.path(), "EAAB").unwrap();
    let right = Some("Bearer EAAB".to_owned());

    assert!(is_stored(&house.copy(&looked_up(api_at, &format!("http://{api_at}/picture"), &token)).await));
    assert_eq!(api.asked(), [("/v25.0/m1".to_owned(), right.clone()), ("/picture".to_owned(), right.clone())]);

    assert!(is_stored(&house.copy(&looked_up(api_at, &format!("http://{other_at}/picture"), &token)).await));
    assert_eq!(other.asked(), [("/picture".to_owned(), None)], "another port is another host");

    let to = format!("http://{api_at}/to?http://{other_at}/picture");
    assert!(is_stored(&house.copy(&looked_up(api_at, &to, &token)).await));
    assert_eq!(api.asked().last().unwrap(), &("/to".to_owned(), right));
    assert_eq!(other.asked().last().unwrap(), &("/picture".to_owned(), None), "a redirect takes nothing along");

    let elsewhere = house.copy(&looked_up(api_at, "https://evil.example/picture", &token)).await;
    assert_eq!(elsewhere, refused("host_not_allowed"));
}

#[tokio::test]
async fn what_is_too_big_of_another_type_or_no_file_is_not_kept() {
    let (_, address) = Server::start().await;
    let house = open_house();
    for (path, expected) in [
        ("/big", refused("too_big")),
        ("/endless", refused("too_big")),
        ("/typed?text/html", refused("type_not_allowed")),
        ("/typed?image/svg+xml", refused("type_not_allowed")),
        ("/typed?nonsense", refused("type_not_allowed")),
        ("/untyped", refused("type_not_allowed")),
        ("/page", refused("type_not_allowed")),
        ("/empty", failed("empty")),
    ] {
        assert_eq!(house.copy(&copy_of(&format!("http://{address}{path}"))).await, expected, "{path}");
    }
    assert_eq!(house.files(), 0);
    let mut told = copy_of(&format!("http://{address}/untyped"));
    told.attachment.mime = Some("audio/ogg; codecs=opus".into());
    assert!(is_stored(&house.copy(&told).await), "the platform's word counts where the server has none");
    let mut wrong = copy_of(&format!("http://{address}/picture"));
    wrong.attachment.sha256 = Some("0".repeat(64));
    assert_eq!(house.copy(&wrong).await, failed("hash_differs"));
    assert_eq!(house.files(), 1);
}

#[tokio::test]
async fn a_server_that_does_not_get_on_is_left() {
    let (_, address) = Server::start().await;
    let settings = DeliverySettings { media_timeout_ms: 300, ..settings() };
    let house = house(&settings, None);
    for path in ["/silent", "/slow"] {
        assert_eq!(house.copy(&copy_of(&format!("http://{address}{path}"))).await, failed("timeout"), "{path}");
    }
    assert_eq!(house.files(), 0);
    let closed = tokio::net::TcpListener::bind((LOOPBACK, 0)).await.unwrap().local_addr().unwrap();
    assert_eq!(house.copy(&copy_of(&format!("http://{closed}/picture"))).await, failed("no_connection"));
}

#[tokio::test]
async fn a_status_says_whether_to_ask_again() {
    let (_, address) = Server::start().await;
    let house = open_house();
    let throttled = CopyOutcome::Failed { reason: "throttled", retry_after_ms: Some(9_000) };
    for (status, expected) in [
        (204, refused("unexpected_answer")),
        (401, failed("credentials")),
        (403, refused("gone")),
        (404, refused("gone")),
        (410, refused("gone")),
        (429, throttled),
        (500, failed("provider_error")),
        (503, failed("provider_error")),
    ] {
        assert_eq!(house.copy(&copy_of(&format!("http://{address}/status?{status}"))).await, expected, "{status}");
    }
    let token = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(token.path(), "EAAB").unwrap();
    let fresh = house.copy(&looked_up(address, &format!("http://{address}/status?404"), &token)).await;
    assert_eq!(fresh, failed("link_refused"), "an address that was just made can be made again");
}

#[tokio::test]
async fn a_try_that_is_no_longer_ours_is_not_made() {
    let (server, address) = Server::start().await;
    let outcome = open_house().fetcher.copy(&copy_of(&format!("http://{address}/picture")), || false).await;
    assert_eq!((outcome, server.asked().len()), (CopyOutcome::Lost, 0));
}
