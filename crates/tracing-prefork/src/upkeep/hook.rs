//! [`Hook`]: the user's function that finished files are handed over to, `on_finished`.

use crate::process::user_code;
use crate::time::calendar::Period;
use std::error::Error;
use std::fmt;
use std::io;
use std::path::Path;

type Answer = Result<(), Box<dyn Error + Send + Sync>>;
type Function = dyn Fn(&Path, Period) -> Answer + Send + Sync;

/// `Builder::on_finished`.
pub(crate) struct Hook(Box<Function>);

impl Hook {
    pub(crate) fn new(hook: impl Fn(&Path, Period) -> Answer + Send + Sync + 'static) -> Self {
        Self(Box::new(hook))
    }

    /// Calls it. A panic ends here and counts as a failure.
    pub(super) fn call(&self, path: &Path, period: Period) -> io::Result<()> {
        user_code::run("on_finished", || (self.0)(path, period))?.map_err(io::Error::other)
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hook")
    }
}
