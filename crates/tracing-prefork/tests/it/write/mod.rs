mod at;
mod failures;
mod full;
mod hardening;
mod header;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod leases;
mod lock_writes;
mod outside;
mod rollover;
mod sizes;
mod to_disk;
