//! What was recorded, as a picture: a row for each span, in the order in which they began.

use std::borrow::Cow;
use std::fmt::Write;
use std::time::Duration;

use super::PROGRAM_RUNS;
use super::report::{Report, Span};

/// Pixels.
const WIDTH: f64 = 1120.0;
const LEFT: f64 = 380.0;
const RIGHT: f64 = 80.0;
const TOP: f64 = 104.0;
const ROW: f64 = 18.0;

const STYLE: &str = "text{font:12px ui-sans-serif,system-ui,sans-serif;fill:#24292f}\
    .title{font-size:18px;font-weight:600}.soft{fill:#6e7781}.end{text-anchor:end}.middle{text-anchor:middle}\
    line{stroke:#d8dee4}.runtime{fill:#2f6fde}.init{fill:#e8743b}.waits{opacity:.28}.row{fill:#f6f8fa}";

/// The whole picture.
pub fn draw(report: &Report) -> String {
    let rows = rows(report);
    let axis = Axis::of(report);
    let height = TOP + ROW * f64::from(u32::try_from(rows.len()).unwrap_or(0)) + 24.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\">\
         <style>{STYLE}</style><rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    head(&mut svg, report, &axis);
    axis.draw(&mut svg, height - 24.0);
    for (number, row) in (0_u32..).zip(&rows) {
        draw_row(&mut svg, row, &axis, TOP + ROW * f64::from(number));
    }
    svg + "</svg>\n"
}

struct Row<'a> {
    class: &'static str,
    name: Cow<'a, str>,
    at: &'a str,
    waits: bool,
    begin: Duration,
    took: Duration,
}

fn rows<'a>(report: &'a Report) -> Vec<Row<'a>> {
    let short = report.total.saturating_sub(program(report).1) / 400;
    let mut rows: Vec<Row> = report.runtime.iter().map(|span| Row::of("runtime", span)).collect();
    for run in report.init.chunk_by(|one, next| one.took < short && next.took < short) {
        match run {
            [first, .., last] if run.len() > 2 => rows.push(Row {
                name: format!("{} short steps, up to: {}", run.len(), last.name).into(),
                took: (last.begin + last.took).saturating_sub(first.begin),
                ..Row::of("init", first)
            }),
            _ => rows.extend(run.iter().map(|span| Row::of("init", span))),
        }
    }
    rows.sort_by_key(|row| row.begin);
    rows
}

impl<'a> Row<'a> {
    fn of(class: &'static str, span: &'a Span) -> Self {
        let name = match span.further_steps {
            0 => Cow::Borrowed(&*span.name),
            more => format!("{}, and what follows ({more})", span.name).into(),
        };
        Self { class, name, at: span.at, waits: span.waits, begin: span.begin, took: span.took }
    }
}

/// When the program began to run in the foreground, and for how long.
fn program(report: &Report) -> (Duration, Duration) {
    let ran = report.runtime.iter().find(|span| span.name == PROGRAM_RUNS);
    ran.map_or((report.total, Duration::ZERO), |span| (span.begin, span.took))
}

/// From moments to pixels. What came before the clock is left of zero; a long life of the program is cut short, so that
/// its start can be seen.
struct Axis {
    before: f64,
    program: f64,
    cut: f64,
    length: f64,
}

impl Axis {
    fn of(report: &Report) -> Self {
        let (begin, took) = program(report);
        let others = report.total.saturating_sub(took);
        let cut = took.saturating_sub(others / 10).as_secs_f64();
        let before = report.before.as_secs_f64();
        let length = before + report.total.as_secs_f64() - cut;
        Self { before, program: begin.as_secs_f64(), cut, length: length.max(1e-9) }
    }

    fn x(&self, moment: f64) -> f64 {
        let shown = if moment > self.program { (moment - self.cut).max(self.program) } else { moment };
        LEFT + (self.before + shown) / self.length * (WIDTH - LEFT - RIGHT)
    }

    fn draw(&self, svg: &mut String, bottom: f64) {
        let step = tick(self.length / 8.0);
        let mut moment = 0.0;
        // Behind the cut the numbers would lie.
        while moment <= self.program && moment <= self.length - self.before {
            let (x, above) = (self.x(moment), TOP - 8.0);
            let _ = writeln!(
                svg,
                "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{bottom:.1}\"/>\
                 <text class=\"soft middle\" x=\"{x:.1}\" y=\"{above}\">{}</text>",
                text_of(moment)
            );
            moment += step;
        }
    }
}

/// The next of 1, 2 and 5 with any number of zeroes.
fn tick(at_least: f64) -> f64 {
    let power = 10_f64.powf(at_least.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|of| of * power).find(|tick| *tick >= at_least).unwrap_or(at_least)
}

fn head(svg: &mut String, report: &Report, axis: &Axis) {
    let total = text_of(report.total.as_secs_f64());
    let before = text_of(axis.before);
    let cut = if axis.cut > 0.0 { "; a long life of the program is cut short" } else { "" };
    let _ = writeln!(
        svg,
        "<text class=\"title\" x=\"16\" y=\"30\">hull {}: {total}</text>\
         <text class=\"soft\" x=\"16\" y=\"50\">left of 0: {before} of CPU time to be executed and told what to do{cut}\
         </text><rect class=\"runtime\" x=\"16\" y=\"62\" width=\"12\" height=\"12\"/>\
         <text x=\"34\" y=\"72\">hull</text><rect class=\"init\" x=\"76\" y=\"62\" width=\"12\" height=\"12\"/>\
         <text x=\"94\" y=\"72\">the container's first process, until it is the program</text>\
         <text class=\"soft\" x=\"420\" y=\"72\">pale: waits</text>",
        escaped(report.command)
    );
    let (left, right) = (axis.x(-axis.before), axis.x(0.0));
    let width = right - left;
    let _ = writeln!(
        svg,
        "<rect class=\"runtime\" x=\"{left:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"4\"/>",
        TOP - 6.0
    );
}

fn draw_row(svg: &mut String, row: &Row, axis: &Axis, y: f64) {
    let (begin, took) = (row.begin.as_secs_f64(), row.took.as_secs_f64());
    let left = axis.x(begin);
    let right = axis.x(begin + took);
    let width = (right - left).max(1.0);
    let waits = if row.waits { " waits" } else { "" };
    let (base, end) = (y + 13.0, right.max(left + 1.0) + 5.0);
    let _ = writeln!(
        svg,
        "<g><title>{} {} at {}: {}</title><text x=\"{:.1}\" y=\"{base:.1}\" class=\"end\">{}</text>\
         <rect class=\"{}{waits}\" x=\"{left:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"12\" rx=\"1\"/>\
         <text class=\"soft\" x=\"{end:.1}\" y=\"{base:.1}\">{}</text></g>",
        escaped(&row.name),
        escaped(row.at),
        text_of(begin),
        text_of(took),
        LEFT - 8.0,
        escaped(&shortened(&row.name)),
        row.class,
        y + 3.0,
        text_of(took),
    );
}

/// As much as there is room for left of the bars.
fn shortened(name: &str) -> Cow<'_, str> {
    const ROOM: usize = 58;
    match name.char_indices().nth(ROOM) {
        Some((end, _)) => format!("{}…", &name[..end]).into(),
        None => name.into(),
    }
}

/// Three digits or so.
fn text_of(seconds: f64) -> String {
    match seconds {
        0.0 => "0".to_owned(),
        long if long >= 1.0 => format!("{long:.2} s"),
        ms if ms >= 1e-3 => format!("{:.2} ms", ms * 1e3),
        us => format!("{:.0} µs", us * 1e6),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
