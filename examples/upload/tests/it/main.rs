//! The program and a store: an S3 server, s3s-fs, over a directory, behind a slow line. In the end all that was logged
//! is in the bucket, whoever was killed.
//!
//! Without s3s-fs on the path the tests of the store say that they were skipped. `tests/shipping/upload.sh` installs
//! it.

mod bucket;
mod kills;
mod mistakes;
mod objects;
mod program;
mod store;
