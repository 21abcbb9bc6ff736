//! Targets inside of the network: none of them gets a connection.

use std::sync::Arc;

use super::receiver::{Answer, Receiver};
use super::{Names, SECRET, Webhook, event, local};
use crate::error::ErrorKind;
use crate::notifier::Notifier;

/// Hosts that are refused when the webhook is built. `{port}` is where a receiver counts.
const REFUSED_URLS: &[&str] = &[
    // Addresses, and their spellings that resolvers read.
    "http://127.0.0.1:{port}/",
    "http://127.0.0.2:{port}/",
    "http://127.1:{port}/",
    "http://127.0.1:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://0x7f.1:{port}/",
    "http://0x7F.0x0.0x0.0x1:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://017700000001:{port}/",
    "http://127.0.0.01:{port}/",
    "http://00127.0.0.1:{port}/",
    "http://127.0.0.1.:{port}/",
    "http://0:{port}/",
    "http://0.0.0.0:{port}/",
    "http://0x0:{port}/",
    "http://10.0.0.1:{port}/",
    "http://172.16.0.1:{port}/",
    "http://192.168.1.1:{port}/",
    "http://100.64.0.1:{port}/",
    "http://169.254.169.254:{port}/latest/meta-data/",
    "http://2852039166:{port}/",
    "http://0xa9fea9fe:{port}/",
    "http://0251.0376.0251.0376:{port}/",
    "http://100.100.100.200:{port}/",
    "http://168.63.129.16:{port}/",
    "http://192.0.0.192:{port}/",
    "http://192.0.2.1:{port}/",
    "http://192.88.99.1:{port}/",
    "http://198.18.0.1:{port}/",
    "http://224.0.0.1:{port}/",
    "http://240.0.0.1:{port}/",
    "http://255.255.255.255:{port}/",
    "http://[::1]:{port}/",
    "http://[::]:{port}/",
    "http://[0:0:0:0:0:0:0:1]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[::ffff:10.0.0.1]:{port}/",
    "http://[::ffff:169.254.169.254]:{port}/",
    "http://[::127.0.0.1]:{port}/",
    "http://[::ffff:0:127.0.0.1]:{port}/",
    "http://[64:ff9b::127.0.0.1]:{port}/",
    "http://[64:ff9b::a9fe:a9fe]:{port}/",
    "http://[64:ff9b:1::1]:{port}/",
    "http://[2002:7f00:1::]:{port}/",
    "http://[2001:0:7f00:1::]:{port}/",
    "http://[2001:db8::1]:{port}/",
    "http://[2a00:1450::5efe:127.0.0.1]:{port}/",
    "http://[fc00::1]:{port}/",
    "http://[fd00:ec2::254]:{port}/",
    "http://[fe80::1]:{port}/",
    "http://[fe80::1%25lo]:{port}/",
    "http://[fec0::1]:{port}/",
    "http://[ff02::1]:{port}/",
    "http://[100::1]:{port}/",
    // Parts that hide the host, or that no request carries.
    "http://user@127.0.0.1:{port}/",
    "http://user:password@127.0.0.1:{port}/",
    "http://example.com@127.0.0.1:{port}/",
    "http://example.com:80@127.0.0.1:{port}/",
    "http://example.com#@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}#@example.com/",
    "http://example.com\\@127.0.0.1:{port}/",
    "http:\\\\127.0.0.1:{port}/",
    "http://127.0.0.1%00.example.com:{port}/",
    "http://%31%32%37.0.0.1:{port}/",
    "http://127。0。0。1:{port}/",
    "http://①②⑦.0.0.1:{port}/",
    "http://127.0.0.1\t:{port}/",
    "http://127.0.0.1\r\nhost: x:{port}/",
    "//127.0.0.1:{port}/",
    "file://127.0.0.1:{port}/",
    "gopher://127.0.0.1:{port}/",
];

/// Addresses of names that are refused when the webhook sends.
const REFUSED_ADDRESSES: &[&[&str]] = &[
    &["127.0.0.1"],
    &["127.8.8.8"],
    &["0.0.0.0"],
    &["10.1.2.3"],
    &["172.31.255.255"],
    &["192.168.0.1"],
    &["100.127.0.1"],
    &["169.254.169.254"],
    &["198.19.0.1"],
    &["203.0.113.1"],
    &["239.0.0.1"],
    &["255.255.255.255"],
    &["::1"],
    &["::"],
    &["::ffff:127.0.0.1"],
    &["::127.0.0.1"],
    &["64:ff9b::127.0.0.1"],
    &["2002:7f00:1::"],
    &["fd12:3456::1"],
    &["fe80::1"],
    &["ff02::1"],
    // A public address does not help the others of its name.
    &["1.1.1.1", "127.0.0.1"],
    &["127.0.0.1", "1.1.1.1"],
    &["2606:4700::1111", "::1"],
];

