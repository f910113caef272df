//! Plots as inline SVG: keys per second over the size of the filter, both logarithmic, a line per engine.

use super::figures::series;
use crate::{bench::EngineReport, units::ByteSize};

const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 270.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = 28.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = 44.0;
/// Height of a line's name below the plot.
const NAME_HEIGHT: f64 = 13.0;
const COLOURS: [&str; 6] = [
    "#1b6ca8", "#d1495b", "#1b9e6b", "#8d5fd3", "#c77f00", "#555",
];

/// A plot for each step.
pub(super) fn plots(engines: &[EngineReport]) -> String {
    let steps = [
        "look-ups of absent keys",
        "look-ups of present keys",
        "inserts",
        "the whole sieve, end to end",
    ];
    let plot = |(step, name): (usize, &&str)| {
        let lines: Vec<_> = engines
            .iter()
            .map(|engine| {
                let (_, figures) = &series(engine)[step];
                let points = figures.iter();
                let points = points.map(|(bytes, figure)| (*bytes as f64, figure.keys_per_second));
                let name = format!("{}, {}", engine.engine, engine.device);
                (name, points.collect())
            })
            .collect();
        plot(name, &lines)
    };
    steps.iter().enumerate().map(plot).collect()
}

/// A named line and its points.
type Line = (String, Vec<(f64, f64)>);

/// The powers of ten that enclose the numbers; `None` if there are none.
fn decades(values: impl Iterator<Item = f64>) -> Option<(i32, i32)> {
    let logs: Vec<f64> = values.map(|value| value.max(1.0).log10()).collect();
    let least = logs.iter().copied().reduce(f64::min)?.floor() as i32;
    let most = logs.iter().copied().reduce(f64::max)?.ceil() as i32;
    Some((least, most.max(least + 1)))
}

fn plot(name: &str, lines: &[Line]) -> String {
    let points = || lines.iter().flat_map(|(_, points)| points);
    let (Some((least, most)), Some(first), Some(last)) = (
        decades(points().map(|(_, keys)| *keys)),
        points().map(|(bytes, _)| bytes.log2()).reduce(f64::min),
        points().map(|(bytes, _)| bytes.log2()).reduce(f64::max),
    ) else {
        return String::new();
    };
    let x = |bytes: f64| {
        let share = (bytes.log2() - first) / (last - first).max(1.0);
        LEFT + share * (WIDTH - LEFT - RIGHT)
    };
    let y = |keys: f64| {
        let share = (keys.max(1.0).log10() - f64::from(least)) / f64::from(most - least);
        HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)
    };
    let height = HEIGHT + NAME_HEIGHT * lines.len() as f64;
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\
         <text x=\"{LEFT}\" y=\"14\">{}: keys/s over the size of the filter</text>\n",
        escaped(name)
    );
    for decade in least..=most {
        svg += &grid_line(decade, y(10f64.powi(decade)));
    }
    svg += &sizes(points().map(|(bytes, _)| *bytes as u64), &x);
    for (number, (name, points)) in lines.iter().enumerate() {
        let placed = points.iter().map(|(bytes, keys)| (x(*bytes), y(*keys)));
        svg += &line(number, name, &placed.collect::<Vec<_>>());
    }
    svg + "</svg>\n"
}

fn grid_line(decade: i32, y: f64) -> String {
    format!(
        "<line x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#ddd\"/>\
         <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">10<tspan dy=\"-4\">{decade}</tspan></text>\n",
        WIDTH - RIGHT,
        LEFT - 4.0,
        y + 4.0
    )
}

fn sizes(bytes: impl Iterator<Item = u64>, x: &impl Fn(f64) -> f64) -> String {
    let mut sizes: Vec<u64> = bytes.collect();
    sizes.sort_unstable();
    sizes.dedup();
    let label = |bytes: &u64| {
        format!(
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\n",
            x(*bytes as f64),
            HEIGHT - BOTTOM + 16.0,
            ByteSize(*bytes)
        )
    };
    sizes.iter().map(label).collect()
}

/// A line with its points, and its name below the plot.
fn line(number: usize, name: &str, points: &[(f64, f64)]) -> String {
    let colour = COLOURS[number % COLOURS.len()];
    let path: Vec<_> = points
        .iter()
        .map(|(x, y)| format!("{x:.1},{y:.1}"))
        .collect();
    let dots = points
        .iter()
        .map(|(x, y)| format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>"));
    let y = HEIGHT - 6.0 + NAME_HEIGHT * number as f64;
    format!(
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>{}\
         <rect x=\"{LEFT}\" y=\"{:.1}\" width=\"10\" height=\"3\" fill=\"{colour}\"/>\
         <text x=\"{:.1}\" y=\"{y:.1}\">{}</text>\n",
        path.join(" "),
        dots.collect::<String>(),
        y - 5.0,
        LEFT + 16.0,
        escaped(name)
    )
}

/// Escapes text for HTML.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_does_not_become_markup() {
        let text = escaped("a>>b & <\"c\">");
        assert_eq!(text, "a&gt;&gt;b &amp; &lt;&quot;c&quot;&gt;");
    }

    #[test]
    fn plots_hold_their_points() {
        assert_eq!(decades([2e6, 3e9].into_iter()), Some((6, 10)));
        assert_eq!(decades([1e6].into_iter()), Some((6, 7)));
        assert_eq!(decades(std::iter::empty()), None);
        assert_eq!(plot("nothing", &[]), "");
        let lines = [("cpu & <x>".to_owned(), vec![(262_144.0, 1e7), (1e9, 1e6)])];
        let svg = plot("inserts", &lines);
        assert!(
            svg.contains("cpu &amp; &lt;x&gt;") && svg.contains("256 KiB"),
            "{svg}"
        );
        assert_eq!(svg.matches("<circle").count(), 2);
        assert!(svg.contains("0 0 460 283"), "room for one name");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
