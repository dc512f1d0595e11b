//! Bad input: each is refused at build with an error that names it, and nothing is touched.

use tracing_prefork::{Builder, Rotation};

use super::{Hand, NOW};

pub(crate) fn builder() -> Builder {
    Hand::at(NOW).builder().rotation(Rotation::DAILY)
}
