//! The settings as `--check-config` prints them: a configuration file, in which comments say where each value came
//! from.

use std::fmt;

use super::{Loaded, value::Origin};

impl fmt::Display for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(path) => writeln!(f, "# {}, flags and defaults", path.display())?,
            None => writeln!(f, "# flags and defaults; there is no configuration file")?,
        }
        for (key, value, origin) in self.values.rows(&self.origins) {
            match value {
                Some(value) => line(f, key, &value, origin)?,
                None => writeln!(f, "# {key} is not set")?,
            }
        }
        for table in &self.quotas {
            write!(f, "\n[{}]", table.header)?;
            for (key, value, origin) in &table.rows {
                writeln!(f)?;
                write!(f, "{key} = {value}  # {origin}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

fn line(f: &mut fmt::Formatter<'_>, key: &str, value: &str, origin: Origin) -> fmt::Result {
    writeln!(f, "{key} = {value}  # {origin}")
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("flag"),
            Self::File(place) => write!(f, "file, line {}", place.line),
            Self::Default => f.write_str("default"),
        }
    }
}
