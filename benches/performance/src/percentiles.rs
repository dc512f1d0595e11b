//! Percentiles as a chart in SVG.

use crate::chart::number;
use plotters::prelude::*;
use std::error::Error;
use std::ops::Range;
use std::path::Path;

/// A line of a chart.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    pub(crate) name: &'a str,
    /// Microseconds: the median, p99, p99.9, p99.99 and the longest.
    pub(crate) values: [f64; 5],
}

pub(crate) const PERCENTILES: [&str; 5] = ["median", "p99", "p99.9", "p99.99", "longest"];

/// Told apart by people who see red and green alike, too (the colours of Okabe and Ito). At most six lines.
const COLOURS: [RGBColor; 6] = [
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0x80, 0x80, 0x80),
];

/// Draws how long the median and the slow lines take, by a logarithmic scale.
pub(crate) fn draw(path: &Path, title: &str, lines: &[Line<'_>]) -> Result<(), Box<dyn Error>> {
    let text = text_of(title, lines)?;
    std::fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()).into())
}

fn text_of(title: &str, lines: &[Line<'_>]) -> Result<String, Box<dyn Error>> {
    if lines.len() > COLOURS.len() {
        return Err(format!("{} lines in one chart", lines.len()).into());
    }
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, (900, 480)).into_drawing_area();
        root.fill(&WHITE)?;
        let scale = decades(lines);
        let mut chart = ChartBuilder::on(&root)
            .caption(title, ("sans-serif", 20))
            .margin(16)
            .margin_right(48)
            .x_label_area_size(52)
            .y_label_area_size(80)
            // The lowest power of ten has a label if the axis begins a little below it.
            .build_cartesian_2d(0.0..(PERCENTILES.len() - 1) as f64, (scale.start * 0.99..scale.end).log_scale())?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(PERCENTILES.len())
            .x_label_formatter(&|at| PERCENTILES.get(*at as usize).copied().unwrap_or_default().to_owned())
            .x_desc("percentile of the calls")
            .y_label_formatter(&|value| power(*value))
            .y_desc("microseconds, each step ten times the one below")
            .label_style(("sans-serif", 14))
            .draw()?;
        for (line, colour) in lines.iter().zip(COLOURS) {
            let points = line.values.iter().enumerate().map(|(at, value)| (at as f64, *value));
            chart
                .draw_series(LineSeries::new(points, colour.stroke_width(3)).point_size(4))?
                .label(line.name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 24, y)], colour.stroke_width(3)));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.9))
            .border_style(RGBColor(0xcc, 0xcc, 0xcc))
            .legend_area_size(32)
            .label_font(("sans-serif", 14))
            .draw()?;
        root.present()?;
    }
    Ok(text)
}

/// A power of ten, without zeros behind a point.
fn power(value: f64) -> String {
    if value >= 1.0 { format!("{value:.0}") } else { number(value).trim_end_matches('0').to_owned() }
}

/// The powers of ten around all values. A clock that shows no time between two readings has no logarithm.
fn decades(lines: &[Line<'_>]) -> Range<f64> {
    let values = || lines.iter().flat_map(|line| line.values).filter(|value| *value > 0.0);
    let least = values().fold(f64::INFINITY, f64::min);
    let most = values().fold(f64::NEG_INFINITY, f64::max);
    if least > most {
        return 0.01..1.0;
    }
    10f64.powf(least.log10().floor())..10f64.powf(most.log10().floor() + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_names_its_lines_its_unit_and_its_percentiles() {
        let lines = [
            Line { name: "ours", values: [0.05, 0.1, 1.0, 20.0, 900.0] },
            Line { name: "theirs", values: [0.5, 1.0, 10.0, 200.0, 9000.0] },
        ];
        let text = text_of("Time of a line", &lines).expect("a chart");
        for word in ["Time of a line", "ours", "theirs", "microseconds"].iter().chain(&PERCENTILES) {
            assert!(text.contains(word), "no {word:?} in {text}");
        }
    }

    #[test]
    fn a_chart_with_more_lines_than_colours_is_refused() {
        let lines = || (0..).map(|_| Line { name: "one of many", values: [1.0; 5] });
        assert!(text_of("Six", &lines().take(6).collect::<Vec<_>>()).is_ok());
        assert!(text_of("Seven", &lines().take(7).collect::<Vec<_>>()).is_err());
    }

    #[test]
    fn powers_of_ten_are_short() {
        assert_eq!([0.01, 0.1, 1.0, 10.0, 10_000.0].map(power), ["0.01", "0.1", "1", "10", "10000"]);
    }

    #[test]
    fn the_scale_begins_and_ends_at_powers_of_ten() {
        let line = |values| Line { name: "", values };
        assert_eq!(decades(&[line([0.05, 0.1, 1.0, 20.0, 900.0])]), 0.01..1000.0);
        assert_eq!(decades(&[line([1.0; 5])]), 1.0..10.0);
        assert_eq!(decades(&[line([0.0; 5])]), 0.01..1.0);
        assert_eq!(decades(&[]), 0.01..1.0);
    }
}
