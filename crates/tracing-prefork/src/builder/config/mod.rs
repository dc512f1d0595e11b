//! [`Settings`]: the options of an appender that are plain data, for configuration files.
//!
//! One list makes the fields, the names and the readers. Tests find a field that `Builder::settings` forgets, and
//! compare the list with the options of [`Builder`].

mod buffering;
mod given;
mod values;

#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::buffer::options::WhenFull;
use crate::builder::options::Builder;
use crate::report::parse_error::{ParseError, What};
use crate::time::rotation::Rotation;
use crate::time::zone::Zone;
use crate::upkeep::compression::Compression;
use crate::upkeep::link::Kind;
use given::Given;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Error as _, Serialize, SerializeMap, Serializer};
use std::fmt;
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::path::PathBuf;
use std::time::Duration;
#[cfg(any(target_os = "linux", target_os = "android"))]
use tracing_core::Level;
use values::Value;

macro_rules! settings {
    ($($(#[doc = $doc:literal])* $(#[cfg($cfg:meta)])? $name:ident: $kind:ty,)*) => {
        /// The options of [`Builder`] that are plain data, each under its own name: for configuration files, command
        /// lines and environment variables.
        ///
        /// An option that is left out has the default of [`Builder`]. Three kinds of values are written as texts:
        ///
        /// * a time, such as `"30 days"`, `"12h"` or `"10 ms"`. A number alone is refused, because it has no unit.
        /// * a size, such as `"10 GB"` (1000³ bytes) or `"512 MiB"` (1024² bytes). A number alone is a number of
        ///   bytes.
        /// * permissions, such as `"640"`. A number is refused: JSON and YAML would read it as decimal.
        ///
        /// A name that is no option is refused. An error names the option and the value.
        ///
        /// `Deserialize` needs a format that tells which type a value has, as TOML, YAML and JSON do. Within a struct
        /// of your own, give the settings a field: `serde(flatten)` does not refuse unknown names. `null` counts as
        /// left out. `Serialize` writes the options that are not left out.
        ///
        /// ```
        /// use tracing_prefork::{Builder, Settings};
        ///
        /// # let directory = tempfile::tempdir()?;
        /// let mut settings: Settings = toml::from_str(
        ///     r#"
        ///     rotation = "daily"
        ///     filename_prefix = "app"
        ///     filename_suffix = "log"
        ///     max_age = "30 days"
        ///     max_total_bytes = "10 GB"
        ///     latest_symlink = "latest.log"
        ///     "#,
        /// )?;
        /// settings.set("max_log_files", "14")?; // from a command line, for example
        /// settings.lock_writes = Some(true);
        /// let logs = Builder::from(settings).on_error(|error| eprintln!("{error}")).build(directory.path())?;
        ///
        /// let error = toml::from_str::<Settings>("max_age = 30").unwrap_err();
        /// assert!(error.to_string().contains("max_age 30: a number has no unit"), "{error}");
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// ```
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Settings {
            $($(#[doc = $doc])* $(#[cfg($cfg)])? pub $name: $kind,)*
        }

        impl Settings {
            /// The names of all options.
            ///
            /// ```
            /// use tracing_prefork::Settings;
            ///
            /// let mut settings = Settings::default();
            /// for name in Settings::NAMES {
            ///     if let Ok(text) = std::env::var(format!("APP_LOG_{}", name.to_uppercase())) {
            ///         settings.set(name, &text)?;
            ///     }
            /// }
            /// # assert_eq!(settings, Settings::default());
            /// # Ok::<(), tracing_prefork::ParseError>(())
            /// ```
            pub const NAMES: &'static [&'static str] = &[$($(#[cfg($cfg)])? stringify!($name)),*];

            /// Takes the value of one option. An error says what is wrong with the value.
            fn read(&mut self, name: &str, given: Given) -> Result<(), String> {
                match name {
                    $($(#[cfg($cfg)])? stringify!($name) => self.$name = Value::read(given)?,)*
                    _ => return Err(format!("there is no such option; expected one of {}", Self::NAMES.join(", "))),
                }
                Ok(())
            }

            /// The values that are not the default.
            fn written(&self) -> Result<Vec<(&'static str, Given)>, String> {
                let default = Self::default();
                let mut written = Vec::new();
                $($(#[cfg($cfg)])? if self.$name != default.$name {
                    let name = stringify!($name);
                    written.push((name, self.$name.write().map_err(|reason| format!("{name} {reason}"))?));
                })*
                Ok(written)
            }
        }
    };
}

// Add an option here and to `Builder::settings` below.
settings! {
    /// [`Builder::rotation`]: a text such as `"daily"`, `"6 hours"` or `"daily at 04:00"`.
    rotation: Option<Rotation>,
    /// [`Builder::zone`]: a text such as `"UTC"`, `"local"`, `"+05:30"` or `"Asia/Shanghai"`.
    zone: Option<Zone>,
    /// [`Builder::filename_prefix`].
    filename_prefix: Option<String>,
    /// [`Builder::filename_suffix`].
    filename_suffix: Option<String>,
    /// [`Builder::tag`].
    tag: Option<String>,
    /// [`Builder::per_process`].
    per_process: Option<bool>,
    /// [`Builder::date_format`].
    date_format: Option<String>,
    /// [`Builder::max_log_files`].
    max_log_files: Option<usize>,
    /// [`Builder::min_log_files`].
    min_log_files: Option<usize>,
    /// [`Builder::max_age`]: a time.
    max_age: Option<Duration>,
    /// [`Builder::max_total_bytes`]: a size.
    max_total_bytes: Option<u64>,
    /// [`Builder::max_file_bytes`]: a size.
    max_file_bytes: Option<u64>,
    /// [`Builder::compress`]: `"gzip"` or `"zstd"`, each of which needs the feature of its name.
    compress: Option<Compression>,
    /// [`Builder::keep_uncompressed`].
    keep_uncompressed: Option<usize>,
    /// [`Builder::background_priority`].
    background_priority: Option<bool>,
    /// [`Builder::lock_writes`].
    lock_writes: Option<bool>,
    /// Whether events are [buffered](Builder::buffered). The next five options say how, and have no effect without it.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    buffered: Option<bool>,
    /// [`Buffering::ring_bytes`](crate::Buffering::ring_bytes): a size.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    ring_bytes: Option<u64>,
    /// [`Buffering::max_delay`](crate::Buffering::max_delay): a time.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    max_delay: Option<Duration>,
    /// [`Buffering::when_full`](crate::Buffering::when_full): `"write"` or `"drop"`.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    when_ring_full: Option<WhenFull>,
    /// [`Buffering::flush_level`](crate::Buffering::flush_level): a level such as `"error"`.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    flush_level: Option<Level>,
    /// [`Buffering::ring_directory`](crate::Buffering::ring_directory): a path. Rings are also looked for there by a
    /// process that is not buffered.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    ring_directory: Option<PathBuf>,
    /// [`Builder::latest_symlink`]: a name, or a list of names.
    latest_symlink: Vec<String>,
    /// [`Builder::latest_hard_link`]: a name, or a list of names.
    latest_hard_link: Vec<String>,
    /// [`Builder::file_mode`]: permissions.
    file_mode: Option<u32>,
    /// [`Builder::directory_mode`]: permissions.
    directory_mode: Option<u32>,
}

impl Settings {
    /// Sets one option by its name, to a value that is written as a text. Numbers, `true` and `false` are texts here,
    /// too. A list of names has one name.
    ///
    /// # Errors
    ///
    /// There is no option of this name, or the text is no value of it.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tracing_prefork::Settings;
    ///
    /// let mut settings = Settings::default();
    /// settings.set("max_age", "12h")?;
    /// settings.set("file_mode", "640")?;
    /// assert_eq!(settings.max_age, Some(Duration::from_secs(12 * 3600)));
    /// assert_eq!(settings.file_mode, Some(0o640));
    ///
    /// let error = settings.set("max_file_bytes", "100 megs").unwrap_err();
    /// assert!(error.to_string().starts_with("max_file_bytes \"100 megs\": expected a size such as"));
    /// # Ok::<(), tracing_prefork::ParseError>(())
    /// ```
    pub fn set(&mut self, name: &str, text: &str) -> Result<(), ParseError> {
        let option = Self::NAMES.iter().find(|option| **option == name);
        let (what, value) = option.map_or((What::Option("option"), name), |option| (What::Option(option), text));
        let error = |reason: String| ParseError::new(what, value, reason);
        self.read(name, Given::Text(text.to_owned())).map_err(error)
    }
}

impl From<Settings> for Builder {
    fn from(settings: Settings) -> Self {
        Self::new().settings(settings)
    }
}

impl Builder {
    /// Sets the options that the settings do not leave out, instead of what they were before. So the options of the
    /// program, of a file and of the environment can be put together. A list of links takes the place of the links of
    /// its kind. A `tag` takes the place of `per_process`, and the other way round.
    ///
    /// ```
    /// use tracing_prefork::{Builder, Rotation, Settings};
    ///
    /// # let directory = tempfile::tempdir()?;
    /// let mut settings = Settings::default();
    /// settings.set("filename_prefix", "app")?;
    /// let logs = Builder::new().rotation(Rotation::DAILY).settings(settings).build(directory.path())?;
    /// # assert!(logs.period_at(std::time::SystemTime::now()).end.is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn settings(self, settings: Settings) -> Self {
        let builder = self.buffering_settings(&settings);
        // Each other field by its name. A test sees to it that none is forgotten.
        let Settings {
            rotation,
            zone,
            filename_prefix,
            filename_suffix,
            tag,
            per_process,
            date_format,
            max_log_files,
            min_log_files,
            max_age,
            max_total_bytes,
            max_file_bytes,
            compress,
            keep_uncompressed,
            background_priority,
            lock_writes,
            latest_symlink,
            latest_hard_link,
            file_mode,
            directory_mode,
            ..
        } = settings;
        // A tag and the process id exclude each other: the later one counts.
        let own_tag = if per_process == Some(true) { None } else { builder.tag };
        let mut builder = Self {
            rotation: rotation.unwrap_or(builder.rotation),
            zone: zone.unwrap_or(builder.zone),
            per_process: per_process.unwrap_or(builder.per_process && tag.is_none()),
            tag: tag.or(own_tag),
            date_format: date_format.or(builder.date_format),
            max_log_files: max_log_files.or(builder.max_log_files),
            min_log_files: min_log_files.or(builder.min_log_files),
            max_age: max_age.or(builder.max_age),
            max_total_bytes: max_total_bytes.or(builder.max_total_bytes),
            max_file_bytes: max_file_bytes.or(builder.max_file_bytes),
            compression: compress.or(builder.compression),
            keep_uncompressed: keep_uncompressed.unwrap_or(builder.keep_uncompressed),
            lock_writes: lock_writes.unwrap_or(builder.lock_writes),
            file_mode: file_mode.or(builder.file_mode),
            directory_mode: directory_mode.or(builder.directory_mode),
            ..builder
        };
        for (kind, names) in [(Kind::Symbolic, latest_symlink), (Kind::Hard, latest_hard_link)] {
            builder = builder.replace_links(kind, names);
        }
        // An empty text is no prefix and no suffix.
        if let Some(prefix) = filename_prefix {
            builder = builder.filename_prefix(prefix);
        }
        if let Some(suffix) = filename_suffix {
            builder = builder.filename_suffix(suffix);
        }
        background_priority.into_iter().fold(builder, Self::background_priority)
    }

    /// The links of a kind, instead of those from before. No name leaves these as they are.
    fn replace_links(mut self, kind: Kind, names: Vec<String>) -> Self {
        if !names.is_empty() {
            self.links.retain(|link| link.kind() != kind);
        }
        names.into_iter().fold(self, |builder, name| builder.link(kind, name))
    }
}

/// Reads a map of options.
struct Options;

impl<'de> Visitor<'de> for Options {
    type Value = Settings;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the options of an appender, each by its name")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Settings, M::Error> {
        let mut settings = Settings::default();
        let mut seen = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            let Some(name) = Settings::NAMES.iter().find(|option| **option == name) else {
                return Err(de::Error::unknown_field(&name, Settings::NAMES));
            };
            if seen.contains(name) {
                return Err(de::Error::duplicate_field(name));
            }
            seen.push(*name);
            let given: Given = map.next_value()?;
            if given == Given::Nothing {
                continue;
            }
            let value = given.to_string();
            settings.read(name, given).map_err(|reason| de::Error::custom(format_args!("{name} {value}: {reason}")))?;
        }
        Ok(settings)
    }
}

impl<'de> Deserialize<'de> for Settings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_struct("Settings", Self::NAMES, Options)
    }
}

impl Serialize for Settings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let written = self.written().map_err(S::Error::custom)?;
        let mut map = serializer.serialize_map(Some(written.len()))?;
        for (name, given) in written {
            map.serialize_entry(name, &given)?;
        }
        map.end()
    }
}
