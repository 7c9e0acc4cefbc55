//! Frames that no guest should send.

use futures::SinkExt;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::guests::{guest, shop};
use crate::house::closed;

#[tokio::test]
async fn a_frame_too_big_or_no_text_ends_the_socket_with_its_reason() {
    let house = shop().await;
    let mut ws = guest(&house).await;
    ws.send(Message::text("x".repeat(70_000))).await.ok();
    assert_eq!(closed(&mut ws).await, Some(1009));
    let mut ws = guest(&house).await;
    let not_text = Frame::message(vec![0xff, 0xfe], OpCode::Data(Data::Text), true);
    ws.send(Message::Frame(not_text)).await.ok();
    assert_eq!(closed(&mut ws).await, Some(1007));
}
