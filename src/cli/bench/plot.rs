//! Plots as inline SVG, both axes logarithmic: keys per second over the size of the filter, a line per engine; the
//! speed-up over the number of threads, a line per job.

use super::figures::series;
use crate::{bench::EngineReport, units::ByteSize};

const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 278.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = 28.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 44.0;
/// Height of a line's name below the plot.
const NAME_HEIGHT: f64 = 13.0;
/// Colours of lines, as classes c0, c1 … of the page.
pub(super) const COLOURS: usize = 6;

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
pub(super) type Line = (String, Vec<(f64, f64)>);

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
         <text x=\"0\" y=\"14\" class=\"title\">{}: keys/s over the size of the filter</text>\n",
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

/// The speed-up of each job over the number of threads, beside the straight line of a linear speed-up. Lines of fewer
/// than two points show nothing.
pub(super) fn speed_ups(lines: &[Line]) -> String {
    let points = || lines.iter().flat_map(|(_, points)| points);
    let (Some(first), Some(last)) = (
        points().map(|(threads, _)| *threads).reduce(f64::min),
        points().map(|(threads, _)| *threads).reduce(f64::max),
    ) else {
        return String::new();
    };
    if first == last {
        return String::new();
    }
    let speed_ups = || points().map(|(_, speed_up)| speed_up.max(0.01));
    let (least, most) = (
        speed_ups().fold(1.0, f64::min),
        speed_ups().fold(last / first, f64::max),
    );
    let x = |threads: f64| {
        let share = (threads / first).log2() / (last / first).log2();
        LEFT + share * (WIDTH - LEFT - RIGHT)
    };
    let y = |speed_up: f64| {
        let share = (speed_up.max(least) / least).log2() / (most / least).log2();
        HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)
    };
    let height = HEIGHT + NAME_HEIGHT * lines.len() as f64;
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\
         <text x=\"0\" y=\"14\" class=\"title\">speed-up over the number of threads; grey: linear</text>\n\
         <line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" class=\"linear\"/>\n",
        x(first),
        y(1.0),
        x(last),
        y(last / first)
    );
    let mut threads: Vec<_> = points().map(|(threads, _)| *threads as u64).collect();
    threads.sort_unstable();
    threads.dedup();
    for threads in threads {
        let (x, speed_up) = (x(threads as f64), threads as f64 / first);
        let below = HEIGHT - BOTTOM + 16.0;
        svg +=
            &format!("<text x=\"{x:.1}\" y=\"{below:.1}\" text-anchor=\"middle\">{threads}</text>");
        let rounded = (100.0 * speed_up).round() / 100.0;
        svg += &labelled_line(&rounded.to_string(), y(speed_up));
    }
    for (number, (name, points)) in lines.iter().enumerate() {
        let placed = points
            .iter()
            .map(|(threads, speed_up)| (x(*threads), y(*speed_up)));
        svg += &line(number, name, &placed.collect::<Vec<_>>());
    }
    svg + "</svg>\n"
}

fn grid_line(decade: i32, y: f64) -> String {
    labelled_line(&format!("10<tspan dy=\"-4\">{decade}</tspan>"), y)
}

/// A line across the plot, with its value beside it.
fn labelled_line(label: &str, y: f64) -> String {
    format!(
        "<line x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\" class=\"grid\"/>\
         <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>\n",
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
    let colour = number % COLOURS;
    let path: Vec<_> = points
        .iter()
        .map(|(x, y)| format!("{x:.1},{y:.1}"))
        .collect();
    let dots = points
        .iter()
        .map(|(x, y)| format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" class=\"c{colour}\"/>"));
    let y = HEIGHT - 6.0 + NAME_HEIGHT * number as f64;
    format!(
        "<polyline points=\"{}\" class=\"s{colour}\"/>{}\
         <rect x=\"{LEFT}\" y=\"{:.1}\" width=\"10\" height=\"3\" class=\"c{colour}\"/>\
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
    fn the_speed_up_has_a_line_per_job_and_needs_two_numbers_of_threads() {
        assert_eq!(speed_ups(&[]), "");
        let name = || "derive".to_owned();
        assert_eq!(speed_ups(&[(name(), vec![(2.0, 1.0)])]), "");
        let lines = [
            (name(), vec![(1.0, 1.0), (2.0, 1.9), (6.0, 5.5)]),
            (name(), vec![(1.0, 1.0), (2.0, 0.7), (6.0, 6.5)]),
        ];
        let svg = speed_ups(&lines);
        // The lowest point lies on the lower edge, the highest on the upper.
        for edge in [HEIGHT - BOTTOM, TOP] {
            assert!(svg.contains(&format!("cy=\"{edge:.1}\"")), "{svg}");
        }
        assert_eq!(svg.matches("<polyline").count(), 2);
        assert_eq!(svg.matches("<circle").count(), 6);
        assert_eq!(svg.matches(">6</text>").count(), 2, "both axes: {svg}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
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
        assert!(svg.contains("0 0 460 291"), "room for one name");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
