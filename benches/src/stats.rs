//! Order statistics over rounds, and ratios that are taken round by round, so that a slow moment
//! of the machine is in both of their sides.

/// What a column of the table is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Summary {
    pub(crate) min: f64,
    pub(crate) p10: f64,
    pub(crate) median: f64,
    pub(crate) p90: f64,
    pub(crate) max: f64,
}

impl Summary {
    /// `None` without values.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        Some(Self {
            min: *sorted.first()?,
            p10: quantile(&sorted, 0.1),
            median: quantile(&sorted, 0.5),
            p90: quantile(&sorted, 0.9),
            max: *sorted.last()?,
        })
    }
}

/// The quotient of two columns, pair by pair.
pub(crate) fn ratio(rounds: &[Vec<f64>], above: usize, below: usize) -> Option<Summary> {
    Summary::of(rounds.iter().map(|round| round[above] / round[below]))
}

/// Between the two nearest values, linearly; `sorted` has at least one.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let at = q * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    low + (high - low) * at.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_the_nearest_values() {
        let summary = Summary::of([40.0, 10.0, 30.0, 20.0]).expect("four values");
        assert_eq!((summary.min, summary.max), (10.0, 40.0));
        assert_eq!(summary.median, 25.0);
        assert!((summary.p10 - 13.0).abs() < 1e-9, "{summary:?}");
        assert!((summary.p90 - 37.0).abs() < 1e-9, "{summary:?}");
        assert_eq!(Summary::of([]), None);
    }

    #[test]
    fn a_ratio_is_taken_inside_each_round() {
        // The machine is ten times slower in the second round: the quotient does not notice.
        let rounds = [vec![2.0, 1.0], vec![20.0, 10.0], vec![2.0, 1.0]];
        let ratio = ratio(&rounds, 0, 1).expect("three rounds");
        assert_eq!((ratio.min, ratio.median, ratio.p90), (2.0, 2.0, 2.0));
    }
}
