mod date_format;
mod directories;
#[cfg(feature = "gzip")]
mod hidden_names;
mod ownership;
mod settings;
mod tag_attacks;
mod tags;
