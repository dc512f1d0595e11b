//! Types for which memory full of zeros is the empty value. The model checker (`tests/slot-model`) uses this file too.

use super::sync::{AtomicBool, AtomicI32, AtomicI64, AtomicU32, AtomicU64, AtomicUsize};

/// A type for which memory full of zeros is a value: its empty one.
///
/// # Safety
///
/// All-zero bytes must be a valid value, and a value that came to be in this way must have nothing to drop.
pub(crate) unsafe trait ZeroIsEmpty: Sync {}

macro_rules! zero_is_empty {
    ($($atomic:ty),*) => {
        // SAFETY: integers and booleans, for which zero is a value, and which have nothing to drop.
        $(unsafe impl ZeroIsEmpty for $atomic {})*
    };
}
zero_is_empty!(AtomicBool, AtomicI32, AtomicI64, AtomicU32, AtomicU64, AtomicUsize);

// SAFETY: each element is such a value.
unsafe impl<T: ZeroIsEmpty, const N: usize> ZeroIsEmpty for [T; N] {}

/// Declares a struct for which memory full of zeros is the empty value. The macro demands the same of each field.
macro_rules! fork_wiped {
    ($(#[$attribute:meta])* $visible:vis struct $name:ident {
        $($(#[$of_field:meta])* $field_visible:vis $field:ident: $type:ty,)*
    }) => {
        $(#[$attribute])*
        $visible struct $name {
            $($(#[$of_field])* $field_visible $field: $type,)*
        }

        // SAFETY: zero is the empty value of each field. The compiler checks that (`demand`).
        #[allow(unsafe_code, reason = "the macro demands what makes it safe")]
        unsafe impl $crate::sys::ZeroIsEmpty for $name {}

        const _: fn() = || {
            fn demand<T: $crate::sys::ZeroIsEmpty>() {}
            $(demand::<$type>();)*
        };
    };
}
pub(crate) use fork_wiped;
