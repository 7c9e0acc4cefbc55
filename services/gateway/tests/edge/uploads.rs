//! Files of guests, and the document of their protocol.

use schemas::config::{Deployment, Messenger, Uploads};
use schemas::records::InboundKind;
use serde_json::{Value, json};

use crate::guests::{asked, begun, deploy, deployment};
use crate::house::*;

#[tokio::test]
async fn a_file_goes_up_by_a_signed_address_and_comes_with_its_message() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().to_str().unwrap().to_owned();
    let mut house = House::with(|config| config.media.store = Some(store), false).await;
    let messenger = Messenger { uploads: Some(Uploads::default()), ..Messenger::default() };
    deploy(&house, Deployment { messenger, ..deployment() }, 60);
    let (mut ws, ..) = begun(&mut house).await;
    let wanted = |name: &str, size: i64| json!({"action": "onAttachment", "fileName": name, "fileType": "image/png", "fileSize": size});
    let named = |id: &str| {
        let attachments = json!([{"id": id, "fileName": "cat.png"}]);
        json!({"action": "onMessage", "message": {"type": "Text", "id": "m1", "attachments": attachments}})
    };
    for (name, size, code) in [("cat.exe", 3, 4001), ("cat.png", 100 << 20, 4002), ("cat", 3, 4004)] {
        assert_eq!(asked(&mut ws, wanted(name, size)).await["code"], code, "{name} {size}");
    }
    let presigned = asked(&mut ws, wanted("cat.png", 3)).await;
    assert_eq!(presigned["class"], "PresignedUrlResponse", "{presigned}");
    let id = presigned["body"]["attachmentId"].as_str().unwrap();
    assert_eq!(asked(&mut ws, named(id)).await["code"], 4010);
    assert_eq!(asked(&mut ws, named("acme/somebody/else/image/png")).await["code"], 4009);
    let path = |url: &Value| format!("/media/{}", url.as_str().unwrap().split_once("/media/").unwrap().1);
    let put = path(&presigned["body"]["url"]);
    assert_eq!(ask(house.address, "PUT", &put, "content-type: image/png\r\n", "cat").await.0, 201);
    assert_eq!(asked(&mut ws, named(id)).await["class"], "MessageAccepted");
    let InboundKind::Message(said) = house.inbound().await.kind else { panic!("no message") };
    let attachment = &said.content.attachments[0];
    assert_eq!((attachment.attachment_type.as_str(), attachment.size_bytes), ("image", Some(3)));
    assert_eq!(attachment.stored_ref.as_deref(), Some(id));
    let again = asked(&mut ws, json!({"action": "getAttachment", "attachmentId": id})).await;
    let get = path(&again["body"]["downloadUrl"]);
    assert_eq!(ask(house.address, "GET", &get, "", "").await.0, 200);
}

#[test]
fn the_guests_protocol_lies_in_docs_as_the_code_says_it() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guest-asyncapi.json");
    let text = format!("{:#}\n", gateway::asyncapi::guest());
    if std::fs::read_to_string(path).unwrap_or_default() != text {
        let made = std::env::temp_dir().join("guest-asyncapi.json");
        std::fs::write(&made, text).unwrap();
        panic!("{path} is not what the code says; what it says lies in {}", made.display());
    }
}
