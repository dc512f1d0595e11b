//! [`Shown`]: which parts of an event a layer prints.

/// The options of a layer that are on or off.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown {
    pub(super) time: bool,
    pub(super) level: bool,
    pub(super) target: bool,
    pub(super) thread_ids: bool,
    pub(super) thread_names: bool,
    pub(super) file: bool,
    pub(super) line_number: bool,
    /// JSON: the fields of an event stand beside its level and time.
    pub(super) flattened: bool,
    /// JSON: the innermost span.
    pub(super) current_span: bool,
    /// JSON: all spans.
    pub(super) span_list: bool,
}

impl Default for Shown {
    fn default() -> Self {
        Self {
            time: true,
            level: true,
            target: true,
            thread_ids: false,
            thread_names: false,
            file: false,
            line_number: false,
            flattened: false,
            current_span: true,
            span_list: true,
        }
    }
}
