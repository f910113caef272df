//! The chemistry as plots of bars: products per second, and where the time of a product goes. RDKit's plain loop and
//! molsieve's own ways are named apart.

use super::plot::{COLOURS, escaped};
use crate::{
    bench::{Chemistry, StageTimes},
    units::count,
};

const WIDTH: f64 = 460.0;
/// Height of the title.
const TOP: f64 = 24.0;
/// Height of a bar with its name above.
const BAR: f64 = 38.0;
/// Columns of the picture beside a bar, for its number.
const NUMBER: f64 = 76.0;
/// Height of a line of the legend, and its entries.
const LEGEND: f64 = 16.0;
const LEGEND_COLUMNS: usize = 3;

/// The two plots.
pub(super) fn plots(chemistry: &Chemistry) -> String {
    let ways = [
        ("RDKit's plain loop", &chemistry.reference),
        ("molsieve, canonical SMILES", &chemistry.fast),
        ("molsieve, direct SMILES", &chemistry.direct),
    ];
    let speeds = ways.map(|(name, times)| {
        let per_second = 1e6 / times.whole.max(f64::MIN_POSITIVE);
        let parts = vec![(0, per_second)];
        let number = count(per_second as u64);
        Bar {
            name,
            parts,
            number,
        }
    });
    let stages = ways.map(|(name, times)| Bar {
        name,
        parts: stages(times).map(|(_, time)| time).enumerate().collect(),
        number: format!("{:.1} µs", times.whole),
    });
    let names: Vec<&str> = stages_named(chemistry);
    plot("chemistry: products/s of one core", &speeds, &[])
        + &plot("chemistry: µs per product, by stage", &stages, &names)
}

/// Every stage but all together.
fn stages(times: &StageTimes) -> impl Iterator<Item = (&'static str, f64)> {
    let named = times.named();
    named.into_iter().take(named.len() - 1)
}

fn stages_named(chemistry: &Chemistry) -> Vec<&'static str> {
    stages(&chemistry.reference).map(|(name, _)| name).collect()
}

struct Bar {
    name: &'static str,
    /// Colour and length of each part.
    parts: Vec<(usize, f64)>,
    /// What stands beside it.
    number: String,
}

fn plot(title: &str, bars: &[Bar], legend: &[&str]) -> String {
    let length = |bar: &Bar| bar.parts.iter().map(|(_, part)| part).sum::<f64>();
    let longest = bars.iter().map(length).fold(f64::MIN_POSITIVE, f64::max);
    let lines = legend.len().div_ceil(LEGEND_COLUMNS) as f64;
    let height = TOP + BAR * bars.len() as f64 + LEGEND * lines + 8.0;
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\
         <text x=\"0\" y=\"14\" class=\"title\">{}</text>\n",
        escaped(title)
    );
    for (row, bar) in bars.iter().enumerate() {
        let y = TOP + BAR * row as f64;
        svg += &format!(
            "<text x=\"0\" y=\"{:.1}\">{}</text>",
            y + 11.0,
            escaped(bar.name)
        );
        let mut x = 0.0;
        for (colour, part) in &bar.parts {
            let width = part / longest * (WIDTH - NUMBER);
            let class = colour % COLOURS;
            svg += &format!(
                "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"16\" class=\"c{class}\"/>",
                y + 16.0
            );
            x += width;
        }
        svg += &format!(
            "<text x=\"{:.1}\" y=\"{:.1}\">{}</text>\n",
            x + 6.0,
            y + 28.0,
            escaped(&bar.number)
        );
    }
    for (place, name) in legend.iter().enumerate() {
        let x = (place % LEGEND_COLUMNS) as f64 * WIDTH / LEGEND_COLUMNS as f64;
        let y = TOP + BAR * bars.len() as f64 + LEGEND * (place / LEGEND_COLUMNS) as f64 + 12.0;
        let class = place % COLOURS;
        svg += &format!(
            "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"10\" height=\"10\" class=\"c{class}\"/>\
             <text x=\"{:.1}\" y=\"{y:.1}\">{}</text>\n",
            y - 9.0,
            x + 15.0,
            escaped(name)
        );
    }
    svg + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ways_of_the_chemistry_are_named_apart() {
        let times = |whole| StageTimes {
            parse: whole / 2.0,
            find_sites: 0.0,
            react: whole / 4.0,
            finish: 0.0,
            write: whole / 4.0,
            keys: 0.0,
            whole,
        };
        let chemistry = Chemistry {
            rule: "[cH:1]>>[c:1]F",
            molecules: 10,
            products: 20,
            products_per_second_per_core: 62_500.0,
            repeats: 3,
            times_as_fast_as_reference: 10.0,
            fast: times(16.0),
            reference: times(160.0),
            direct_products_per_second_per_core: 125_000.0,
            direct: times(8.0),
        };
        let svg = plots(&chemistry);
        assert_eq!(svg.matches("<svg").count(), 2);
        for text in [
            "RDKit's plain loop",
            "molsieve, canonical SMILES",
            "molsieve, direct SMILES",
            ">6,250<",
            ">62,500<",
            ">125,000<",
            ">160.0 µs<",
            ">find sites<",
        ] {
            assert!(svg.contains(text), "{text}: {svg}");
        }
        // The longest bar ends where its number begins.
        assert!(svg.contains("width=\"384.0\""), "{svg}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
