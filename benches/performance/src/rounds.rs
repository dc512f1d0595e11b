//! Rounds: in each of them every logger is measured once, in an order that moves on by one.

use crate::load::{self, Load, Measured};
use crate::loggers::Logger;
use crate::machine;
use std::error::Error;
use std::path::Path;

/// What the rounds of a logger came to: the median of each figure.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) logger: &'static Logger,
    /// `Err`: why it could not be measured.
    pub(crate) rounds: Result<Vec<Measured>, String>,
}

impl Row {
    /// The median of a figure. `None`: there is none.
    pub(crate) fn median(&self, figure: impl Fn(&Measured) -> f64) -> Option<f64> {
        median(self.rounds.as_ref().ok()?.iter().map(figure).collect())
    }

    /// The median of the ratios of the rounds.
    pub(crate) fn ratio(&self, to: &Self, figure: impl Fn(&Measured) -> f64) -> Option<f64> {
        let (Ok(ours), Ok(theirs)) = (&self.rounds, &to.rounds) else { return None };
        median(ours.iter().zip(theirs).map(|(a, b)| figure(a) / figure(b)).collect())
    }
}

/// The value in the middle, or between the two in the middle. `None`: there is none.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let (low, high) = (values.get((values.len().max(1) - 1) / 2)?, values.get(values.len() / 2)?);
    Some((low + high) / 2.0)
}

pub(crate) fn interleave(
    loggers: &[&'static Logger],
    load: impl Fn(&Logger) -> Load,
    rounds: usize,
    parent: &Path,
) -> Result<Vec<Row>, Box<dyn Error>> {
    let mut rows: Vec<Row> = loggers.iter().map(|logger| Row { logger, rounds: Ok(Vec::new()) }).collect();
    for first in 0..rounds {
        eprintln!("    round {} of {rounds}; load {}", first + 1, machine::load());
        for step in 0..rows.len() {
            let at = (first + step) % rows.len();
            let row = &mut rows[at];
            let Ok(measured) = &mut row.rounds else { continue };
            match load::measure(row.logger, load(row.logger), parent) {
                Ok(one) => measured.push(one),
                Err(error) => row.rounds = Err(error.to_string()),
            }
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_stands_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(Vec::new()), None);
    }
}
