//! A random sequence of events and spans, the same one for the same seed.

use super::draws::Draws;
use super::pairs::take_leftover;
use super::values::{Allowed, value};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use tracing::dispatcher::{self, Dispatch};
use tracing::field::Value;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata};

use crate::common::{Hand, NOW};

/// How deep spans are nested.
const DEEPEST: usize = 8;

/// What a script draws from.
pub(super) struct Material {
    pub(super) events: Vec<&'static Metadata<'static>>,
    pub(super) spans: Vec<&'static Metadata<'static>>,
    pub(super) hand: Hand,
    pub(super) is_json: bool,
}

/// The events of all scripts.
pub(super) static EVENTS: AtomicU64 = AtomicU64::new(0);

/// The state of a script that runs.
struct Run<'a> {
    material: &'a Material,
    draws: Draws,
    dispatch: Dispatch,
    /// Open spans. Of these, the first ones are entered.
    spans: Vec<(Id, &'static Metadata<'static>)>,
    entered: Vec<Id>,
}

pub(super) fn run(material: &Material, seed: u64, steps: u64) {
    let dispatch = dispatcher::get_default(Clone::clone);
    let mut run = Run { material, draws: Draws::new(seed), dispatch, spans: Vec::new(), entered: Vec::new() };
    for step in 0..steps {
        // Time goes on, and sometimes back.
        let nanos = run.draws.bits() % 1_000_000_000;
        material.hand.set(NOW + step % 90, nanos);
        match run.draws.below(16) {
            0..2 => run.open(),
            2 if !run.spans.is_empty() => run.record(),
            3 if !run.entered.is_empty() => run.leave(),
            4 if !run.spans.is_empty() => run.close(),
            5 => run.log_record(),
            6 => run.macros(),
            _ => run.event(),
        }
    }
    while !run.entered.is_empty() {
        run.leave();
    }
    while !run.spans.is_empty() {
        run.close();
    }
}

impl Run<'_> {
    fn values(&mut self, metadata: &Metadata<'_>, allowed: Allowed) -> Vec<Option<Box<dyn Value>>> {
        metadata.fields().iter().map(|_| (!self.draws.one_in(10)).then(|| value(&mut self.draws, allowed))).collect()
    }

    /// A span: of the current one, of any other one, or of none. As a rule it is entered.
    fn open(&mut self) {
        if self.spans.len() == DEEPEST {
            return self.close();
        }
        let metadata = self.material.spans[self.draws.below(self.material.spans.len())];
        let allowed = Allowed { failures: false, events: true, long_floats: !self.material.is_json };
        let values = self.values(metadata, allowed);
        let values: Vec<_> = values.iter().map(Option::as_deref).collect();
        let values = metadata.fields().value_set_all(&values);
        let attributes = match self.draws.below(6) {
            0 => Attributes::new_root(metadata, &values),
            1 if !self.spans.is_empty() => {
                let parent = self.spans[self.draws.below(self.spans.len())].0.clone();
                Attributes::child_of(parent, metadata, &values)
            }
            _ => Attributes::new(metadata, &values),
        };
        let id = self.dispatch.new_span(&attributes);
        if !self.draws.one_in(5) {
            self.dispatch.enter(&id);
            self.entered.push(id.clone());
        }
        self.spans.push((id, metadata));
    }

    fn record(&mut self) {
        let (id, metadata) = self.spans[self.draws.below(self.spans.len())].clone();
        // In `fmt`, a value that logs an event while its span's fields are recorded waits for itself.
        let allowed = Allowed { failures: false, events: false, long_floats: !self.material.is_json };
        let values = self.values(metadata, allowed);
        let values: Vec<_> = values.iter().map(Option::as_deref).collect();
        self.dispatch.record(&id, &Record::new(&metadata.fields().value_set_all(&values)));
        if self.draws.one_in(3) {
            let (other, _) = self.spans[self.draws.below(self.spans.len())].clone();
            self.dispatch.record_follows_from(&id, &other);
        }
    }

    /// Leaves the span that was entered last, or another one.
    fn leave(&mut self) {
        let at = if self.draws.one_in(4) { self.draws.below(self.entered.len()) } else { self.entered.len() - 1 };
        let id = self.entered.remove(at);
        self.dispatch.exit(&id);
    }

    fn close(&mut self) {
        let (id, _) = self.spans.remove(self.draws.below(self.spans.len()));
        while let Some(at) = self.entered.iter().position(|entered| *entered == id) {
            self.entered.remove(at);
            self.dispatch.exit(&id);
        }
        self.dispatch.try_close(id);
    }

    fn event(&mut self) {
        let metadata = self.material.events[self.draws.below(self.material.events.len())];
        let allowed = Allowed { failures: self.draws.one_in(4), events: true, long_floats: true };
        let values = self.values(metadata, allowed);
        let values: Vec<_> = values.iter().map(Option::as_deref).collect();
        let values = metadata.fields().value_set_all(&values);
        let event = match self.draws.below(8) {
            0 => Event::new_child_of(None, metadata, &values),
            1 if !self.spans.is_empty() => {
                let parent = self.spans[self.draws.below(self.spans.len())].0.clone();
                Event::new_child_of(parent, metadata, &values)
            }
            _ => Event::new(metadata, &values),
        };
        EVENTS.fetch_add(1, Relaxed);
        let _ = catch_unwind(AssertUnwindSafe(|| self.dispatch.event(&event)));
        if allowed.failures {
            take_leftover();
        }
    }

    /// A record of the `log` crate.
    fn log_record(&mut self) {
        let (text, target) = (self.draws.text(), self.draws.text());
        let level = *self.draws.of(&[&log::Level::Error, &log::Level::Info, &log::Level::Trace]);
        let mut record = log::Record::builder();
        record.level(level).target(&target).module_path(Some("module"));
        record.file(Some("src/log.rs").filter(|_| self.draws.one_in(2)));
        record.line(Some(17).filter(|_| self.draws.one_in(2)));
        EVENTS.fetch_add(1, Relaxed);
        log::logger().log(&record.args(format_args!("{text}")).build());
    }

    /// Events of macros.
    fn macros(&mut self) {
        let (text, number) = (self.draws.text(), self.draws.bits());
        EVENTS.fetch_add(1, Relaxed);
        match self.draws.below(6) {
            0 => tracing::info!("without a value"),
            1 => tracing::info!(number, %text, "with {text:?} in it"),
            2 => tracing::error!(target: "shop", { r#type = ?text, number = 2.5 }, "{number:#x}"),
            3 => tracing::debug!(name: "named", message = text, "quoted name" = number),
            4 => tracing::trace!(message = number, log.note = 1),
            _ => tracing::warn!(?text, parts = ?["a", "b"], message = %text),
        }
    }
}
