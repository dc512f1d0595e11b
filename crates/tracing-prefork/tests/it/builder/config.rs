//! The feature `serde`: the options of an appender in configuration files and on command lines. Linux and Android,
//! because `Settings` has more options there.

#![cfg(any(target_os = "linux", target_os = "android"))]

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;
use tracing_prefork::{Buffering, Builder, Rotation, Settings, Weekday, WhenFull, Zone};

/// Everything that a file can say, but what needs a further feature of the library.
const TOML: &str = r#"
rotation = "monday at 04:00"
zone = "+05:30"
filename_prefix = "app"
filename_suffix = "log"
tag = "worker-3"
per_process = true
date_format = "%Y%m%d"
max_log_files = 14
min_log_files = 2
max_age = "30 days"
max_total_bytes = "10 GB"
max_file_bytes = "512 MiB"
keep_uncompressed = 1
background_priority = false
lock_writes = true
buffered = true
ring_bytes = "4 MiB"
max_delay = "50 milliseconds"
when_ring_full = "drop"
flush_level = "error"
ring_directory = "/dev/shm/logs"
latest_symlink = "latest.log"
latest_hard_link = ["now.log", "current.log"]
file_mode = "640"
directory_mode = "2750"
"#;

const YAML: &str = "
rotation: monday at 04:00
zone: +05:30
filename_prefix: app
filename_suffix: log
tag: worker-3
per_process: true
date_format: '%Y%m%d'
max_log_files: 14
min_log_files: 2
max_age: 30 days
max_total_bytes: 10 GB
max_file_bytes: 512 MiB
keep_uncompressed: 1
background_priority: false
lock_writes: true
buffered: true
ring_bytes: 4 MiB
max_delay: 50 ms
when_ring_full: drop
flush_level: error
ring_directory: /dev/shm/logs
latest_symlink: latest.log
latest_hard_link: [now.log, current.log]
file_mode: '640'
directory_mode: '2750'
";

const JSON: &str = r#"{
    "rotation": "monday at 04:00", "zone": "+05:30", "filename_prefix": "app", "filename_suffix": "log",
    "tag": "worker-3", "per_process": true, "date_format": "%Y%m%d",
    "max_log_files": 14, "min_log_files": 2, "max_age": "30 days",
    "max_total_bytes": "10 GB", "max_file_bytes": "512 MiB", "keep_uncompressed": 1, "background_priority": false,
    "lock_writes": true, "buffered": true, "ring_bytes": 4194304, "max_delay": "50ms", "when_ring_full": "drop",
    "flush_level": "ERROR", "ring_directory": "/dev/shm/logs",
    "latest_symlink": "latest.log", "latest_hard_link": ["now.log", "current.log"],
    "file_mode": "640", "directory_mode": "2750"
}"#;

fn all() -> Settings {
    let mut all = Settings::default();
    all.rotation = Some(Rotation::weekly_on(Weekday::Monday).at(4, 0));
    all.zone = Some(Zone::Fixed(19_800));
    all.filename_prefix = Some("app".to_owned());
    all.filename_suffix = Some("log".to_owned());
    all.tag = Some("worker-3".to_owned());
    all.per_process = Some(true);
    all.date_format = Some("%Y%m%d".to_owned());
    all.max_log_files = Some(14);
    all.min_log_files = Some(2);
    all.max_age = Some(Duration::from_secs(30 * 24 * 3600));
    all.max_total_bytes = Some(10_000_000_000);
    all.max_file_bytes = Some(512 << 20);
    all.keep_uncompressed = Some(1);
    all.background_priority = Some(false);
    all.lock_writes = Some(true);
    all.buffered = Some(true);
    all.ring_bytes = Some(4 << 20);
    all.max_delay = Some(Duration::from_millis(50));
    all.when_ring_full = Some(WhenFull::Drop);
    all.flush_level = Some(tracing::Level::ERROR);
    all.ring_directory = Some("/dev/shm/logs".into());
    all.latest_symlink = vec!["latest.log".to_owned()];
    all.latest_hard_link = vec!["now.log".to_owned(), "current.log".to_owned()];
    all.file_mode = Some(0o640);
    all.directory_mode = Some(0o2750);
    all
}

#[test]
fn toml_yaml_and_json_say_the_same() {
    assert_eq!(toml::from_str::<Settings>(TOML).expect("TOML"), all());
    assert_eq!(serde_saphyr::from_str::<Settings>(YAML).expect("YAML"), all());
    assert_eq!(serde_json::from_str::<Settings>(JSON).expect("JSON"), all());
}

