//! The text that is printed: a table for each group and shape, and what its columns mean.

use std::fmt::Write;

use crate::{
    load::{Measured, Shape},
    stats::{self, Summary},
    subject::{Group, Kind},
};

pub(crate) const LEGEND: &str = "\
ns          wall-clock time / lines of all writers, over the rounds
x floor     time / time of the floor in the same round: median (10th to 90th percentile); less is better
x peer      speed / speed of the peer in the same round: median (10th to 90th percentile); more is better
a / b       time / time in the same round: median (10th to 90th percentile)
flushed ns  as ns, until all lines are in the file
M lines/s   what that comes to
cpu ns      processor time of all threads until then / lines
x queue     of flushed ns: speed / speed of tracing-appender's queue in the same round; more is better
cpu x queue processor time / that of tracing-appender's queue in the same round; less is better";

/// One row a kind; the ratios are left out where there is nothing to compare with.
pub(crate) fn table(group: Group, shape: Shape, kinds: &[Kind], rounds: &[Vec<Measured>]) -> String {
    let rounds = &columns(rounds, |measured| measured.ns);
    let floor = kinds.iter().position(|kind| kind.is_floor());
    let peer = kinds.iter().position(|kind| kind.is_peer());
    let mut text = format!("{}, {}\n", group.name(), shape.name());
    row(&mut text, ["", "median ns", "min", "p90", "x floor", "x peer"]);
    for (at, kind) in kinds.iter().enumerate() {
        let Some(summary) = Summary::of(rounds.iter().map(|round| round[at])) else {
            continue;
        };
        let time = floor.and_then(|floor| stats::ratio(rounds, at, floor));
        let speed = peer.and_then(|peer| stats::ratio(rounds, peer, at));
        row(
            &mut text,
            [
                kind.description(),
                &format!("{:.1}", summary.median),
                &format!("{:.1}", summary.min),
                &format!("{:.1}", summary.p90),
                &time.map_or("-".to_owned(), spread),
                &speed.map_or("-".to_owned(), spread),
            ],
        );
    }
    for (at, kind) in kinds.iter().enumerate() {
        let Some(without) = kinds.iter().position(|other| Some(*other) == kind.without()) else { continue };
        if let Some(ratio) = stats::ratio(rounds, at, without) {
            let (with, without) = (kind.name(), kinds[without].name());
            writeln!(text, "\n  {with} / {without}: {}", spread(ratio)).expect("a string takes a row");
        }
    }
    text
}

/// The figures until all lines are in the file: those of the threads in the background are in them.
pub(crate) fn table_of_ends(group: Group, shape: Shape, kinds: &[Kind], rounds: &[Vec<Measured>]) -> String {
    let (flushed, cpu) = (columns(rounds, |measured| measured.flushed), columns(rounds, |measured| measured.cpu));
    let queue = kinds.iter().position(|kind| kind.is_buffering_peer());
    let mut text = format!("{}, {}, with the flush and all threads\n", group.name(), shape.name());
    row(&mut text, ["", "flushed ns", "M lines/s", "cpu ns", "x queue", "cpu x queue"]);
    for (at, kind) in kinds.iter().enumerate() {
        let median = |rounds: &[Vec<f64>]| Summary::of(rounds.iter().map(|round| round[at])).map(|found| found.median);
        let (Some(wall), Some(all)) = (median(&flushed), median(&cpu)) else { continue };
        let speed = queue.and_then(|queue| stats::ratio(&flushed, queue, at));
        let work = queue.and_then(|queue| stats::ratio(&cpu, at, queue));
        row(
            &mut text,
            [
                kind.description(),
                &format!("{wall:.1}"),
                &format!("{:.2}", 1e3 / wall),
                &format!("{all:.1}"),
                &speed.map_or("-".to_owned(), spread),
                &work.map_or("-".to_owned(), spread),
            ],
        );
    }
    text
}

fn columns(rounds: &[Vec<Measured>], figure: fn(&Measured) -> f64) -> Vec<Vec<f64>> {
    rounds.iter().map(|round| round.iter().map(figure).collect()).collect()
}

fn spread(ratio: Summary) -> String {
    format!("{:.3} ({:.3}-{:.3})", ratio.median, ratio.p10, ratio.p90)
}

fn row(text: &mut String, cells: [&str; 6]) {
    let [what, median, min, p90, floor, peer] = cells;
    writeln!(text, "  {what:<46}{median:>10}{min:>10}{p90:>10}{floor:>22}{peer:>22}").expect("a string takes a row");
}
