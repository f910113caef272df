//! `molsieve key`.

use std::io::{BufRead, BufWriter, Write};

use super::{CliError, Exit};
use crate::{
    chem::{self, RdKit},
    identity::{KeyMaker, Way},
    table::source::smiles_of_line,
};

/// The arguments of `key`.
#[derive(clap::Args, Debug)]
pub(super) struct KeyArgs {
    /// SMILES [default: lines of standard input, each a SMILES or CXSMILES, then anything after a space]
    #[arg(value_name = "SMILES")]
    smiles: Vec<String>,
    /// Print in a third column why a key needed RDKit; empty if the text was enough
    #[arg(long)]
    explain: bool,
}

/// The longest line that is read, in bytes.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// Prints the structure key of each SMILES, one per line.
pub(super) fn key(args: &KeyArgs) -> Result<Exit, CliError> {
    let mut printer = Printer {
        keys: KeyMaker::new(RdKit::initialise()?),
        out: BufWriter::new(std::io::stdout().lock()),
        explain: args.explain,
        any_error: false,
    };
    let printed = if args.smiles.is_empty() {
        printer.print_lines(std::io::stdin().lock())
    } else {
        args.smiles
            .iter()
            .try_for_each(|smiles| printer.print(smiles.as_bytes()))
    };
    match printed.and_then(|()| printer.out.flush()) {
        // The reader has closed the pipe.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(Exit::Done),
        Err(error) => Err(CliError::Stream(error.to_string())),
        Ok(()) if printer.any_error => Ok(Exit::Incomplete),
        Ok(()) => Ok(Exit::Done),
    }
}

struct Printer<W> {
    keys: KeyMaker,
    out: W,
    explain: bool,
    any_error: bool,
}

impl<W: Write> Printer<W> {
    fn print_lines(&mut self, mut lines: impl BufRead) -> std::io::Result<()> {
        let mut line = Vec::new();
        loop {
            line.clear();
            let mut limited = std::io::Read::take(&mut lines, LINE_BYTES_MAX);
            if limited.read_until(b'\n', &mut line)? == 0 {
                return Ok(());
            }
            if line.len() as u64 == LINE_BYTES_MAX && line.last() != Some(&b'\n') {
                return Err(std::io::Error::other("a line is longer than 1 MiB"));
            }
            while matches!(line.last(), Some(b'\n' | b'\r')) {
                line.pop();
            }
            self.print(&line)?;
        }
    }

    fn print(&mut self, line: &[u8]) -> std::io::Result<()> {
        let smiles = smiles_of_line(line);
        let made = chem::check_text(&smiles).and_then(|()| self.keys.key(&smiles));
        let (key, way) = match made {
            Ok((key, way)) => (key.to_string(), Some(way)),
            Err(reason) => {
                self.any_error = true;
                (format!("error: {reason}"), None)
            }
        };
        write!(self.out, "{key}\t")?;
        self.out.write_all(line)?;
        match way {
            Some(Way::ByRdKit(reason)) if self.explain => writeln!(self.out, "\trdkit: {reason}"),
            _ if self.explain => writeln!(self.out, "\t"),
            _ => writeln!(self.out),
        }
    }
}
