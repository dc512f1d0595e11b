//! The command line. Each option may stand in the environment, as a container has it.

use clap::{Parser, ValueEnum};
use std::path::PathBuf;
use tracing_prefork::Rotation;

/// Workers that log together, and whose finished log files go to an object store.
///
/// Credentials, region and endpoint come from the environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION,
/// AWS_ENDPOINT_URL and others for S3; GOOGLE_... and AZURE_... for the other stores.
#[derive(Debug, Parser)]
#[command(args_override_self = true)]
pub(crate) struct Options {
    /// Where finished files go: s3://BUCKET/FOLDER, gs://BUCKET/FOLDER or az://CONTAINER/FOLDER
    #[arg(long, env = "UPLOAD_TO", value_name = "URL")]
    pub(crate) to: String,
    /// Only checks that the bucket can be reached and listed
    #[arg(long)]
    pub(crate) check: bool,
    /// Name of an object; there are {app}, {date} (2026-11-21), {day} (2026/11/21), {hour}, {host} and {file}
    #[arg(long, env = "UPLOAD_NAME", value_name = "TEMPLATE", default_value = "{app}/date={date}/host={host}/{file}")]
    pub(crate) name: String,
    /// Name of this machine in the names of objects; by default that of the system
    #[arg(long, env = "UPLOAD_HOST")]
    pub(crate) host: Option<String>,
    /// How many seconds one request is tried again before the file waits for its next turn
    #[arg(long, env = "UPLOAD_RETRY_FOR", value_name = "SECONDS", default_value_t = 30)]
    pub(crate) retry_for: u64,
    /// Larger files are sent in parts of so many bytes, 5 MiB at least
    #[arg(long, env = "UPLOAD_PART_BYTES", value_name = "BYTES", default_value_t = 8 << 20)]
    #[arg(value_parser = clap::value_parser!(u64).range(5 << 20..))]
    pub(crate) part_bytes: u64,

    /// Directory of the log files
    #[arg(long, env = "UPLOAD_LOGS", value_name = "DIRECTORY", default_value = "logs")]
    pub(crate) logs: PathBuf,
    /// First part of the files' names
    #[arg(long, env = "UPLOAD_APP", default_value = "app")]
    pub(crate) app: String,
    /// Second part of the files' names, for a program that several services of one machine run
    #[arg(long, env = "UPLOAD_TAG")]
    pub(crate) tag: Option<String>,
    /// When a file is finished: secondly, minutely, hourly, daily, "6 hours" and others
    #[arg(long, env = "UPLOAD_ROTATION", default_value_t = Rotation::HOURLY)]
    pub(crate) rotation: Rotation,
    /// Bytes at which a file is finished before its time
    #[arg(long, env = "UPLOAD_MAX_FILE_BYTES", value_name = "BYTES", default_value_t = 256 << 20)]
    pub(crate) max_file_bytes: u64,
    /// Number of log files that stay on this machine, the current one included
    #[arg(long, env = "UPLOAD_KEEP", value_name = "FILES", default_value_t = 48)]
    pub(crate) keep: usize,
    /// How finished files are packed before they are sent
    #[arg(long, env = "UPLOAD_COMPRESS", value_enum, default_value_t = Compress::Gzip)]
    pub(crate) compress: Compress,
    /// Workers are killed as a matter of course: the piece of a line that one leaves stays apart from other lines
    #[arg(long, env = "UPLOAD_LOCK_WRITES")]
    pub(crate) lock_writes: bool,

    /// Number of worker processes
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) workers: u16,
    /// Events that each worker logs in a second
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) events: u32,
    /// Bytes of text, different each time, that each event has besides
    #[arg(long, hide = true, default_value_t = 0)]
    pub(crate) padding: usize,
    /// The clock was right at this second since 1970, and runs faster since then
    #[arg(long, hide = true)]
    pub(crate) since: Option<u64>,
    /// How many times as fast the clock runs
    #[arg(long, hide = true, default_value_t = 1)]
    pub(crate) speed: u32,
    /// Directory in which the processes note for a test what they do
    #[arg(long, hide = true)]
    pub(crate) journal: Option<PathBuf>,
}

/// How finished files are packed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Compress {
    /// app.2026-11-21-08.log.gz
    Gzip,
    /// app.2026-11-21-08.log.zst
    Zstd,
    /// app.2026-11-21-08.log
    None,
}
