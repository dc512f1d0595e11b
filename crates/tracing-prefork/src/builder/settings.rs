//! The options that all processes of a pattern should have alike, and what follows if they do not.

use crate::builder::options::Builder;
#[cfg(feature = "local-time")]
use crate::names::hidden::hash;
use crate::names::pattern::Pattern;
use crate::names::settings::{Setting, SharedSettings};
#[cfg(feature = "local-time")]
use crate::time::zone::Zone;
use crate::upkeep::link::Kind;

const PERIODS: &str = "files do not begin at the same times";
const PRUNED: &str = "the lower limit wins, because one process prunes for all";
const ROOM: &str = "on a full disk each process removes files by its own number";
const SIZE: &str = "files can grow beyond the lower limit";
const ARCHIVES: &str = "the process that has the turn decides";
const HOOK: &str = "a process without the hook can prune a file before the hook has it";
const LOCK: &str = "the lock does not keep out processes that do not take it";
const BUFFERED: &str = "a process without it writes without the lock, unless it has lock_writes";
const RINGS: &str = "a process does not find the rings that killed processes have left elsewhere";
const HEADER: &str = "only a file that a process with the header makes has the header";
const LINKS: &str = "a process renews only the links that it has set";
const MODE: &str = "the process that makes a file or a directory gives it its mode";

impl Builder {
    /// A line for each option. An option that is left out has `None`.
    pub(super) fn shared_settings(&self, pattern: &Pattern) -> SharedSettings {
        let all = [
            ("rotation", Some(self.rotation.to_string()), PERIODS),
            ("zone", pattern.has_date().then(|| self.zone_of(pattern)), PERIODS),
            ("max_log_files", number(self.max_log_files), PRUNED),
            ("max_age", self.max_age.map(|age| format!("{age:?}")), PRUNED),
            ("max_total_bytes", number(self.max_total_bytes), PRUNED),
            ("min_log_files", number(self.min_log_files), ROOM),
            ("max_file_bytes", number(self.max_file_bytes), SIZE),
            ("compress", self.compression.map(|kind| format!("{kind:?}")), ARCHIVES),
            ("keep_uncompressed", number(Some(self.keep_uncompressed).filter(|n| *n > 0)), ARCHIVES),
            ("on_finished", yes(self.hook.is_some()), HOOK),
            ("lock_writes", yes(self.lock_writes), LOCK),
            ("buffered", yes(self.is_buffered()), BUFFERED),
            ("ring_directory", self.ring_directory().map(|directory| directory.display().to_string()), RINGS),
            ("header", yes(self.header.is_some()), HEADER),
            ("latest_symlink", self.links_of(Kind::Symbolic), LINKS),
            ("latest_hard_link", self.links_of(Kind::Hard), LINKS),
            ("file_mode", mode(self.file_mode), MODE),
            ("directory_mode", mode(self.directory_mode), MODE),
        ];
        SharedSettings::new(all.map(|(option, value, effect)| Setting { option, value, effect }).into())
    }

    /// `Zone::Local` means something else on another machine, or under another `TZ`.
    #[cfg_attr(not(feature = "local-time"), allow(unused_variables, reason = "there is no local time"))]
    fn zone_of(&self, pattern: &Pattern) -> String {
        #[cfg(feature = "local-time")]
        if self.zone == Zone::Local {
            return format!("local ({:08x})", hash(&pattern.calendar().offsets().history()));
        }
        self.zone.to_string()
    }

    fn links_of(&self, kind: Kind) -> Option<String> {
        let mut names: Vec<_> =
            self.links.iter().filter(|link| link.kind() == kind).map(|link| link.option()).collect();
        names.sort_unstable();
        Some(names.join(", ")).filter(|names| !names.is_empty())
    }
}

fn number(value: Option<impl ToString>) -> Option<String> {
    value.map(|value| value.to_string())
}

fn yes(is_set: bool) -> Option<String> {
    is_set.then(|| "yes".to_owned())
}

fn mode(mode: Option<u32>) -> Option<String> {
    mode.map(|mode| format!("{mode:#o}"))
}
