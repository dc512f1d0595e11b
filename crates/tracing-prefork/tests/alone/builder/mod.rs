mod build;
mod file_system;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod rings;
