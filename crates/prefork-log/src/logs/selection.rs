//! [`Selection`]: the arguments that say which log files are read.

use crate::logs::listing::{self, Row};
use crate::options::Names;
use clap::Args;
use tracing_prefork::{LogFiles, Zone};

/// Which files are read.
#[derive(Clone, Debug, Args)]
pub(crate) struct Selection {
    #[command(flatten)]
    pub(crate) names: Names,
    /// Only the files of this tag; may be given several times
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
}

impl Selection {
    /// The files of each pattern that is meant. None if no pattern is known in the directory.
    pub(crate) fn patterns(&self) -> Result<Vec<LogFiles>, String> {
        let settings = self.names.settings().map_err(|failure| failure.to_string())?;
        self.names.patterns_so_far(settings, |builder| builder).map_err(|failure| failure.to_string())
    }

    /// The zone of times without an offset.
    pub(crate) fn zone(&self) -> Result<Zone, String> {
        self.names.zone_of(&self.patterns()?).map_err(|failure| failure.to_string())
    }

    /// The rows of files that are meant, and are there now.
    pub(crate) fn rows(&self) -> Result<Vec<Row>, String> {
        let mut rows = Vec::new();
        for files in self.patterns()? {
            rows.extend(listing::rows(&files, &self.tag).map_err(|error| error.to_string())?);
        }
        rows.sort_by(|one, other| one.key.cmp(&other.key));
        Ok(rows)
    }

    /// What to say if no pattern is known.
    pub(crate) fn nothing_known(&self) -> String {
        self.names.nothing_known().to_string()
    }
}
