mod directories;
mod ownership;
mod settings;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod tag_attacks;
mod tags;