/// The code of one language on the page `docs/guide.md` below the heading "Settings in a file".
fn in_the_guide(language: &str) -> String {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide.md");
    let guide = std::fs::read_to_string(guide).expect("readable");
    let section = guide.split("\n## ").find(|section| section.starts_with("Settings in a file")).expect("the section");
    let block = section.split_once(&format!("\n```{language}\n")).expect(language).1;
    block.split_once("\n```").expect("the end").0.to_owned()
}

#[test]
fn the_guide_says_the_same_in_each_format() {
    let toml: Settings = toml::from_str(&in_the_guide("toml")).expect("TOML");
    assert_eq!(toml.max_age, Some(Duration::from_secs(30 * 24 * 3600)));
    assert_eq!(serde_saphyr::from_str::<Settings>(&in_the_guide("yaml")).expect("YAML"), toml);
    assert_eq!(serde_json::from_str::<Settings>(&in_the_guide("json")).expect("JSON"), toml);
    let errors = in_the_guide("text");
    for (json, error) in [r#"{"max_age": 30}"#, r#"{"file_mode": 640}"#].into_iter().zip(errors.lines()) {
        let told = serde_json::from_str::<Settings>(json).expect_err("refused").to_string();
        assert!(told.starts_with(error), "{told}");
    }
}

#[test]
fn what_is_written_is_read_back() {
    for settings in [all(), Settings::default()] {
        let toml = toml::to_string(&settings).expect("TOML");
        assert_eq!(toml::from_str::<Settings>(&toml).expect("TOML"), settings, "{toml}");
        let yaml = serde_saphyr::to_string(&settings).expect("YAML");
        assert_eq!(serde_saphyr::from_str::<Settings>(&yaml).expect("YAML"), settings, "{yaml}");
        let json = serde_json::to_string(&settings).expect("JSON");
        assert_eq!(serde_json::from_str::<Settings>(&json).expect("JSON"), settings, "{json}");
    }
    let written = toml::to_string(&all()).expect("TOML");
    assert_eq!(written.lines().collect::<BTreeSet<_>>(), TOML.trim().lines().collect::<BTreeSet<_>>());
    assert_eq!(serde_json::to_string(&Settings::default()).expect("JSON"), "{}");
    let mut settings = Settings::default();
    settings.max_age = Some(Duration::from_micros(1500));
    let error = serde_json::to_string(&settings).expect_err("no text says it");
    assert_eq!(error.to_string(), "max_age 1.5ms: a time is written in whole milliseconds");
}

#[test]
fn an_error_names_the_option_and_the_value() {
    let age = "a number has no unit; write \"30 days\", \"12 hours\" or \"90 minutes\", for example";
    let kind = "expected a time such as \"30 days\", \"12h\" or \"10 ms\"";
    let size = "expected a size such as \"10 GB\" (1000³ bytes), \"512 MiB\" (1024² bytes) or a whole number of bytes";
    let octal = "some formats read a number as decimal; write the octal digits as a text, such as \"640\"";
    let mode = "expected permissions as a text of octal digits, such as \"640\"";
    let names = "expected a name, or a list of names";
    let cases = [
        ("max_age", "30", age),
        ("max_age", "\"30\"", age),
        ("max_age", "\"3 months\"", kind),
        ("max_age", "-3", kind),
        ("max_age", "\"99999999999999 weeks\"", "this is too long; leave the option out for no limit"),
        ("max_total_bytes", "\"10G\"", size),
        ("max_total_bytes", "1.5", size),
        ("max_file_bytes", "\"1.5 GB\"", size),
        ("max_file_bytes", "\"99999999999 GB\"", "this is too large; leave the option out for no limit"),
        ("file_mode", "640", octal),
        ("file_mode", "\"rw-r-----\"", mode),
        ("directory_mode", "\"0o980\"", mode),
        ("max_log_files", "\"many\"", "expected a whole number"),
        ("max_log_files", "-1", "expected a whole number"),
        ("keep_uncompressed", "true", "expected a whole number"),
        ("lock_writes", "\"yes\"", "expected true or false"),
        ("buffered", "\"1 MiB\"", "expected true or false"),
        ("ring_bytes", "\"1 meg\"", size),
        ("max_delay", "10", age),
        ("max_delay", "\"10 us\"", kind),
        ("when_ring_full", "\"wait\"", "expected `write` or `drop`"),
        ("when_ring_full", "true", "expected \"write\" or \"drop\""),
        ("flush_level", "\"fatal\"", "expected \"error\", \"warn\", \"info\", \"debug\" or \"trace\""),
        ("flush_level", "1", "expected \"error\", \"warn\", \"info\", \"debug\" or \"trace\""),
        ("ring_directory", "\"\"", "expected a directory"),
        ("ring_directory", "7", "expected a text; put it in quotes"),
        ("background_priority", "1", "expected true or false"),
        ("filename_prefix", "7", "expected a text; put it in quotes"),
        ("filename_suffix", "[\"log\"]", "expected a text"),
        ("latest_symlink", "[1]", names),
        ("latest_hard_link", "false", names),
        ("rotation", "\"dayly\"", "expected one such as `daily`, `6 hours`, `monday` or `daily at 04:00`"),
        ("rotation", "7", "expected a text such as \"daily at 04:00\""),
        ("zone", "330", "expected a text such as \"UTC\" or \"+05:30\""),
        ("compress", "\"lz4\"", "expected `gzip` or `zstd`"),
    ];
    for (option, value, reason) in cases {
        let expected = format!("{option} {value}: {reason}");
        let toml = toml::from_str::<Settings>(&format!("{option} = {value}")).expect_err("TOML").to_string();
        assert!(toml.contains(&format!("\n{expected}\n")) && toml.contains("at line 1, column"), "{expected}\n{toml}");
        let yaml = serde_saphyr::from_str::<Settings>(&format!("{option}: {value}")).expect_err("YAML").to_string();
        assert!(yaml.contains(&expected), "{expected}\n{yaml}");
        let json = serde_json::from_str::<Settings>(&format!("{{\"{option}\": {value}}}")).expect_err("JSON");
        let json = json.to_string();
        assert!(json.starts_with(&format!("{expected} at line 1")), "{expected}\n{json}");
    }
}

