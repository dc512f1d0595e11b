//! [`ShortText`]: a text on the stack, whose memory is not filled with zeros first.

use std::mem::MaybeUninit;
use std::{fmt, ptr, slice, str};

/// A text of up to `N` bytes.
pub(crate) struct ShortText<const N: usize> {
    /// The first `len` bytes are those of the texts that were pushed.
    bytes: [MaybeUninit<u8>; N],
    len: usize,
}

impl<const N: usize> ShortText<N> {
    #[inline(always)]
    pub(crate) const fn new() -> Self {
        Self { bytes: [const { MaybeUninit::uninit() }; N], len: 0 }
    }

    /// Appends a text. `false`: it does not fit, and nothing of it was appended.
    #[inline(always)]
    pub(crate) fn push(&mut self, text: &str) -> bool {
        if text.len() > N - self.len {
            return false;
        }
        // SAFETY: the two do not overlap, and the room is as long as the text.
        unsafe { copy(text.as_ptr(), self.bytes.as_mut_ptr().add(self.len).cast(), text.len()) };
        self.len += text.len();
        true
    }

    #[inline(always)]
    pub(crate) fn as_str(&self) -> &str {
        // SAFETY: the first `len` bytes are initialised, and are whole texts.
        unsafe { str::from_utf8_unchecked(slice::from_raw_parts(self.bytes.as_ptr().cast(), self.len)) }
    }

    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }
}

impl<const N: usize> fmt::Write for ShortText<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.push(text) { Ok(()) } else { Err(fmt::Error) }
    }
}

impl<const N: usize> fmt::Debug for ShortText<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

/// Copies `len` bytes. Most pieces of a line are shorter than 32 bytes: two copies of a fixed size, which may overlap,
/// take less time than a call of `memcpy`.
///
/// # Safety
///
/// As for `ptr::copy_nonoverlapping`.
#[inline(always)]
unsafe fn copy(from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: the caller's promise. Each copy lies within the first `len` bytes.
    unsafe {
        match len {
            0 => {}
            1..4 => {
                *to = *from;
                *to.add(len / 2) = *from.add(len / 2);
                *to.add(len - 1) = *from.add(len - 1);
            }
            4..8 => copy_ends::<4>(from, to, len),
            8..16 => copy_ends::<8>(from, to, len),
            16..=32 => copy_ends::<16>(from, to, len),
            _ => ptr::copy_nonoverlapping(from, to, len),
        }
    }
}

/// Copies the first and the last `N` bytes of `len`, which is `N` at least.
///
/// # Safety
///
/// As for `ptr::copy_nonoverlapping`.
#[inline(always)]
unsafe fn copy_ends<const N: usize>(from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        let first = from.cast::<[u8; N]>().read_unaligned();
        let last = from.add(len - N).cast::<[u8; N]>().read_unaligned();
        to.cast::<[u8; N]>().write_unaligned(first);
        to.add(len - N).cast::<[u8; N]>().write_unaligned(last);
    }
}

#[cfg(test)]
mod tests {
    use super::ShortText;

    #[test]
    fn texts_of_each_length_are_appended_as_they_are() {
        let letters: String = ('a'..='z').cycle().take(100).collect();
        for first in 0..70 {
            for second in 0..70 {
                let mut text = ShortText::<100>::new();
                let fits = first + second <= 100;
                assert!(text.push(&letters[..first]));
                assert_eq!(text.push(&letters[..second]), fits);
                let wanted = format!("{}{}", &letters[..first], if fits { &letters[..second] } else { "" });
                assert_eq!(text.as_str(), wanted);
            }
        }
    }
}
