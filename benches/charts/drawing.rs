//! Draws a figure as an SVG file: its panels beside each other on the same axes, below one legend.
//!
//! Equal figures give equal files. The background is part of the picture, so that a page may be
//! light or dark.

use std::io;

use plotters::coord::Shift;
use plotters::coord::cartesian::Cartesian2d;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::element::{EmptyElement, PathElement, Polygon};
use plotters::prelude::{ChartBuilder, ChartContext, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, IntoTextStyle, RGBColor, TextStyle};

use crate::axis::{Sizes, Values};
use crate::figure::{Figure, Spread};

type Drawn<T> = Result<T, DrawingAreaErrorKind<io::Error>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Panel<'a> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<Sizes, Values>>;

/// In pixels, as all sizes here.
const SIZE: (u32, u32) = (900, 400);
/// The height of the part with the title and the legend.
const HEAD: u32 = 74;
const MARGIN: i32 = 16;
/// The width of the part of the legend that one series has.
const LEGEND_WIDTH: usize = 200;

const BACKGROUND: RGBColor = RGBColor(255, 255, 255);
const TEXT: RGBColor = RGBColor(31, 35, 40);
const GRID: RGBColor = RGBColor(222, 226, 230);
/// Colors that people with color blindness can tell apart, and shapes for print without colors.
const STYLES: [(RGBColor, &[(i32, i32)]); 3] = [
    (RGBColor(0, 114, 178), &[(-4, -4), (4, -4), (4, 4), (-4, 4)]),
    (RGBColor(213, 94, 0), &[(0, -5), (5, 4), (-5, 4)]),
    (RGBColor(0, 128, 96), &[(0, -6), (6, 0), (0, 6), (-6, 0)]),
];

/// Returns the text of the SVG file.
pub(crate) fn svg(figure: &Figure) -> String {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        draw(figure, &area).unwrap();
    }
    text
}

fn draw(figure: &Figure, area: &Area<'_>) -> Drawn<()> {
    area.fill(&BACKGROUND)?;
    let (head, body) = area.split_vertically(HEAD);
    draw_head(figure, &head)?;
    let panels = figure.panels();
    let areas = body.split_evenly((1, panels.len()));
    for (name, area) in panels.into_iter().zip(&areas) {
        let panel = draw_axes(figure, name, area)?;
        for (index, series) in figure.series().into_iter().enumerate() {
            draw_line(&panel, index, &figure.line(name, series))?;
        }
    }
    area.present()
}

fn draw_head(figure: &Figure, head: &Area<'_>) -> Drawn<()> {
    /// The middle of the legend.
    const LEGEND: i32 = 52;
    /// The width of what the legend shows of a line.
    const LINE: i32 = 30;
    head.draw_text(figure.title, &text(20), (MARGIN, 14))?;
    let right = i32::try_from(SIZE.0).unwrap() - MARGIN;
    let note = format!(
        "medians of {} rounds, bars from the smallest to the largest",
        figure.rounds()
    );
    head.draw_text(
        &note,
        &text(14).pos(Pos::new(HPos::Right, VPos::Top)),
        (right, 18),
    )?;
    let lefts = (MARGIN..).step_by(LEGEND_WIDTH);
    for ((series, left), (color, shape)) in figure.series().into_iter().zip(lefts).zip(STYLES) {
        let line = [(left, LEGEND), (left + LINE, LEGEND)];
        head.draw(&PathElement::new(line, color.stroke_width(2)))?;
        let middle = EmptyElement::at((left + LINE / 2, LEGEND));
        head.draw(&(middle + Polygon::new(shape, color.filled())))?;
        head.draw_text(series, &text(16), (left + LINE + 8, LEGEND - 7))?;
    }
    Ok(())
}

/// Draws the axes of a panel, which are the same in all panels.
fn draw_axes<'a>(figure: &Figure, name: &str, area: &Area<'a>) -> Drawn<Panel<'a>> {
    let mut panel = ChartBuilder::on(area)
        .caption(name, text(17))
        .margin(MARGIN / 2)
        .x_label_area_size(44)
        .y_label_area_size(58)
        .build_cartesian_2d(Sizes::new(figure.axis()), Values::new(figure.range()))?;
    panel
        .configure_mesh()
        .bold_line_style(GRID)
        .axis_style(TEXT)
        .label_style(text(14))
        .axis_desc_style(text(14))
        .set_all_tick_mark_size(4)
        .x_desc(figure.sizes)
        .y_desc(figure.values)
        .draw()?;
    Ok(panel)
}

/// Draws the medians as a line, with a bar from the smallest to the largest value of each.
fn draw_line(panel: &Panel<'_>, index: usize, line: &[(u64, Spread)]) -> Drawn<()> {
    let (color, shape) = STYLES[index];
    let area = panel.plotting_area();
    let medians = line.iter().map(|(size, spread)| (*size, spread.median));
    let path: Vec<_> = medians.clone().collect();
    area.draw(&PathElement::new(path, color.stroke_width(2)))?;
    for (size, spread) in line {
        let ends = [(*size, spread.smallest), (*size, spread.largest)];
        area.draw(&PathElement::new(ends, color))?;
        for end in ends {
            area.draw(&(EmptyElement::at(end) + PathElement::new([(-5, 0), (5, 0)], color)))?;
        }
    }
    for median in medians {
        area.draw(&(EmptyElement::at(median) + Polygon::new(shape, color.filled())))?;
    }
    Ok(())
}

/// Returns the style of texts. The backend draws them by a fifth smaller than the size says.
fn text(size: u32) -> TextStyle<'static> {
    ("sans-serif", size).with_color(TEXT).into_text_style(&SIZE)
}
