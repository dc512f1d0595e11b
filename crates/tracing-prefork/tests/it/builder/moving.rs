//! The pages for those who come from another library or from logrotate: the code in their tables compiles, and what
//! others have left in the directory is treated as the pages say.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};
use tracing_prefork::{
    Appender, Buffering, Builder, Compression, Operation, Rotation, Settings, Weekday, WhenFull, Zone, rolling,
};

const PAGES: [&str; 4] = ["flexi-logger", "log4rs", "logrotate", "tracing-appender"];

/// What is no code of this crate, although it looks like code.
const OTHERS: [&str; 12] = [
    "Layer::with_filter",
    "Layer::with_filter(LevelFilter::INFO)",
    "filter::Targets",
    "filter::filter_fn",
    "fmt::layer().event_format(...)",
    "fmt::layer().with_test_writer()",
    "fmt::layer().with_writer(std::io::stderr)",
    "fmt::layer().with_writer(std::io::stderr).with_filter(LevelFilter::WARN)",
    "std::env::var",
    "tracing_subscriber::reload",
    "println!(\"{}\", logs.path().display())",
    "write(2)",
];

fn page(name: &str) -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/migrating-from-{name}.md"));
    fs::read_to_string(page).expect("readable")
}

/// The code in a table's cells, but for those of the first column.
fn code_in_cells(page: &str) -> BTreeSet<String> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | "));
    rows.flat_map(|(_, cells)| cells.split('`').skip(1).step_by(2).map(str::to_owned)).collect()
}

/// Code that compiles, and its text without the builder in front.
macro_rules! code {
    ($($code:expr),* $(,)?) => {
        [$({
            let _ = $code;
            stringify!($code).trim_start_matches("|| ").trim_start_matches("builder().").to_owned()
        }),*]
    };
}

fn builder() -> Builder {
    Appender::builder().rotation(Rotation::DAILY).filename_prefix("app")
}

/// The code that the tables of the pages have.
fn compiled(logs: &Appender) -> BTreeSet<String> {
    let (bytes, name, lines) = (1, "name", 1);
    let of_a_builder = code![
        builder().buffered(Buffering::default()),
        builder().compress(Compression::Gzip),
        builder().compress(Compression::Zstd),
        builder().date_format("%Y%m%d"),
        builder().date_format("%Y-%m-%d"),
        builder().date_format("%Y/%m/%d"),
        builder().directory_mode(0o2750),
        builder().file_mode(0o640),
        builder().filename_prefix("app"),
        builder().filename_prefix("app.log"),
        builder().filename_suffix("log"),
        builder().keep_uncompressed(1),
        builder().keep_uncompressed(2),
        builder().latest_symlink("app.log"),
        builder().latest_symlink(name),
        builder().max_age(Duration::from_secs(14 * 24 * 3600)),
        builder().max_age(Duration::from_secs(30 * 24 * 3600)),
        builder().max_file_bytes(100 << 20),
        builder().max_file_bytes(50 << 20),
        builder().max_file_bytes(bytes),
        builder().max_log_files(1),
        builder().max_log_files(15),
        builder().per_process(true),
        builder().zone(Zone::Local),
    ];
    let others = code![
        Appender::builder(),
        Buffering::default().ring_bytes(64 * lines),
        Buffering::default().when_full(WhenFull::Drop),
        Buffering::default().when_full(WhenFull::Write),
        Rotation::DAILY,
        Rotation::DAILY.every(7),
        Rotation::HOURLY,
        Rotation::HOURLY.every(6),
        Rotation::MONTHLY.every(12),
        Rotation::NEVER,
        Rotation::SECONDLY,
        Rotation::WEEKLY,
        Rotation::weekly_on(Weekday::Monday),
        logs.layer::<tracing_subscriber::Registry>(),
        logs.layer::<tracing_subscriber::Registry>().json(),
    ];
    let paths = code![
        Appender::builder,
        Appender::close,
        Appender::files,
        Appender::flush,
        Appender::prune,
        Appender::reopen,
        || builder().build("/var/log/app"),
        || rolling::never("/var/log/app", "app.log"),
        || rolling::never("logs", "app.log"),
    ];
    let all = of_a_builder.into_iter().chain(others).chain(paths);
    let all = all.map(|code| code.replace("::<tracing_subscriber::Registry>", ""));
    all.map(|code| code.trim_start_matches("Buffering::default().").to_owned()).collect()
}

