//! Between the services and a broker: reads which request goes by, and delays it, loses it, loses its
//! answer, or keeps it until its sender has long gone on.
//!
//! A request is a 4-byte length, a 2-byte api key, a 2-byte version, a 4-byte correlation id and a
//! body (Apache Kafka, "Protocol guide", request header v1); nothing behind the key is looked at.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

const HEADER_BYTES: usize = 8;
/// Larger than any broker here accepts.
const REQUEST_BYTES_MAX: usize = 64 << 20;
/// The broker of a killed stack is tried again by the client.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// A kind of request, by its api key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Api {
    /// As the protocol guide names it.
    pub name: &'static str,
    /// Its key.
    pub key: i16,
}

/// The requests that a guarantee rests on.
pub const APIS: [Api; 10] = [
    Api { name: "Produce", key: 0 },
    Api { name: "Fetch", key: 1 },
    Api { name: "OffsetCommit", key: 8 },
    Api { name: "OffsetFetch", key: 9 },
    Api { name: "Heartbeat", key: 12 },
    Api { name: "InitProducerId", key: 22 },
    Api { name: "AddPartitionsToTxn", key: 24 },
    Api { name: "AddOffsetsToTxn", key: 25 },
    Api { name: "EndTxn", key: 26 },
    Api { name: "TxnOffsetCommit", key: 28 },
];

/// What happens to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// It goes on after a while; whatever follows on its connection waits behind it.
    Delay(Duration),
    /// It never arrives, and its connection is gone.
    Lose,
    /// It arrives; the answer is lost with the connection.
    LoseAnswer,
    /// The connection is gone; after a while, when its sender has connected again, it arrives.
    Hold(Duration),
}

/// One proxy in front of one broker.
#[derive(Debug)]
pub struct Proxy {
    armed: Arc<Mutex<VecDeque<(Api, Harm)>>>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Listens on one port of the loopback and passes on to another.
    ///
    /// # Errors
    /// If the port is taken.
    pub async fn start(listen: u16, broker: u16) -> anyhow::Result<Self> {
        let wanted = SocketAddrV4::new(Ipv4Addr::LOCALHOST, listen);
        let listener = TcpListener::bind(wanted).await.with_context(|| format!("cannot listen on {wanted}"))?;
        let armed = Arc::new(Mutex::new(VecDeque::new()));
        let harms = Arc::clone(&armed);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let harms = Arc::clone(&harms);
                tokio::spawn(async move {
                    if let Err(error) = pass(client, broker, &harms).await {
                        tracing::debug!(%error, "a proxied connection is gone");
                    }
                });
            }
        });
        Ok(Self { armed, task })
    }

    /// The next request of this kind meets this harm.
    pub fn arm(&self, api: Api, harm: Harm) {
        locked(&self.armed).push_back((api, harm));
    }

    /// Whatever is armed and did not come by is forgotten.
    pub fn disarm(&self) {
        locked(&self.armed).clear();
    }

    /// How much has not come by yet.
    pub fn armed(&self) -> usize {
        locked(&self.armed).len()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(client: TcpStream, broker: u16, harms: &Mutex<VecDeque<(Api, Harm)>>) -> anyhow::Result<()> {
    let there = TcpStream::connect((Ipv4Addr::LOCALHOST, broker));
    let broker = tokio::time::timeout(CONNECT_MAX, there).await??;
    client.set_nodelay(true)?;
    broker.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_broker, to_broker) = broker.into_split();
    let cut = Arc::new(Notify::new());
    let mut answers = tokio::spawn(answers(from_broker, to_client, Arc::clone(&cut)));
    let requests = requests(from_client, to_broker, harms, &cut);
    tokio::select! {
        passed = requests => {
            if passed? == Ended::ByClient { answers.abort(); }
        }
        answered = &mut answers => answered??,
    }
    Ok(())
}

#[derive(PartialEq)]
enum Ended {
    ByClient,
    ByHarm,
}

async fn requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    harms: &Mutex<VecDeque<(Api, Harm)>>,
    cut: &Notify,
) -> anyhow::Result<Ended> {
    loop {
        let Some(request) = frame(&mut from).await? else { return Ok(Ended::ByClient) };
        let key = i16::from_be_bytes([request[4], request[5]]);
        match next(harms, key) {
            None => to.write_all(&request).await?,
            Some(Harm::Delay(delay)) => {
                tokio::time::sleep(delay).await;
                to.write_all(&request).await?;
            }
            Some(Harm::Lose) => return Ok(Ended::ByClient),
            Some(Harm::LoseAnswer) => {
                cut.notify_one();
                to.write_all(&request).await?;
                // The broker must have done it before its client is gone.
                tokio::time::sleep(CONNECT_MAX).await;
                return Ok(Ended::ByHarm);
            }
            Some(Harm::Hold(delay)) => {
                cut.notify_one();
                drop(from);
                tokio::time::sleep(delay).await;
                to.write_all(&request).await?;
                tokio::time::sleep(CONNECT_MAX).await;
                return Ok(Ended::ByHarm);
            }
        }
    }
}

