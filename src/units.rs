//! Sizes, counts and durations in the form that people write and read.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize, de};

/// A number of bytes. Written with binary units: `512KiB`, `2GiB`, `1.5 GiB`; `K`, `KB`, `M`, `MB`,
/// `G`, `GB`, `T`, `TB` mean the same binary units, and a bare number is bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct ByteSize(pub u64);

/// Why a text is not a size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// The number before the unit can't be read.
    #[error("`{0}` is not a size; write for example 512MiB or 2GiB")]
    NotANumber(String),
    /// The unit is unknown.
    #[error("`{0}` is not a unit of size; use KiB, MiB, GiB or TiB")]
    UnknownUnit(String),
}

const UNITS: [(&str, u32); 4] = [("Ti", 40), ("Gi", 30), ("Mi", 20), ("Ki", 10)];

impl FromStr for ByteSize {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        let text = text.trim();
        let split = text.find(|c: char| !c.is_ascii_digit() && c != '.');
        let (number, unit) = text.split_at(split.unwrap_or(text.len()));
        let number = number.parse::<f64>();
        let number = number.map_err(|_| SizeError::NotANumber(text.into()))?;
        let unit = unit.trim();
        let upper = unit.to_ascii_uppercase();
        let shift = match upper.trim_end_matches('B').trim_end_matches('I') {
            "" => 0,
            "K" => 10,
            "M" => 20,
            "G" => 30,
            "T" => 40,
            _ => return Err(SizeError::UnknownUnit(unit.into())),
        };
        Ok(Self((number * (1u64 << shift) as f64) as u64))
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, shift) in UNITS {
            let one = 1u64 << shift;
            if self.0 >= one {
                let text = if self.0.is_multiple_of(one) {
                    format!("{} {unit}B", self.0 / one)
                } else {
                    format!("{:.1} {unit}B", self.0 as f64 / one as f64)
                };
                return f.pad(&text);
            }
        }
        f.pad(&format!("{} B", self.0))
    }
}

impl Serialize for ByteSize {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // A whole number of a binary unit where that is exact, which is easier to read; else bytes.
        for (unit, shift) in UNITS {
            if self.0 >= 1 << shift && self.0.is_multiple_of(1 << shift) {
                return serializer.serialize_str(&format!("{}{unit}B", self.0 >> shift));
            }
        }
        serializer.serialize_str(&self.0.to_string())
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Raw {
            Number(u64),
            Text(String),
        }
        match Raw::deserialize(deserializer)? {
            Raw::Number(bytes) => Ok(Self(bytes)),
            Raw::Text(text) => text.parse().map_err(de::Error::custom),
        }
    }
}

/// A count with thousands separated: `1,234,567`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let groups = digits.as_bytes().rchunks(3).rev();
    let groups: Vec<_> = groups.map(String::from_utf8_lossy).collect();
    groups.join(",")
}

/// A count with its noun, in the plural unless the count is one: `1 row`, `2 rows`.
pub fn counted(n: u64, what: &str) -> String {
    format!("{} {what}{}", count(n), if n == 1 { "" } else { "s" })
}

/// A duration at a useful precision: `0.4 s`, `12 s`, `3 min 05 s`, `16 h 02 min`.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// A share as percent with one decimal: `12.5 %`. 0 of 0 is `0.0 %`.
pub fn percent(part: u64, whole: u64) -> String {
    let share = match whole {
        0 => 0.0,
        _ => 100.0 * part as f64 / whole as f64,
    };
    format!("{share:.1} %")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4096),
            ("256MiB", 256 << 20),
            ("256 mib", 256 << 20),
            ("2G", 2 << 30),
            ("2GB", 2 << 30),
            ("1.5KiB", 1536),
            ("1T", 1 << 40),
        ] {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
        for text in ["x", "", "-1"] {
            let error = SizeError::NotANumber(text.into());
            assert_eq!(text.parse::<ByteSize>(), Err(error));
        }
        let error = SizeError::UnknownUnit("apples".into());
        assert_eq!("5 apples".parse::<ByteSize>(), Err(error));
    }

    #[test]
    fn sizes_are_shown_in_the_largest_unit_that_fits() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1 KiB"),
            (3 << 19, "1.5 MiB"),
            (2 << 30, "2 GiB"),
        ] {
            assert_eq!(ByteSize(bytes).to_string(), text);
        }
    }

    #[test]
    fn a_size_survives_a_job_file() {
        for bytes in [0, 1, 1023, 1 << 20, (1 << 30) + 1, 3 << 40] {
            let text = serde_json::to_string(&ByteSize(bytes)).unwrap();
            let read: ByteSize = serde_json::from_str(&text).unwrap();
            assert_eq!(read, ByteSize(bytes), "{text}");
        }
    }

    #[test]
    fn counts_durations_and_shares() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(counted(1, "row"), "1 row");
        assert_eq!(counted(2_000, "row"), "2,000 rows");
        assert_eq!(duration(Duration::from_millis(440)), "0.4 s");
        assert_eq!(duration(Duration::from_secs(185)), "3 min 05 s");
        assert_eq!(duration(Duration::from_secs(57_720)), "16 h 02 min");
        assert_eq!(percent(1, 8), "12.5 %");
        assert_eq!(percent(0, 0), "0.0 %");
    }
}
