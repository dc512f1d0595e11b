//! Random numbers, the same ones for the same seed.

/// SplitMix64.
#[derive(Clone, Debug)]
pub(super) struct Draws(u64);

impl Draws {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        (self.bits() % end as u64) as usize
    }

    /// True once in so many times.
    pub(super) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(super) fn of<'a, T: ?Sized>(&mut self, choice: &[&'a T]) -> &'a T {
        choice[self.below(choice.len())]
    }

    /// A text of words, quotes, control characters, letters of other scripts and signs.
    pub(super) fn text(&mut self) -> String {
        const PIECES: &[&str] = &[
            "answered",
            " ",
            "/orders/17",
            "=",
            "\"",
            "\\",
            "'",
            "\n",
            "\r\n",
            "\t",
            "\0",
            "\x1b[31m",
            "\x07",
            "\x08",
            "\x0c",
            "\x7f",
            "\u{80}",
            "\u{9b}",
            "\u{9f}",
            "\u{a0}",
            "é",
            "e\u{301}",
            "\u{200b}",
            "日本",
            "🦀",
            "\u{feff}",
            "{}",
            "a=1",
            "log.",
            "\u{10ffff}",
            "\x1f",
            "~",
        ];
        let pieces = match self.below(40) {
            0 => 0,
            1 => 200 + self.below(200),
            _ => 1 + self.below(6),
        };
        (0..pieces).map(|_| if self.one_in(3) { self.of(PIECES) } else { PIECES[self.below(4)] }).collect()
    }

    pub(super) fn short_float(&mut self) -> f64 {
        if self.one_in(9) { f64::NAN } else { self.below(100_000) as f64 / 100.0 }
    }

    pub(super) fn float(&mut self) -> f64 {
        match self.below(8) {
            0 => f64::from_bits(self.bits()),
            1 => *self.of(&[&f64::NAN, &f64::INFINITY, &f64::NEG_INFINITY, &0.0, &-0.0, &f64::MIN_POSITIVE, &f64::MAX]),
            2 => 10_f64.powi(self.below(40) as i32 - 20),
            3 => self.below(1000) as f64 * 10_f64.powi(self.below(24) as i32 - 12),
            _ => self.short_float(),
        }
    }
}
