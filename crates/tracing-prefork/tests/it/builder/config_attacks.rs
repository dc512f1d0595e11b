//! Hostile values in configuration files: an error names the option, the value and the remedy.

use tracing_prefork::Settings;

use crate::common::says;

#[test]
fn numbers_that_no_option_can_have_are_told_apart() {
    for (json, parts) in [
        (r#"{"max_log_files": 1.0}"#, &["max_log_files 1.0", "a whole number"][..]),
        (r#"{"max_log_files": -1}"#, &["max_log_files -1", "a whole number"]),
        (r#"{"max_age": 1.0}"#, &["max_age 1.0", "expected a time"]),
        (r#"{"max_age": "18446744073709551615 weeks"}"#, &["max_age", "too long", "leave the option out"]),
        (r#"{"max_total_bytes": "16777216 TiB"}"#, &["max_total_bytes", "too large", "leave the option out"]),
        (r#"{"file_mode": 640.0}"#, &["file_mode 640.0", "octal digits as a text"]),
        (r#"{"zone": "../../etc/passwd"}"#, &["zone", "IANA name"]),
        (r#"{"latest_symlink": [["a"]]}"#, &[r#"latest_symlink [["a"]]"#, "a list of names"]),
        (r#"{"max_log_files": {"a": 1}}"#, &["max_log_files {..}", "a whole number"]),
        (r#"{"max_log_files": 1, "max_log_files": 2}"#, &["duplicate field `max_log_files`"]),
    ] {
        says(&serde_json::from_str::<Settings>(json).expect_err("refused").to_string(), parts);
    }
    let yaml = serde_saphyr::from_str::<Settings>("file_mode: 0640").expect_err("refused");
    says(&yaml.to_string(), &["file_mode 640", "octal digits as a text"]);
}

#[test]
fn deep_nesting_is_refused_by_the_format_and_harms_nobody() {
    let deep = format!("{{\"max_age\": {}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    says(&serde_json::from_str::<Settings>(&deep).expect_err("refused").to_string(), &["recursion limit"]);
}
