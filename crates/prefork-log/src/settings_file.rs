//! The file of `--settings`: TOML, YAML or JSON.

use crate::failure::Failure;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use tracing_prefork::Settings;

/// Reads the file. The end of its name says which format it has.
pub(crate) fn read(path: &Path) -> Result<Settings, Failure> {
    let fail = |reason: String| Failure::usage(format!("settings {}: {reason}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| fail(error.to_string()))?;
    let settings = match path.extension().and_then(OsStr::to_str) {
        Some("toml") => toml::from_str(&text).map_err(|error| error.to_string()),
        Some("yaml" | "yml") => serde_saphyr::from_str(&text).map_err(|error| error.to_string()),
        Some("json") => serde_json::from_str(&text).map_err(|error| error.to_string()),
        _ => Err("the name must end in .toml, .yaml, .yml or .json".to_owned()),
    };
    settings.map_err(|reason| fail(reason.trim_end().to_owned()))
}