#[test]
fn an_unknown_option_is_refused() {
    let expected = "unknown field `max_logs`, expected one of `rotation`, `zone`, `filename_prefix`, ";
    let toml = toml::from_str::<Settings>("max_logs = 3").expect_err("TOML").to_string();
    assert!(toml.contains(expected), "{toml}");
    let yaml = serde_saphyr::from_str::<Settings>("max_logs: 3").expect_err("YAML").to_string();
    assert!(yaml.contains("unknown field `max_logs`, expected one of rotation, zone, filename_prefix, "), "{yaml}");
    let json = serde_json::from_str::<Settings>(r#"{"max_logs": 3}"#).expect_err("JSON").to_string();
    assert!(json.contains(expected), "{json}");
    let error = Settings::default().set("max_logs", "3").expect_err("refused").to_string();
    assert!(
        error.starts_with("option \"max_logs\": there is no such option; expected one of rotation, zone"),
        "{error}"
    );
    let json = serde_json::from_str::<Settings>(r#"{"zone": "UTC", "zone": "UTC"}"#).expect_err("JSON").to_string();
    assert!(json.contains("duplicate field `zone`"), "{json}");
    let json = serde_json::from_str::<Settings>("7").expect_err("JSON").to_string();
    assert!(json.contains("expected the options of an appender, each by its name"), "{json}");
}

#[test]
fn null_is_the_same_as_left_out() {
    let nulls: Vec<_> = Settings::NAMES.iter().map(|name| format!("\"{name}\": null")).collect();
    let settings: Settings = serde_json::from_str(&format!("{{{}}}", nulls.join(","))).expect("JSON");
    assert_eq!(settings, Settings::default());
    assert_eq!(serde_saphyr::from_str::<Settings>("max_age:\nzone: ~\n").expect("YAML"), Settings::default());
}

#[test]
fn texts_set_each_option() {
    let mut settings = Settings::default();
    let values = [
        ("rotation", "monday at 04:00"),
        ("zone", "+05:30"),
        ("filename_prefix", "app"),
        ("filename_suffix", "log"),
        ("tag", "worker-3"),
        ("per_process", "true"),
        ("date_format", "%Y%m%d"),
        ("max_log_files", "14"),
        ("min_log_files", "2"),
        ("max_age", "30d"),
        ("max_total_bytes", "10000000000"),
        ("max_file_bytes", "512mib"),
        ("keep_uncompressed", "1"),
        ("background_priority", "false"),
        ("lock_writes", "true"),
        ("buffered", "true"),
        ("ring_bytes", "4 mib"),
        ("max_delay", "50 MS"),
        ("when_ring_full", "DROP"),
        ("flush_level", "Error"),
        ("ring_directory", "/dev/shm/logs"),
        ("latest_symlink", "latest.log"),
        ("latest_hard_link", "now.log"),
        ("file_mode", "0640"),
        ("directory_mode", "0o2750"),
    ];
    for (name, text) in values {
        settings.set(name, text).expect(name);
    }
    settings.latest_hard_link.push("current.log".to_owned());
    assert_eq!(settings, all());
    let error = settings.set("max_age", "30").expect_err("refused");
    assert_eq!((error.value(), error.to_string().split(':').next()), ("30", Some("max_age \"30\"")));
    assert_eq!(settings, all(), "an error changes nothing");
    let error = tracing_prefork::BuildError::from(error);
    assert!(error.to_string().starts_with("max_age \"30\": a number has no unit"), "{error}");
}

#[test]
fn ages_and_sizes_are_written_in_the_largest_unit() {
    let mut settings = Settings::default();
    for (seconds, text) in [(0, "0 weeks"), (1, "1 second"), (90, "90 seconds"), (7200, "2 hours"), (604_800, "1 week")]
    {
        settings.max_age = Some(Duration::from_secs(seconds));
        assert_eq!(serde_json::to_value(&settings).expect("JSON")["max_age"], text);
    }
    settings.max_age = None;
    for (bytes, text) in [(1000, "1 kB"), (1024, "1 KiB"), (3 << 40, "3 TiB"), (1_024_000, "1000 KiB")] {
        settings.max_total_bytes = Some(bytes);
        assert_eq!(serde_json::to_value(&settings).expect("JSON")["max_total_bytes"], text);
    }
    for bytes in [0, 1, 1001, u64::MAX] {
        settings.max_total_bytes = Some(bytes);
        assert_eq!(serde_json::to_value(&settings).expect("JSON")["max_total_bytes"], bytes);
    }
}

#[test]
fn settings_leave_the_other_options_of_a_builder_as_they_are() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut settings = Settings::default();
    settings.set("filename_suffix", "log").expect("set");
    let logs = Builder::new().rotation(Rotation::DAILY).filename_prefix("app").settings(settings.clone());
    let logs = logs.build(directory.path()).expect("builds");
    let launch = std::time::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    assert!(logs.path_at(launch).ends_with("app.2001-09-09.log"));
    settings.set("rotation", "hourly").expect("set");
    let logs = Builder::new().rotation(Rotation::DAILY).filename_prefix("web").settings(settings);
    let logs = logs.build(directory.path()).expect("builds");
    assert!(logs.path_at(launch).ends_with("web.2001-09-09-01.log"));
}

#[test]
fn a_later_layer_of_settings_takes_the_place_of_an_earlier_one() {
    let directory = tempfile::tempdir().expect("a directory");
    let layer = |text: &str| toml::from_str::<Settings>(text).expect("TOML");
    let file = "rotation = 'daily'\nfilename_prefix = 'app'\nzone = 'UTC'\nlatest_symlink = ['now', 'old']\ntag = 'a'";
    let logs = Builder::new().zone(Zone::Fixed(3600)).settings(layer(file));
    let logs = logs.settings(layer("latest_symlink = 'now'\nper_process = true")).build(directory.path());
    let logs = logs.expect("neither the link nor the tag is there twice");
    let launch = std::time::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let name = format!("app.{}.2001-09-09", std::process::id());
    assert!(logs.path_at(launch).ends_with(name));
    assert!(directory.path().join(format!("now.{}", std::process::id())).is_symlink());
    assert!(!directory.path().join(format!("old.{}", std::process::id())).is_symlink());
    let logs = Builder::new().rotation(Rotation::DAILY).filename_prefix("app").settings(layer("rotation = 'never'"));
    assert!(logs.build(directory.path()).expect("builds").path_at(launch).ends_with("app"));
}

#[test]
fn options_of_the_ring_wait_for_the_layer_that_says_buffered() {
    let directory = tempfile::tempdir().expect("a directory");
    let layer = |text: &str| toml::from_str::<Settings>(text).expect("TOML");
    let ring_bytes = |builder: Builder| {
        let logs = builder.filename_prefix("app").build(directory.path()).expect("builds");
        crate::common::log(&logs, "makes a ring, if it is buffered");
        let names = crate::common::all_names(directory.path());
        let ring = names.iter().find(|name| name.ends_with(".ring"))?;
        Some(std::fs::metadata(directory.path().join(ring)).expect("there").len())
    };
    let file = || Builder::new().settings(layer("ring_bytes = '2 MiB'\nmax_delay = '1 ms'"));
    assert_eq!(ring_bytes(file()), None);
    let bytes = ring_bytes(file().settings(layer("buffered = true"))).expect("a ring");
    assert!((2 << 20..3 << 20).contains(&bytes), "{bytes}");
    assert_eq!(ring_bytes(file().buffered(Buffering::default()).settings(layer("buffered = false"))), None);
    let bytes = ring_bytes(Builder::new().buffered(Buffering::default()).settings(layer("ring_bytes = '8 MiB'")));
    assert!(bytes.is_some_and(|bytes| (8 << 20..11 << 20).contains(&bytes)), "{bytes:?}");
}

/// The options that a function or a clock is given to.
const NOT_PLAIN: [&str; 5] = ["header", "on_finished", "try_on_finished<E>", "on_error", "clock"];

#[test]
fn each_plain_option_of_the_builder_is_a_setting() {
    let files = ["builder/options.rs", "builder/keeping.rs", "builder/writing.rs", "buffer/options.rs"];
    let sources = files.map(|file| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file);
        std::fs::read_to_string(path).expect("readable")
    });
    let options = sources.iter().flat_map(|source| source.lines()).filter_map(|line| {
        let (name, arguments) = line.trim().strip_prefix("pub fn ")?.split_once('(')?;
        (arguments.starts_with("self,") || arguments.starts_with("mut self,")).then_some(name)
    });
    // Beside the other options, `when_full` alone would not say what is full.
    let named = |name| if name == "when_full" { "when_ring_full" } else { name };
    let plain: BTreeSet<_> = options.filter(|name| !NOT_PLAIN.contains(name)).map(named).collect();
    assert!(plain.len() > 15, "the options are found: {plain:?}");
    assert_eq!(Settings::NAMES.iter().copied().collect::<BTreeSet<_>>(), plain);
}

