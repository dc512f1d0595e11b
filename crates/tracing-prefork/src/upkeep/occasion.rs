//! [`Occasion`]: what has had a job done.

/// What has had a job done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// A rollover, or the time that was planned.
    Schedule,
    /// Somebody has called the method for this job. The hook is also called for files on which it failed a moment ago.
    ByHand,
    /// Somebody has called `close()`. As `ByHand`, and the current files count as over.
    Closing,
}
