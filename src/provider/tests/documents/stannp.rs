//! Stannp publishes no document: its requests are held against ours, which says what is not confirmed.

use super::super::super::stannp::Stannp;
use super::*;

const ID: &str = "16818210";

#[tokio::test]
async fn our_document_of_stannp_takes_every_request_and_refuses_spoilt_ones() {
    let Some(prism) = Prism::start(&document("stannp-letters.ours.yml")).await else { return };
    let stannp = Stannp::new(&toml::from_str("channel = \"letter\"\nurl = \"\"\napi_key = \"key\"\n").unwrap(), Channel::Letter);
    let address = lines("Ann Price\n1 High Street\nLeeds\nLS1 4AP");
    let submit = |postage_class| {
        let item = Item::Letter { from: &[], address: &address, pdf: b"%PDF", pages: 2, postage_class };
        stannp.prepare(&Outbound { reference: REFERENCE, callback: None, item }).unwrap()
    };

    for postage_class in ["first", "second"] {
        let good = submit(postage_class);
        let text = String::from_utf8(good.body.clone()).unwrap();
        let spoilt = |from: &str, to: &str| {
            let body = text.replace(from, to);
            assert_ne!(body, text, "{from}");
            with_body(&good, body)
        };
        let bad = [
            spoilt("name=\"country\"", "name=\"county\""),
            spoilt("name=\"pdf\"", "name=\"pdfs\""),
            spoilt("name=\"idempotency_key\"", "name=\"idempotence_key\""),
            spoilt("\r\n\r\nGB\r\n", "\r\n\r\nBritain\r\n"),
            spoilt("\r\n\r\nA4\r\n", "\r\n\r\nA3\r\n"),
        ];
        prism.judges(&stannp, &good, &bad).await;
    }
    let strange = String::from_utf8(submit("first").body).unwrap().replace("FIRST_CLASS", "BY_PIGEON");
    prism.judges(&stannp, &submit("first"), &[with_body(&submit("first"), strange)]).await;
    let since = Some(OffsetDateTime::from_unix_timestamp(1_790_000_000).unwrap());
    let list = stannp.look_up(&Sought { reference: REFERENCE, frozen: None, since }, None).unwrap();
    let bad =
        [with_path(&list, "limit=100", "limit=many"), with_path(&list, "list/2026", "list/26"), with_path(&list, "tag=", "tug=")];
    prism.judges(&stannp, &list, &bad).await;
    for request in [stannp.status(ID), stannp.letter(ID)].map(Option::unwrap) {
        prism.judges(&stannp, &request, &[with_path(&request, ID, "one")]).await;
    }
    let cancel = stannp.cancel(ID).unwrap();
    prism.judges(&stannp, &cancel, &[with_body(&cancel, "id=one"), with_body(&cancel, "number=1")]).await;
    let check = stannp.check().unwrap();
    prism.judges_place(&stannp, &check, &with_path(&check, "/balance", "/balances")).await;
}
