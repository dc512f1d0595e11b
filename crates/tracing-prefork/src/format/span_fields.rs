//! What a layer keeps with a span: the span's fields, printed when the span was made or when they were recorded.
//!
//! The type is our own. `fmt` shares the printed fields among all its layers by type, and so the colours of a console
//! get into files. Each of our layers has an entry of its own, so a field that is recorded later is not printed twice.

use crate::format::fields::TextFields;
use crate::format::line::Line;
use crate::format::span_times::SpanTimes;
use std::fmt;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::registry::{Extensions, ExtensionsMut};

/// The printed fields of a span.
pub trait Fields: Default + Send + Sync + 'static {
    /// Values that are printed, and not yet kept.
    type Printed;

    /// Prints values. This calls the user's code, so the span's lock must not be held.
    fn print(values: &dyn RecordFields) -> (Self::Printed, fmt::Result);

    fn add(&mut self, printed: &Self::Printed);
}

/// `first=1 second="two"`
#[derive(Debug, Default)]
pub struct SpanText(pub(super) String);

impl Fields for SpanText {
    type Printed = Line;

    fn print(values: &dyn RecordFields) -> (Line, fmt::Result) {
        let mut line = Line::new();
        let mut fields = TextFields::new(&mut line);
        values.record(&mut fields);
        let result = fields.result;
        (line, result)
    }

    fn add(&mut self, printed: &Line) {
        let space = if self.0.is_empty() { "" } else { " " };
        self.0.reserve_exact(space.len() + printed.text().len());
        self.0.push_str(space);
        self.0.push_str(printed.text());
    }
}

/// What all layers of a type keep with a span.
#[derive(Debug)]
struct SpanData<F> {
    first: LayerData<F>,
    others: Vec<LayerData<F>>,
}

/// What one layer keeps with a span.
#[derive(Debug)]
pub(super) struct LayerData<F> {
    layer: u64,
    fields: F,
    pub(super) times: Option<SpanTimes>,
}

impl<F> SpanData<F> {
    fn of(&self, layer: u64) -> Option<&LayerData<F>> {
        if self.first.layer == layer {
            return Some(&self.first);
        }
        self.others.iter().find(|data| data.layer == layer)
    }
}

/// The fields that the layer has printed. A layer that has taken the place of another one (`reload`) finds the fields
/// that the other one has printed.
#[inline]
pub(super) fn fields_of<'a, F: Fields>(extensions: &'a Extensions<'_>, layer: u64) -> Option<&'a F> {
    let data = extensions.get::<SpanData<F>>()?;
    Some(&data.of(layer).unwrap_or(&data.first).fields)
}

/// What the layer has kept.
pub(super) fn data_of<'a, F: Fields>(extensions: &'a Extensions<'_>, layer: u64) -> Option<&'a LayerData<F>> {
    extensions.get::<SpanData<F>>()?.of(layer)
}

/// The same, to be changed.
pub(super) fn data_of_mut<'a, F: Fields>(
    extensions: &'a mut ExtensionsMut<'_>,
    layer: u64,
) -> Option<&'a mut LayerData<F>> {
    let data = extensions.get_mut::<SpanData<F>>()?;
    if data.first.layer == layer {
        return Some(&mut data.first);
    }
    data.others.iter_mut().find(|data| data.layer == layer)
}

/// Keeps the fields of a new span. `None`: they could not be printed.
pub(super) fn keep<F: Fields>(
    extensions: &mut ExtensionsMut<'_>,
    layer: u64,
    printed: Option<&F::Printed>,
    times: Option<SpanTimes>,
) {
    let mut fields = F::default();
    if let Some(printed) = printed {
        fields.add(printed);
    }
    let data = LayerData { layer, fields, times };
    match extensions.get_mut::<SpanData<F>>() {
        Some(all) => all.others.push(data),
        None => extensions.insert(SpanData { first: data, others: Vec::new() }),
    }
}

/// Adds fields that were recorded after the span was made.
pub(super) fn add<F: Fields>(extensions: &mut ExtensionsMut<'_>, layer: u64, printed: &F::Printed) {
    match data_of_mut::<F>(extensions, layer) {
        Some(data) => data.fields.add(printed),
        None => keep::<F>(extensions, layer, Some(printed), None),
    }
}
