//! Bars as a chart in SVG.

use plotters::prelude::*;
use std::error::Error;
use std::fs;
use std::path::Path;

const OURS: RGBColor = RGBColor(0x00, 0x72, 0xb2);
const THEIRS: RGBColor = RGBColor(0xaa, 0xaa, 0xaa);
const FONT: (&str, u32) = ("sans-serif", 14);
const BAR: u32 = 26;

/// A bar of a chart.
#[derive(Debug)]
pub(crate) struct Bar {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) is_ours: bool,
}

/// Bars from the top to the bottom, each with its value behind it.
pub(crate) fn bars(path: &Path, title: &str, unit: &str, bars: &[Bar]) -> Result<(), Box<dyn Error>> {
    let mut text = String::new();
    {
        let height = 110 + BAR * bars.len() as u32;
        let root = SVGBackend::with_string(&mut text, (900, height)).into_drawing_area();
        root.fill(&WHITE)?;
        let most = bars.iter().map(|bar| bar.value).fold(0.0, f64::max).max(f64::MIN_POSITIVE);
        let count = bars.len() as i32;
        let mut chart = ChartBuilder::on(&root)
            .caption(title, ("sans-serif", 20))
            .margin(14)
            .x_label_area_size(44)
            .y_label_area_size(190)
            .build_cartesian_2d(0.0..most * 1.15, (0..count - 1).into_segmented())?;
        let name = |at: &SegmentValue<i32>| match at {
            SegmentValue::CenterOf(at) => {
                bars.get((count - 1 - at) as usize).map_or(String::new(), |bar| bar.name.clone())
            }
            _ => String::new(),
        };
        chart
            .configure_mesh()
            .disable_y_mesh()
            .y_labels(bars.len())
            .y_label_formatter(&name)
            .x_label_formatter(&|value| ((value * 1e6).round() / 1e6).to_string())
            .x_desc(unit)
            .label_style(FONT)
            .draw()?;
        for (at, bar) in bars.iter().enumerate() {
            let row = count - 1 - at as i32;
            let colour = if bar.is_ours { OURS } else { THEIRS };
            let corners = [(0.0, SegmentValue::Exact(row)), (bar.value, SegmentValue::Exact(row + 1))];
            let mut drawn = Rectangle::new(corners, colour.filled());
            drawn.set_margin(4, 4, 0, 0);
            chart.draw_series([drawn])?;
            let place = (bar.value + most * 0.01, SegmentValue::CenterOf(row));
            let style = TextStyle::from(FONT.into_font()).pos(plotters::style::text_anchor::Pos::new(
                plotters::style::text_anchor::HPos::Left,
                plotters::style::text_anchor::VPos::Center,
            ));
            chart.draw_series([Text::new(number(bar.value), place, style)])?;
        }
        root.present()?;
    }
    Ok(fs::write(path, text)?)
}

/// A number with three digits that count.
pub(crate) fn number(value: f64) -> String {
    let digits = if value >= 100.0 || value == 0.0 { 0 } else { (2 - value.log10().floor() as i32).max(0) as usize };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        let numbers = [0.0, 0.0123, 0.5, 1.234, 12.34, 123.4, 12_345.6].map(number);
        assert_eq!(numbers, ["0", "0.0123", "0.500", "1.23", "12.3", "123", "12346"]);
    }
}
