mod closing_all;
#[cfg(feature = "gzip")]
mod closing_all_compressed;
mod descriptors;