#[tokio::test]
async fn no_target_inside_of_the_network_gets_a_connection() {
    let receiver = Receiver::start(Answer::status(200, "", "")).await;
    let port = receiver.port.to_string();
    assert!(REFUSED_URLS.len() + REFUSED_ADDRESSES.len() >= 80);
    for url in REFUSED_URLS {
        let url = url.replace("{port}", &port);
        let built = Webhook::builder(&url).secret(SECRET).allow_http().build();
        let error = built.expect_err(&url);
        assert_eq!(error.kind(), ErrorKind::Invalid, "{url}: {error}");
        assert_eq!(error.issues().len(), 1, "{url}: {error:?}");
    }
    for addresses in REFUSED_ADDRESSES {
        let names = Names::new([addresses]);
        let own = Arc::clone(&names);
        let builder = Webhook::builder(format!("http://inner.example:{port}/"));
        let webhook = builder.secret(SECRET).allow_http().build_with(own).unwrap();
        let error = webhook.notify(&event(7)).await.unwrap_err();
        let expected = format!("the host of http://inner.example:{port} is at ");
        assert!(
            error.message().starts_with(&expected),
            "{addresses:?}: {error}"
        );
        assert_eq!(names.lookups(), 1);
    }
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn what_no_receiver_has_stays_refused_when_private_addresses_are_allowed() {
    for address in [
        "169.254.169.254",
        "0.0.0.0",
        "::",
        "fd00:ec2::254",
        "fe80::1",
        "224.0.0.1",
    ] {
        let builder = Webhook::builder("http://inner.example/").secret(SECRET);
        let builder = builder.allow_http().allow_private();
        let webhook = builder.build_with(Names::new([&[address]])).unwrap();
        let error = webhook.notify(&event(7)).await.unwrap_err();
        assert!(error.message().contains(" is at "), "{address}: {error}");
    }
}

/// The address that was checked is the one that gets the connection: there is no second look-up
/// that could return another one.
#[tokio::test]
async fn a_name_is_looked_up_once_for_each_request() {
    let receiver = Receiver::start(Answer::status(200, "", "")).await;
    let names = Names::new([&["127.0.0.1"], &["169.254.169.254"], &["127.0.0.1"]]);
    let own = Arc::clone(&names);
    let builder = Webhook::builder(format!("http://changes.example:{}/", receiver.port));
    let builder = builder.secret(SECRET).allow_http().allow_private();
    let webhook = builder.build_with(own).unwrap();
    for (lookups, is_delivered) in [(1, true), (2, false), (3, true)] {
        assert_eq!(webhook.notify(&event(7)).await.is_ok(), is_delivered);
        assert_eq!(names.lookups(), lookups);
    }
    assert_eq!(receiver.connections(), 2);
    let request = receiver.received().remove(0);
    let host = format!("changes.example:{}", receiver.port);
    assert_eq!(request.headers["host"], host.as_str());
}

#[tokio::test]
async fn the_next_address_of_a_name_is_tried_and_a_name_without_one_fails() {
    let receiver = Receiver::start(Answer::status(200, "", "")).await;
    let url = format!("http://two.example:{}/", receiver.port);
    let builder = Webhook::builder(url)
        .secret(SECRET)
        .allow_http()
        .allow_private();
    // The receiver listens on 127.0.0.1 alone.
    let names = Names::new([&["127.0.0.9", "127.0.0.1"]]);
    let webhook = builder.clone().build_with(names).unwrap();
    assert_eq!(webhook.notify(&event(7)).await, Ok(()));
    for (names, part) in [
        (Names::new([&[]]), "has no address"),
        (Names::new([]), "cannot resolve"),
    ] {
        let webhook = builder.clone().build_with(names).unwrap();
        let error = webhook.notify(&event(7)).await.unwrap_err();
        assert!(
            error.is_retryable() && error.message().contains(part),
            "{error}"
        );
    }
}

#[test]
fn every_problem_of_a_description_is_reported_at_once() {
    let error = Webhook::builder("http://hunter2.example/#x")
        .secret("hunter2")
        .secret(SECRET)
        .secret("hunter2")
        .runs_url("console")
        .build()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let locations: Vec<_> = error
        .issues()
        .iter()
        .map(|it| format!("{:?}", it.location))
        .collect();
    assert_eq!(locations.len(), 4, "{locations:?}");
    for (location, part) in locations
        .iter()
        .zip(["/url", "/secrets/0", "/secrets/2", "/runs_url"])
    {
        assert!(location.contains(part), "{location}");
    }
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    for (builder, part) in [
        (
            Webhook::builder("http://example.com/").secret(SECRET),
            "allow_http",
        ),
        (Webhook::builder("https://example.com/"), "needs a secret"),
        (
            Webhook::builder("https://127.0.0.1/").secret(SECRET),
            "allow_private",
        ),
        (
            (0..5).fold(Webhook::builder("https://example.com/"), |it, _| {
                it.secret(SECRET)
            }),
            "at most 4",
        ),
        (
            Webhook::builder("https://example.com/")
                .secret(SECRET)
                .root_certificates("hunter2"),
            "no certificate",
        ),
    ] {
        let error = builder.build().unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
    }
    assert!(local(80).build().is_ok());
}