/// Passes answers on until the connection is to be cut; then reads on and drops them.
async fn answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, cut: Arc<Notify>) -> anyhow::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let count = tokio::select! {
            () = cut.notified() => break,
            count = from.read(&mut buffer) => count?,
        };
        if count == 0 {
            return Ok(());
        }
        to.write_all(&buffer[..count]).await?;
    }
    to.shutdown().await?;
    drop(to);
    while from.read(&mut buffer).await? > 0 {}
    Ok(())
}

fn next(harms: &Mutex<VecDeque<(Api, Harm)>>, key: i16) -> Option<Harm> {
    let mut harms = locked(harms);
    let no = harms.iter().position(|(api, _)| api.key == key)?;
    harms.remove(no).map(|(_, harm)| harm)
}

/// One request with its length; none at the connection's end.
async fn frame(from: &mut OwnedReadHalf) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    if let Err(error) = from.read_exact(&mut length).await {
        return if error.kind() == io::ErrorKind::UnexpectedEof { Ok(None) } else { Err(error) };
    }
    let bytes = u32::from_be_bytes(length) as usize;
    if !(HEADER_BYTES..=REQUEST_BYTES_MAX).contains(&bytes) {
        return Err(io::Error::other(format!("expected a request, found a length of {bytes}")));
    }
    let mut request = length.to_vec();
    request.resize(4 + bytes, 0);
    from.read_exact(&mut request[4..]).await?;
    Ok(Some(request))
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait::wait_for;

    const END_TXN: Api = APIS[8];
    const LONG: Duration = Duration::from_secs(30);

    /// A broker that notes the last byte of each request and answers with it.
    async fn broker() -> (u16, Arc<Mutex<Vec<u8>>>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((line, _)) = listener.accept().await {
                let noted = Arc::clone(&noted);
                tokio::spawn(async move {
                    let (mut from, mut to) = line.into_split();
                    while let Ok(Some(request)) = frame(&mut from).await {
                        let last = *request.last().unwrap();
                        locked(&noted).push(last);
                        let _gone = to.write_all(&[last]).await;
                    }
                });
            }
        });
        (port, seen)
    }

    fn request(api: Api, last: u8) -> Vec<u8> {
        let mut bytes = 9_u32.to_be_bytes().to_vec();
        bytes.extend(api.key.to_be_bytes());
        bytes.extend([0, 3, 0, 0, 0, 1, last]);
        bytes
    }

    async fn proxied() -> (Proxy, u16, Arc<Mutex<Vec<u8>>>) {
        let (port, seen) = broker().await;
        let listen = crate::services::free_ports(1).unwrap()[0];
        (Proxy::start(listen, port).await.unwrap(), listen, seen)
    }

    async fn ask(listen: u16, requests: &[Vec<u8>]) -> Option<u8> {
        let mut line = TcpStream::connect((Ipv4Addr::LOCALHOST, listen)).await.unwrap();
        line.write_all(&requests.concat()).await.unwrap();
        let mut answer = [0];
        match line.read(&mut answer).await {
            Ok(1) => Some(answer[0]),
            Ok(_) | Err(_) => None,
        }
    }

    #[tokio::test]
    async fn each_harm_does_to_its_request_what_its_name_says() {
        let (proxy, listen, seen) = proxied().await;
        assert_eq!(ask(listen, &[request(APIS[0], 1)]).await, Some(1));
        proxy.arm(END_TXN, Harm::Lose);
        assert_eq!(ask(listen, &[request(END_TXN, 2)]).await, None);
        assert_eq!(*locked(&seen), [1]);
        proxy.arm(END_TXN, Harm::LoseAnswer);
        assert_eq!(ask(listen, &[request(END_TXN, 3)]).await, None);
        wait_for("the request", LONG, || async {
            let seen = locked(&seen).clone();
            if seen == [1, 3] { Ok(()) } else { Err(format!("{seen:?}")) }
        })
        .await
        .unwrap();
        assert_eq!(proxy.armed(), 0);
    }

    #[tokio::test]
    async fn a_held_request_arrives_after_what_its_sender_asked_on_a_new_connection() {
        let (proxy, listen, seen) = proxied().await;
        proxy.arm(END_TXN, Harm::Hold(Duration::from_secs(3)));
        assert_eq!(ask(listen, &[request(END_TXN, 1)]).await, None);
        assert_eq!(ask(listen, &[request(END_TXN, 2)]).await, Some(2));
        wait_for("the held request", LONG, || async {
            let seen = locked(&seen).clone();
            if seen == [2, 1] { Ok(()) } else { Err(format!("{seen:?}")) }
        })
        .await
        .unwrap();
    }
}
