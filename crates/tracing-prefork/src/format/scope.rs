//! The spans that an event stands in, the outermost first.

use tracing_subscriber::registry::{LookupSpan, SpanRef};

/// Up to this depth, spans are walked through without an allocation.
const SHALLOW: u32 = 64;

/// Calls `visit` with each span that `leaf` stands in, and with `leaf`.
///
/// `Scope::from_root` allocates a list of the spans. This function keeps the spans on the stack.
#[inline]
pub(super) fn each_from_root<'a, S: LookupSpan<'a>>(leaf: SpanRef<'a, S>, visit: &mut impl FnMut(&SpanRef<'a, S>)) {
    match leaf.parent() {
        None => visit(&leaf),
        Some(parent) => {
            each_below(parent, SHALLOW, visit);
            visit(&leaf);
        }
    }
}

fn each_below<'a, S: LookupSpan<'a>>(leaf: SpanRef<'a, S>, shallow: u32, visit: &mut impl FnMut(&SpanRef<'a, S>)) {
    match (leaf.parent(), shallow) {
        (Some(parent), 1..) => {
            each_below(parent, shallow - 1, visit);
            visit(&leaf);
        }
        (Some(_), 0) => leaf.scope().from_root().for_each(|span| visit(&span)),
        (None, _) => visit(&leaf),
    }
}
