//! What this program was built with.

/// The version of a crate that this program was built with.
pub(crate) fn version(krate: &str) -> String {
    let lock = include_str!("../Cargo.lock");
    let entry = lock.split("[[package]]").find(|entry| entry.contains(&format!("\nname = \"{krate}\"\n")));
    let version = entry.and_then(|entry| entry.split_once("version = \"")?.1.split('"').next());
    version.unwrap_or("-").to_owned()
}