#[test]
fn the_builder_gets_each_setting() {
    let of = |settings| format!("{:?}", Builder::from(settings));
    assert_eq!(of(Settings::default()), format!("{:?}", Builder::new()));
    let given = serde_json::to_value(all()).expect("JSON");
    #[cfg(feature = "gzip")]
    let given = {
        let mut given = given;
        given["compress"] = "gzip".into();
        given
    };
    for name in Settings::NAMES.iter().filter(|name| **name != "compress" || cfg!(feature = "gzip")) {
        assert!(!given[*name].is_null(), "`all` has a value for {name}");
        let alone = serde_json::json!({ *name: given[*name] });
        assert_ne!(of(serde_json::from_value(alone).expect(name)), of(Settings::default()), "{name} is handed over");
    }
}

#[test]
fn settings_stand_inside_a_larger_configuration() {
    let text = "port = 80\n[log]\nrotation = \"hourly\"\nmax_log_files = 48\n";
    let table: toml::Table = text.parse().expect("TOML");
    let settings: Settings = table["log"].clone().try_into().expect("settings");
    assert_eq!((settings.rotation, settings.max_log_files), (Some(Rotation::HOURLY), Some(48)));
}

#[test]
fn an_appender_is_built_from_settings() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut settings: Settings = toml::from_str("filename_prefix = 'app'\nmax_log_files = 0").expect("TOML");
    let error = Builder::from(settings.clone()).build(directory.path()).expect_err("refused").to_string();
    assert!(error.starts_with("max_log_files(0): "), "{error}");
    settings.max_log_files = Some(3);
    Builder::from(settings).build(directory.path()).expect("built");
}

