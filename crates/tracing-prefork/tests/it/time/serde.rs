//! The feature `serde`: rotations and zones in configuration files.

use tracing_prefork::{Rotation, Weekday, Zone};

#[test]
fn rotations_are_the_texts_that_they_print() {
    for rotation in [
        Rotation::NEVER,
        Rotation::SECONDLY,
        Rotation::MINUTELY.every(15),
        Rotation::HOURLY.every(6),
        Rotation::HOURLY.every(6).at(4, 0),
        Rotation::DAILY.at(4, 0),
        Rotation::weekly_on(Weekday::Monday).every(2).at(23, 59),
        Rotation::MONTHLY,
    ] {
        let json = serde_json::to_string(&rotation).expect("written");
        assert_eq!(json, format!("\"{rotation}\""));
        assert_eq!(serde_json::from_str::<Rotation>(&json).expect("read"), rotation);
    }
    assert_eq!(serde_json::from_str::<Rotation>("\"W0\"").expect("read"), Rotation::weekly_on(Weekday::Monday));
}

#[test]
fn zones_are_the_texts_that_they_print() {
    let zones = [
        Zone::Utc,
        Zone::Fixed(19_800),
        Zone::Fixed(-3 * 3600),
        #[cfg(feature = "local-time")]
        Zone::Local,
        #[cfg(feature = "local-time")]
        Zone::Named("Asia/Shanghai".to_owned()),
    ];
    for zone in zones {
        let json = serde_json::to_string(&zone).expect("written");
        assert_eq!(json, format!("\"{zone}\""));
        assert_eq!(serde_json::from_str::<Zone>(&json).expect("read"), zone);
    }
}

#[test]
fn texts_owned_borrowed_and_with_escapes_are_read() {
    let value = serde_json::json!({ "rotation": "daily at 04:00", "zone": "UTC" });
    assert_eq!(serde_json::from_value::<Rotation>(value["rotation"].clone()).expect("read"), Rotation::DAILY.at(4, 0));
    assert_eq!(serde_json::from_value::<Zone>(value["zone"].clone()).expect("read"), Zone::Utc);
    assert_eq!(serde_json::from_slice::<Rotation>(b"\"\\u0064aily\"").expect("read"), Rotation::DAILY);
    assert_eq!(serde_json::from_reader::<_, Rotation>(&b"\"hourly\""[..]).expect("read"), Rotation::HOURLY);
}

#[track_caller]
fn says(error: &serde_json::Error, parts: &[&str]) {
    for part in parts {
        assert!(error.to_string().contains(part), "{error} does not say {part:?}");
    }
}

#[test]
fn what_is_refused_is_named() {
    let rotation = |json| serde_json::from_str::<Rotation>(json).expect_err("refused");
    says(&rotation("\"dayly\""), &["rotation \"dayly\"", "`daily`"]);
    says(&rotation("\"never at 04:00\""), &["rotation \"never at 04:00\"", "time of day"]);
    says(&rotation("\"0 hours\""), &["rotation \"0 hours\"", "every(0)"]);
    says(&rotation("7"), &["7", "a rotation such as \"daily at 04:00\""]);
    says(&rotation("null"), &["null", "a rotation such as"]);
    let zone = |json| serde_json::from_str::<Zone>(json).expect_err("refused");
    says(&zone("\"+25:00\""), &["zone \"+25:00\"", "+05:30"]);
    says(&zone("[\"UTC\"]"), &["a time zone such as \"local\""]);
}

#[test]
fn what_could_not_be_read_back_is_not_written() {
    let rotation = |rotation: Rotation| serde_json::to_string(&rotation).expect_err("refused");
    says(&rotation(Rotation::NEVER.at(4, 0)), &["rotation \"never at 04:00\"", "time of day"]);
    says(&rotation(Rotation::DAILY.every(0)), &["rotation \"0 days\"", "every(0)"]);
    says(&serde_json::to_string(&Zone::Fixed(90)).expect_err("refused"), &["zone \"+00:01:30\""]);
}
