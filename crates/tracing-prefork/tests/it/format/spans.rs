//! Spans in lines of text, and events of spans.

use tracing::field::Empty;
use tracing_subscriber::fmt::format::FmtSpan;

use super::same::same;

fn one_span() {
    let span = tracing::info_span!("span1", x = 42);
    let _entered = span.enter();
}

#[test]
fn an_explicit_parent() {
    let scene = || {
        let outer = tracing::info_span!("outer", number = 1);
        let inner = tracing::info_span!(parent: &outer, "inner", number = 2);
        tracing::info!(parent: &inner, "hello");
        tracing::info!(parent: None, "alone");
    };
    let text = same!(|layer| layer.with_target(false).without_time(), scene);
    assert_eq!(text, " INFO outer{number=1}:inner{number=2}: hello\n INFO alone\n");
    same!(|layer| layer.compact(), scene);
    same!(|layer| layer.json(), scene);
}

#[test]
fn an_explicit_parent_inside_another_span() {
    let scene = || {
        let outer = tracing::info_span!("outer", number = 1);
        let inner = tracing::info_span!(parent: &outer, "inner", number = 2);
        let _entered = tracing::info_span!("other", number = 3).entered();
        tracing::info!("hello");
        tracing::info!(parent: &inner, "hello");
        tracing::info!(parent: None, "alone");
    };
    let text = same!(|layer| layer.with_target(false).without_time(), scene);
    let expected = " INFO other{number=3}: hello\n INFO outer{number=1}:inner{number=2}: hello\n INFO alone\n";
    assert_eq!(text, expected);
    same!(|layer| layer.compact(), scene);
    same!(|layer| layer.json(), scene);
}

#[test]
fn fields_recorded_later_and_twice() {
    let scene = || {
        let span = tracing::info_span!("span", first = 1, later = Empty, never = Empty);
        let _entered = span.enter();
        tracing::info!("before");
        span.record("later", "value");
        tracing::info!("after");
        span.record("later", 2);
        span.record("unknown", 3);
        tracing::info!("twice");
        let bare = tracing::info_span!("bare", later = Empty);
        bare.record("later", true);
        bare.in_scope(|| tracing::info!("in both"));
        bare.follows_from(&span);
    };
    let text = same!(|layer| layer.with_target(false).without_time(), scene);
    assert!(text.contains(" INFO span{first=1 later=\"value\"}: after\n"), "{text}");
    assert!(text.ends_with("bare{later=true}: in both\n"), "{text}");
    same!(|layer| layer.compact(), scene);
    same!(|layer| layer.json(), scene);
}

#[test]
fn no_event_of_a_span_by_default() {
    assert_eq!(same!(|layer| layer, one_span), "");
}

#[test]
fn an_event_when_a_span_is_entered_and_left() {
    let text = same!(
        |layer| layer.with_span_events(FmtSpan::ACTIVE).with_target(false).with_level(false).without_time(),
        one_span
    );
    assert_eq!(text, "span1{x=42}: enter\nspan1{x=42}: exit\n");
}

#[test]
fn a_closed_span_tells_its_times_if_there_are_times() {
    let text = same!(|layer| layer.with_span_events(FmtSpan::CLOSE).with_target(false).with_level(false), one_span);
    assert_eq!(text, "2026-11-21T08:33:01.000000Z span1{x=42}: close time.busy=N time.idle=N\n");
    let text = same!(
        |layer| layer.without_time().with_span_events(FmtSpan::CLOSE).with_target(false).with_level(false),
        one_span
    );
    assert_eq!(text, "span1{x=42}: close\n");
}

#[test]
fn every_combination_of_span_events() {
    let kinds = [FmtSpan::NEW, FmtSpan::ENTER, FmtSpan::EXIT, FmtSpan::CLOSE];
    for bits in 0..16_usize {
        let chosen = |at: &usize| bits & 1 << at != 0;
        let events = (0..4).filter(chosen).fold(FmtSpan::NONE, |events, at| events | kinds[at].clone());
        let text = same!(|layer| layer.with_span_events(events.clone()), one_span);
        assert_eq!(text.lines().count(), (0..4).filter(chosen).count(), "{events:?}: {text}");
        same!(|layer| layer.json().with_span_events(events.clone()), one_span);
        same!(|layer| layer.compact().with_span_events(events.clone()), one_span);
    }
}