#[test]
fn the_code_in_the_tables_of_the_pages_compiles() {
    let directory = tempfile::tempdir().expect("a directory");
    let compiled = compiled(&builder().build(directory.path()).expect("builds"));
    let mut used = BTreeSet::new();
    for name in PAGES {
        // Of tracing-appender each item is compiled by `drop_in`.
        let is_path = |code: &str| name != "tracing-appender" && code.contains("::") && !code.starts_with('"');
        let is_call = |code: &&String| code.ends_with(')') || is_path(code);
        for code in code_in_cells(&page(name)).iter().filter(is_call) {
            let known = compiled.contains(code) || OTHERS.contains(&&**code);
            assert!(known, "docs/migrating-from-{name}.md: `{code}` is not in this test");
            used.insert(code.clone());
        }
    }
    let with_arguments = compiled.iter().filter(|code| code.ends_with(')'));
    let unused: Vec<_> = with_arguments.filter(|code| !used.contains(*code)).collect();
    assert!(unused.is_empty(), "on none of the pages: {unused:?}");
}

#[test]
fn the_settings_on_the_page_for_log4rs_are_read() {
    let page = page("log4rs");
    let block = page.split_once("\n```toml\n").expect("a block").1.split_once("\n```").expect("its end").0;
    let read: Settings = toml::from_str(block).expect("TOML");
    let mut expected = Settings::default();
    expected.rotation = Some(Rotation::DAILY);
    expected.zone = Some(Zone::Local);
    expected.filename_prefix = Some("app".to_owned());
    expected.filename_suffix = Some("log".to_owned());
    expected.max_log_files = Some(15);
    expected.compress = Some(Compression::Gzip);
    expected.latest_symlink = vec!["app.log".to_owned()];
    assert_eq!(read, expected);
    for line in ["max_file_bytes = \"50 MiB\"", "rotation = \"6 hours\""] {
        assert!(page.contains(&format!("`{line}`")), "{line}");
        toml::from_str::<Settings>(line).expect("TOML");
    }
}

/// Builds in a directory with these files, the newest first, and keeps one file. Returns which of them are left, and
/// whether one was reported.
fn left_of(files: &[&str], with: impl FnOnce(Builder) -> Builder) -> (Vec<String>, bool) {
    let directory = tempfile::tempdir().expect("a directory");
    for (age, name) in files.iter().enumerate() {
        let file = File::create(directory.path().join(name)).expect("made");
        file.set_modified(UNIX_EPOCH + Duration::from_secs(1_000_000_000 - 86_400 * age as u64)).expect("set");
    }
    let reports = Arc::new(Mutex::new(Vec::new()));
    let told = reports.clone();
    let builder = with(Appender::builder().max_log_files(1));
    let logs = builder.on_error(move |error| told.lock().expect("whole").push(error.operation())).build(&directory);
    logs.expect("builds").prune().expect("pruned");
    let reports = reports.lock().expect("whole");
    assert!(reports.iter().all(|operation| *operation == Operation::Names), "{reports:?}");
    let is_left = |name: &&&str| directory.path().join(name).exists();
    (files.iter().filter(is_left).map(|name| (*name).to_owned()).collect(), !reports.is_empty())
}

#[test]
fn what_others_have_left_is_treated_as_the_pages_say() {
    let daily = |builder: Builder| builder.rotation(Rotation::DAILY).filename_prefix("app").filename_suffix("log");
    let sized = |builder: Builder| builder.filename_prefix("app").filename_suffix("log").max_file_bytes(1 << 20);
    let flexi = ["app_rCURRENT.log", "app_r00001.log", "app_r2001-09-08_08-33-01.log"];
    assert_eq!(left_of(&flexi, daily), (flexi.map(str::to_owned).to_vec(), false));

    let log4rs = ["app.1.log.gz", "app.2.log.gz"];
    let all = log4rs.map(str::to_owned).to_vec();
    assert_eq!(left_of(&log4rs, |builder| daily(builder).compress(Compression::Gzip)), (all.clone(), false));
    assert_eq!(left_of(&log4rs, |builder| sized(builder).compress(Compression::Gzip)), (all, true));

    let logrotate = ["app.log.1", "app.log.2", "app.log-20010908", "app.log.2001-09-08"];
    let dated = |builder: Builder| builder.rotation(Rotation::DAILY).filename_prefix("app.log");
    let undated = |builder: Builder| builder.filename_prefix("app.log").max_file_bytes(1 << 20);
    assert_eq!(left_of(&logrotate, dated), (logrotate[..3].iter().map(|name| (*name).to_owned()).collect(), false));
    assert_eq!(left_of(&logrotate, undated), (logrotate.map(str::to_owned).to_vec(), true));

    let directory = tempfile::tempdir().expect("a directory");
    let yearly =
        Appender::builder().rotation(Rotation::MONTHLY.every(12)).filename_prefix("app").filename_suffix("log");
    let yearly = yearly.build(&directory).expect("builds");
    let instant = UNIX_EPOCH + Duration::from_secs(1_795_249_981); // 2026-11-21 08:33:01 UTC
    assert!(yearly.path_at(instant).ends_with("app.2026-01.log"));
}
