//! GOV.UK Notify: its own document where it can be had, and ours, which is stricter: the pages say that unknown fields are
//! refused and that names are UUIDs, and its document says neither.

use super::super::super::notify::Notify;
use super::*;

const ID: &str = "740e5834-3a29-46b4-9a6f-16142fde533a";

fn account(channel: Channel) -> Notify {
    let lane = format!(
        "channel = \"{channel}\"\nurl = \"\"\ntemplate = \"f33517ff-2a88-4f6e-b855-c550268ce08a\"\n\
         sender_id = \"8e222534-7f05-4972-86e3-17c5d9f894e2\"\n\
         api_key = \"k-26785a09-ab16-4eb0-8407-a37497a57506-3d844edf-8d35-48ac-975b-e847b4f122b0\"\n"
    );
    Notify::new(&toml::from_str(&lane).unwrap(), channel).unwrap()
}

fn submit(channel: Channel) -> Request {
    let address = lines("Ann Price\n1 High Street\nLS1 4AP");
    let item = match channel {
        Channel::Sms => Item::Sms { from: "NORTHMERE", to: "+447700900001", text: "Hello “Ann” & co" },
        Channel::Email => Item::Email {
            from: "n@example.org",
            from_name: "Northmere",
            to: "ann@example.org",
            subject: "Your data",
            text: "Dear Ann",
        },
        Channel::Letter => Item::Letter { from: &[], address: &address, pdf: b"%PDF", pages: 2, postage_class: "economy" },
    };
    account(channel).prepare(&Outbound { reference: REFERENCE, callback: None, item }).unwrap()
}

/// All that we ask of Notify, and the same spoilt.
async fn judge(prism: &Prism) {
    for (channel, to, long) in [(Channel::Sms, "phone_number", 16), (Channel::Email, "email_address", 251)] {
        let (notify, good) = (account(channel), submit(channel));
        let bad = [
            with_field(&good, to, Value::Null),
            with_field(&good, to, json!("0".repeat(long))),
            with_field(&good, "template_id", Value::Null),
            with_field(&good, "personalisation", json!("Dear Ann")),
            with_field(&good, "reference", json!(17)),
            with_body(&good, "[]"),
        ];
        prism.judges(&notify, &good, &bad).await;
        let preview = notify.check().unwrap();
        prism.judges(&notify, &preview, &[with_field(&preview, "personalisation", json!("Dear Ann"))]).await;
    }

    let (notify, good) = (account(Channel::Letter), submit(Channel::Letter));
    let bad = [
        with_field(&good, "content", Value::Null),
        with_field(&good, "content", json!(17)),
        with_field(&good, "reference", Value::Null),
        with_field(&good, "postage", json!(1)),
        with_body(&good, "{}"),
    ];
    prism.judges(&notify, &good, &bad).await;
    let sought = Sought { reference: REFERENCE, frozen: None, since: None };
    for page in [None, Some(ID)] {
        let list = notify.look_up(&sought, page).unwrap();
        prism.judges(&notify, &list, &[with_path(&list, "reference=", "template_type=pigeon&reference=")]).await;
    }
    let status = notify.status(ID).unwrap();
    prism.judges_place(&notify, &status, &with_path(&status, "/notifications/", "/notification/")).await;
    let pdf = notify.letter(ID).unwrap();
    prism.judges_place(&notify, &pdf, &with_path(&pdf, "/pdf", "/pdx")).await;
    let check = notify.check().unwrap();
    prism.judges(&notify, &check, &[with_path(&check, "type=letter", "type=pigeon")]).await;
}

#[tokio::test]
async fn the_vendors_document_takes_every_request_to_notify_and_refuses_spoilt_ones() {
    let Some(folder) = std::env::var_os("NOTIFY_OPENAPI").filter(|folder| !folder.is_empty()) else {
        return skip("GOV.UK Notify's own document was not asked: it is not here, and `make openapi` fetches it where it can");
    };
    if let Some(prism) = Prism::start(&Path::new(&folder).join("publicapi_spec.json")).await {
        judge(&prism).await;
    }
}

#[tokio::test]
async fn our_document_of_notify_takes_every_request_and_refuses_more_than_the_vendors() {
    let Some(prism) = Prism::start(&document("notify-messages.ours.yml")).await else { return };
    judge(&prism).await;

    for channel in [Channel::Sms, Channel::Email, Channel::Letter] {
        let (notify, good) = (account(channel), submit(channel));
        let mut bad = vec![with_field(&good, "another", json!("field"))];
        match channel {
            Channel::Letter => bad.push(with_field(&good, "postage", json!("pigeon"))),
            _ => bad.push(with_field(&good, "template_id", json!("17"))),
        }
        prism.judges(&notify, &good, &bad).await;
    }
    let notify = account(Channel::Letter);
    for request in [notify.status(ID), notify.letter(ID)].map(Option::unwrap) {
        prism.judges(&notify, &request, &[with_path(&request, ID, "17")]).await;
    }
}
