//! Callsites with random names, targets, levels and fields. They are made once, and never freed, as those of macros.

use super::draws::Draws;
use std::sync::OnceLock;
use tracing::callsite::{Callsite, Identifier};
use tracing::field::FieldSet;
use tracing::metadata::Kind;
use tracing::subscriber::Interest;
use tracing::{Level, Metadata};

#[derive(Debug, Default)]
struct Site(OnceLock<Metadata<'static>>);

impl Callsite for Site {
    fn set_interest(&self, _: Interest) {}

    fn metadata(&self) -> &Metadata<'_> {
        self.0.get().expect("made")
    }
}

/// So many callsites of a kind. A field of a span whose name needs an escape makes `fmt`'s JSON lose what is recorded.
pub(super) fn draw(draws: &mut Draws, kind: &Kind, count: usize) -> Vec<&'static Metadata<'static>> {
    (0..count).map(|_| site(draws, kind.clone())).collect()
}

fn leak(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

fn site(draws: &mut Draws, kind: Kind) -> &'static Metadata<'static> {
    const NAMES: &[&str] = &[
        "message",
        "status",
        "r#type",
        "log.note",
        "path",
        "http.method",
        "user",
        "a",
        "b",
        "time.busy",
        "name",
        "größe",
        "error",
        "span",
        "target",
        "level",
    ];
    let site: &'static Site = Box::leak(Box::default());
    let is_event = kind.is_event();
    let names = (0..draws.below(8)).map(|at| match draws.below(12) {
        0 if is_event => leak(draws.text()),
        _ if at == 0 && is_event && !draws.one_in(4) => "message",
        _ => draws.of(NAMES),
    });
    let names: &'static [&'static str] = Box::leak(names.collect());
    let level = *draws.of(&[&Level::ERROR, &Level::WARN, &Level::INFO, &Level::DEBUG, &Level::TRACE]);
    let target = match draws.below(8) {
        0 => leak(draws.text()),
        1 => "log",
        _ => draws.of(&["shop", "shop::orders", "tokio::runtime"]),
    };
    let name = if draws.one_in(8) { leak(draws.text()) } else { draws.of(&["request", "connection", "query"]) };
    let file = [None, Some("src/main.rs"), Some("C:\\shop\\\"new\"\\main.rs")][draws.below(3)];
    let line = [None, Some(draws.below(10_000) as u32)][draws.below(2)];
    let fields = FieldSet::new(names, Identifier(site));
    site.0.get_or_init(|| Metadata::new(name, target, level, file, line, Some("shop"), fields, kind))
}
