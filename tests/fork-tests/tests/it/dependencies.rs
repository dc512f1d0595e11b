//! What `deny.toml` says of licences and sources holds, also where there is no cargo-deny.

use crate::package::cargo;
use crate::pages::root;
use std::collections::BTreeSet;
use std::fs;

/// The lines of `cargo tree`.
fn tree(arguments: &[&str]) -> BTreeSet<String> {
    let told = cargo().args(["tree", "--all-features", "--prefix", "none"]).args(arguments).output();
    let told = told.expect("cargo runs");
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let told = String::from_utf8(told.stdout).expect("UTF-8");
    let lines = told.lines().map(|line| line.trim_end_matches(" (*)").to_owned());
    lines.filter(|line| !line.is_empty()).collect()
}

/// The licences without those that have an exception, which only `examples/host` needs.
fn allowed() -> Vec<spdx::LicenseId> {
    let text = fs::read_to_string(root().join("deny.toml")).expect("readable");
    let deny: toml::Table = text.parse().expect("TOML");
    let names = deny["licenses"]["allow"].as_array().expect("a list");
    let known = |name: &toml::Value| name.as_str().and_then(spdx::license_id);
    let plain = names.iter().filter(|name| !name.as_str().is_some_and(|name| name.contains(" WITH ")));
    plain.map(|name| known(name).unwrap_or_else(|| panic!("{name} is no licence"))).collect()
}

/// What is wrong with a package. `line`: its name, its version and where it comes from, and behind `|` its licence.
fn fault(line: &str, allowed: &[spdx::LicenseId]) -> Option<String> {
    let (package, licence) = line.split_once('|').expect("a licence");
    // Nothing stands there for a package of crates.io, and a path for one of this repository.
    let source = package.replace(" (proc-macro)", "").split_once(" (").map(|(_, source)| source.to_owned());
    if source.is_some_and(|source| !source.starts_with(root().to_str().expect("UTF-8"))) {
        return Some(format!("{package} is neither of crates.io nor of this repository"));
    }
    let Ok(parsed) = spdx::Expression::parse_mode(licence, spdx::ParseMode::LAX) else {
        return Some(format!("{package} has the licence {licence:?}, which SPDX does not know"));
    };
    let may_be_used = parsed.evaluate(|asked| asked.license.id().is_some_and(|id| allowed.contains(&id)));
    (!may_be_used).then(|| format!("{package} has the licence {licence}, which deny.toml does not list"))
}

#[test]
fn each_dependency_has_a_licence_and_a_source_of_deny_toml() {
    let packages = tree(&["--workspace", "--edges", "normal,build,dev", "--format", "{p}|{l}"]);
    let faults: Vec<_> = packages.iter().filter_map(|line| fault(line, &allowed())).collect();
    assert!(packages.len() > 100 && faults.is_empty(), "{}", faults.join("; "));
}

#[test]
fn the_library_has_each_of_its_dependencies_once() {
    let lines = tree(&["--package", "tracing-prefork", "--edges", "normal", "--format", "{p}"]);
    let names: BTreeSet<_> = lines.iter().filter_map(|line| line.split(' ').next()).collect();
    assert!(names.contains("nix") && names.len() == lines.len(), "{lines:?}");
}

#[test]
fn the_check_of_dependencies_finds_faults() {
    let fault = |line: &str| fault(line, &allowed());
    let of_ours = format!("mine v0.1.0 ({}/mine)|MIT", root().display());
    for sound in ["a v1.0.0|MIT OR GPL-3.0-only", "a v1.0.0 (proc-macro)|MIT/Apache-2.0", &of_ours] {
        assert_eq!(fault(sound), None);
    }
    for wrong in [
        "a v1.0.0|GPL-3.0-only",
        "a v1.0.0|MIT AND GPL-3.0-only",
        "a v1.0.0|",
        "a v1.0.0|mine",
        "a v1.0.0 (https://example.org/a#1234)|MIT",
        "a v1.0.0 (proc-macro) (/elsewhere/a)|MIT",
    ] {
        assert!(fault(wrong).is_some(), "{wrong}");
    }
}
