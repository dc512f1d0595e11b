//! Lines of JSON.

use serde_json::Value;
use tracing::field::Empty;
use tracing::subscriber::with_default;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::prelude::*;

use super::same::{Place, same};

fn in_a_span() {
    let span = tracing::info_span!("json_span", answer = 42, number = 3, slice = &b"abc"[..]);
    span.in_scope(|| tracing::info!("some json test"));
}

fn in_two_spans() {
    let outer = tracing::info_span!("outer", answer = 42, number = 3);
    let _outer = outer.enter();
    let inner = tracing::info_span!("inner", answer = 43, number = 4, text = "\u{0}\u{7f}ä\\");
    inner.in_scope(|| tracing::info!(found = ?Some("x"), "some json test"));
}

fn parsed(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))).collect()
}

#[test]
fn a_span_in_json() {
    let text = same!(|layer| layer.json().with_target(false), in_a_span);
    let span = r#"{"answer":42,"name":"json_span","number":3,"slice":[97,98,99]}"#;
    let head = r#"{"timestamp":"2026-11-21T08:33:01.000000Z","level":"INFO","fields":{"message":"some json test"}"#;
    let expected = format!("{head},\"span\":{span},\"spans\":[{span}]}}\n");
    assert_eq!(parsed(&text), parsed(&expected), "{text}");
}

#[test]
fn each_option_of_json() {
    for scene in [in_a_span, in_two_spans, || tracing::info!("no span")] {
        let flat = same!(|layer| layer.json().flatten_event(true), scene);
        assert!(parsed(&flat)[0]["message"].is_string() && parsed(&flat)[0]["fields"].is_null(), "{flat}");
        let list = same!(|layer| layer.json().with_current_span(false), scene);
        assert!(parsed(&list)[0]["span"].is_null(), "{list}");
        let span = same!(|layer| layer.json().with_span_list(false), scene);
        assert!(parsed(&span)[0]["spans"].is_null(), "{span}");
        same!(|layer| layer.json().with_current_span(false).with_span_list(false), scene);
        let file = same!(|layer| layer.json().with_file(true), scene);
        assert_eq!(parsed(&file)[0]["filename"], file!());
        let line = same!(|layer| layer.json().with_line_number(true), scene);
        assert!(parsed(&line)[0]["line_number"].is_u64(), "{line}");
        same!(|layer| layer.json().with_thread_ids(true).with_thread_names(true).with_level(false), scene);
    }
}

#[test]
fn a_field_recorded_later_leaves_the_json_whole() {
    let text = same!(|layer| layer.json(), || {
        tracing::info!("outside");
        let span = tracing::info_span!("the span", na = Empty);
        span.record("na", "value");
        span.in_scope(|| tracing::info!("inside"));
    });
    let lines = parsed(&text);
    assert_eq!(lines[0]["fields"]["message"], "outside");
    assert_eq!(lines[1]["fields"]["message"], "inside");
    assert_eq!(lines[1]["span"]["na"], "value");
}

#[test]
fn events_of_spans_show_their_own_span() {
    let text = same!(|layer| layer.json().with_span_list(false).with_span_events(FmtSpan::FULL), || {
        let outer = tracing::info_span!("outer", context = "outer");
        let entered = outer.enter();
        tracing::info_span!("inner", context = "inner").in_scope(|| {});
        drop(entered);
        tracing::info_span!("without_fields").in_scope(|| {});
    });
    let told = |line: &Value| {
        let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        format!("{} {}", word(&line["span"]["name"]), word(&line["fields"]["message"]))
    };
    let lines: Vec<_> = parsed(&text).iter().map(told).collect();
    let expected = "outer new,outer enter,inner new,inner enter,inner exit,inner close,outer exit,without_fields new,\
                    without_fields enter,without_fields exit,without_fields close,outer close";
    assert_eq!(lines.join(","), expected);
    let scene = || tracing::info_span!("valid_json").in_scope(|| {});
    let layer = same!(
        |layer| {
            let layer = layer.json().with_current_span(false).with_span_list(false);
            layer.with_span_events(FmtSpan::FULL)
        },
        scene
    );
    assert_eq!(parsed(&layer).len(), 4);
}

/// The documentation names this difference from `fmt`: the layer prints the number, and `fmt` one beside it.
#[test]
fn a_long_float_of_a_span_is_not_changed() {
    let read_back = |float: f64| serde_json::from_str::<f64>(&format!("{float:?}")).expect("a number");
    let candidates = (1..1_000_000_u64).map(|number| f64::from_bits(0x3ff0_0000_0000_0000 + number * 4_503_599_627));
    let float = candidates.into_iter().find(|&float| read_back(float).to_bits() != float.to_bits());
    let float = float.expect("a float that serde_json reads as another one");
    let place = Place::new();
    let scene = || {
        tracing::info_span!("span", float).in_scope(|| tracing::info!(float, "event"));
    };
    let theirs = tracing_subscriber::fmt::layer().json().with_ansi(false).with_writer(place.kept.clone());
    with_default(tracing_subscriber::registry().with(place.logs.layer().json()), scene);
    with_default(tracing_subscriber::registry().with(theirs), scene);
    let count = |text: &str| text.matches(&format!("\"float\":{float:?}")).count();
    // In the event's fields, in `span` and in `spans`.
    assert_eq!(count(&place.text()), 3, "{}", place.text());
    assert_eq!(count(&place.kept.text()), 1, "{}", place.kept.text());
}
