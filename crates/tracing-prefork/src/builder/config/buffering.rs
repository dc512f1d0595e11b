//! The settings that say whether and how events are buffered.

#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::buffer::options::Buffering;
use crate::builder::config::Settings;
use crate::builder::options::Builder;

impl Builder {
    /// Sets these options, as far as the settings do not leave them out.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(super) fn buffering_settings(self, settings: &Settings) -> Self {
        let before = self.buffering;
        let ring_bytes = settings.ring_bytes.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        let buffering = Buffering {
            ring_bytes: ring_bytes.unwrap_or(before.ring_bytes),
            max_delay: settings.max_delay.unwrap_or(before.max_delay),
            when_full: settings.when_ring_full.unwrap_or(before.when_full),
            flush_level: settings.flush_level.or(before.flush_level),
            ring_directory: settings.ring_directory.clone().or(before.ring_directory),
            thread_name: before.thread_name,
        };
        Self { buffered: settings.buffered.unwrap_or(self.buffered), buffering, ..self }
    }

    /// There are no rings here.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(super) fn buffering_settings(self, _settings: &Settings) -> Self {
        self
    }
}
