//! A layer of ours where layers go: behind filters, in boxes, in an `Option`, behind `reload`.

use std::io;
use tracing::subscriber::with_default;
use tracing::{Dispatch, Level, Metadata};
use tracing_prefork::EventLayer;
use tracing_subscriber::filter::{LevelFilter, Targets, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::prelude::*;
use tracing_subscriber::{Registry, reload};

use super::same::{Kept, Place, same};

fn mixed() {
    let _outer = tracing::info_span!("outer", x = 1).entered();
    let _inner = tracing::debug_span!("inner", y = 2).entered();
    tracing::warn!(target: "other", "loud");
    tracing::info!("quiet");
    tracing::debug!(target: "other", "quieter");
}

#[test]
fn behind_filters_of_its_own() {
    let text = same!(|layer| layer.with_filter(LevelFilter::INFO), mixed);
    assert_eq!(text.lines().count(), 2, "{text}");
    // A span that a filter refuses is not shown.
    assert!(text.contains("outer{x=1}") && !text.contains("inner"), "{text}");
    same!(|layer| layer.json().with_filter(LevelFilter::INFO), mixed);
    let text = same!(|layer| layer.with_filter(Targets::new().with_target("other", Level::TRACE)), mixed);
    assert!(text.lines().all(|line| line.contains(" other: ")) && text.lines().count() == 2, "{text}");
    let is_event = |metadata: &Metadata<'_>| metadata.is_event();
    let text = same!(|layer| layer.with_filter(filter_fn(is_event)), mixed);
    assert!(text.lines().count() == 3 && !text.contains("outer"), "{text}");
}

#[test]
fn in_boxes_options_and_lists() {
    assert_eq!(same!(|layer| layer.boxed(), mixed).lines().count(), 3);
    assert_eq!(same!(|layer| Some(layer), mixed).lines().count(), 3);
    assert_eq!(same!(|layer| vec![layer.boxed()], mixed).lines().count(), 3);
    assert_eq!(same!(|layer| Some(layer).filter(|_| false), mixed), "");
    assert_eq!(same!(|layer| layer.and_then(LevelFilter::INFO), mixed).lines().count(), 2);
}

#[test]
fn two_layers_with_other_options_keep_their_own_fields() {
    let (text, json) = (Place::new(), Place::new());
    let ours = text.logs.layer().and_then(json.logs.layer().json());
    with_default(tracing_subscriber::registry().with(ours), mixed);
    assert_eq!(text.text(), same!(|layer| layer, mixed));
    assert_eq!(json.text(), same!(|layer| layer.json(), mixed));
}

/// Changes which spans have events while spans are entered.
#[test]
fn span_events_change_behind_reload() {
    let place = Place::new();
    let span = |name: &str| match name {
        "first" => tracing::info_span!("first", x = 42),
        "second" => tracing::info_span!("second", x = 100),
        _ => tracing::info_span!("third", x = 42),
    };
    // A macro, since the two layers have types of their own.
    macro_rules! play {
        ($layer:expr) => {{
            let layer = $layer.with_level(false).with_target(false).without_time().with_span_events(FmtSpan::ACTIVE);
            let (layer, handle) = reload::Layer::<_, Registry>::new(layer);
            with_default(tracing_subscriber::registry().with(layer), || {
                span("first").in_scope(|| {});
                handle.modify(|layer| layer.set_span_events(FmtSpan::NONE)).expect("there");
                span("second").in_scope(|| {});
                span("third").in_scope(|| {
                    handle.modify(|layer| layer.set_span_events(FmtSpan::ACTIVE)).expect("there");
                });
            });
        }};
    }
    play!(place.logs.layer());
    play!(tracing_subscriber::fmt::layer().with_ansi(false).with_writer(place.kept.clone()));
    assert_eq!(place.text(), "first{x=42}: enter\nfirst{x=42}: exit\nthird{x=42}: exit\n");
    assert_eq!(place.text(), place.kept.text());
}

#[test]
fn a_layer_is_exchanged_behind_reload() {
    let (first, second) = (Place::new(), Place::new());
    let (layer, handle) = reload::Layer::<_, Registry>::new(first.logs.layer().boxed());
    with_default(tracing_subscriber::registry().with(layer), || {
        let span = tracing::info_span!("old", x = 1);
        span.in_scope(|| tracing::info!("to the first"));
        handle.reload(second.logs.layer().json().boxed()).expect("there");
        // The second layer knows nothing of this span's fields.
        span.in_scope(|| tracing::info!("to the second"));
        tracing::info_span!("new", x = 2).in_scope(|| tracing::info!("to the second"));
    });
    assert_eq!(first.text().lines().count(), 1, "{}", first.text());
    let text = second.text();
    let lines: Vec<_> = text.lines().map(serde_json::from_str::<serde_json::Value>).collect();
    assert!(lines.len() == 2 && lines.iter().all(Result::is_ok), "{text}");
}

#[test]
fn a_layer_is_found_in_its_dispatch() {
    fn shared<T: Send + Sync + 'static>(layer: T) -> T {
        layer
    }
    let place = Place::new();
    let layer = shared(place.logs.layer::<Registry>());
    let dispatch = Dispatch::new(tracing_subscriber::registry().with(layer));
    assert!(dispatch.downcast_ref::<EventLayer<Registry>>().is_some());
    assert!(dispatch.downcast_ref::<EventLayer<Registry, tracing_prefork::format::Json>>().is_none());
}

/// Warnings to one place, and the rest to another.
struct ByLevel(Kept, Kept);

impl<'a> MakeWriter<'a> for ByLevel {
    type Writer = Box<dyn io::Write + 'a>;

    fn make_writer(&'a self) -> Self::Writer {
        Box::new(self.0.clone())
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Self::Writer {
        Box::new(if *metadata.level() <= Level::WARN { self.1.clone() } else { self.0.clone() })
    }
}

#[test]
fn a_writer_chosen_by_the_metadata() {
    let place = Place::new();
    let [ours, theirs] = [(); 2].map(|()| (Kept::default(), Kept::default()));
    let layer = place.logs.layer().with_writer(ByLevel(ours.0.clone(), ours.1.clone()));
    with_default(tracing_subscriber::registry().with(layer), mixed);
    let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_timer(place.logs.timer());
    let layer = layer.with_writer(ByLevel(theirs.0.clone(), theirs.1.clone()));
    with_default(tracing_subscriber::registry().with(layer), mixed);
    assert_eq!(ours.0.text(), theirs.0.text());
    assert_eq!(ours.1.text(), theirs.1.text());
    assert_eq!((ours.0.text().lines().count(), ours.1.text().lines().count()), (2, 1));
    assert_eq!(place.logs.stats().writes, 0);
}