#[cfg(not(feature = "gzip"))]
#[test]
fn a_kind_that_is_not_compiled_in_is_told() {
    let error = Settings::default().set("compress", "gzip").expect_err("refused").to_string();
    assert_eq!(error, "compress \"gzip\": this program was built without the feature `gzip` of tracing-prefork");
}

#[cfg(not(feature = "zstd"))]
#[test]
fn zstd_that_is_not_compiled_in_is_told() {
    let error = Settings::default().set("compress", "zstd").expect_err("refused").to_string();
    assert_eq!(error, "compress \"zstd\": this program was built without the feature `zstd` of tracing-prefork");
}

#[cfg(not(feature = "local-time"))]
#[test]
fn a_zone_that_needs_a_feature_is_told() {
    let error = Settings::default().set("zone", "local").expect_err("refused").to_string();
    assert!(error.ends_with("(others need the feature `local-time`)"), "{error}");
}

#[cfg(all(feature = "gzip", feature = "zstd"))]
#[test]
fn kinds_of_compression_are_texts() {
    use tracing_prefork::Compression;
    for (kind, text) in [(Compression::Gzip, "gzip"), (Compression::Zstd, "zstd")] {
        let settings: Settings = toml::from_str(&format!("compress = \"{text}\"")).expect("TOML");
        assert_eq!(settings.compress, Some(kind));
        assert_eq!(toml::to_string(&settings).expect("TOML"), format!("compress = \"{text}\"\n"));
    }
}
