//! The parts of a Markdown page that the test looks at.

use std::{fs, path::Path};

/// A page.
pub struct Page {
    /// Its path in the repository.
    pub name: String,
    text: String,
    pub blocks: Vec<Block>,
}

/// A fenced block.
pub struct Block {
    /// The first word behind the fence.
    pub language: String,
    /// The file that it is written to.
    pub file: Option<String>,
    /// The number of its first line in the page, from 1.
    pub first_line: usize,
    pub lines: Vec<String>,
}

/// A command and the output shown.
pub struct Shown {
    pub command: String,
    /// Its line in the page, from 1.
    pub line: usize,
    pub output: Vec<String>,
}

impl Page {
    pub fn read(root: &Path, path: &Path) -> Self {
        let name = path.strip_prefix(root).unwrap().display().to_string();
        Self::parse(&name, fs::read_to_string(path).unwrap())
    }

    pub fn parse(name: &str, text: String) -> Self {
        let mut blocks: Vec<Block> = Vec::new();
        let mut inside = false;
        for (number, line) in text.lines().enumerate() {
            match line.strip_prefix("```") {
                Some(_) if inside => inside = false,
                Some(marks) => {
                    let mut words = marks.split(' ');
                    blocks.push(Block {
                        language: words.next().unwrap_or_default().to_owned(),
                        file: words
                            .find_map(|word| word.strip_prefix("file="))
                            .map(str::to_owned),
                        first_line: number + 2,
                        lines: Vec::new(),
                    });
                    inside = true;
                }
                None if inside => blocks.last_mut().unwrap().lines.push(line.to_owned()),
                None => {}
            }
        }
        assert!(!inside, "{name}: a block is not closed");
        Self {
            name: name.to_owned(),
            text,
            blocks,
        }
    }

    /// Lines outside of blocks, with their numbers.
    fn prose(&self) -> impl Iterator<Item = (usize, &str)> {
        let in_block = |number: usize| {
            self.blocks.iter().any(|block| {
                (block.first_line - 1..=block.first_line + block.lines.len()).contains(&number)
            })
        };
        let lines = self
            .text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line));
        lines.filter(move |(number, _)| !in_block(*number))
    }

    /// Texts between single backticks.
    pub fn inline_code(&self) -> Vec<(usize, String)> {
        let spans = |(number, line): (usize, &str)| -> Vec<(usize, String)> {
            let code = line.split('`').skip(1).step_by(2);
            code.map(|text| (number, text.to_owned())).collect()
        };
        self.prose().flat_map(spans).collect()
    }

    /// Targets of `[text](target)`.
    pub fn links(&self) -> Vec<(usize, String)> {
        let targets = |(number, line): (usize, &str)| -> Vec<(usize, String)> {
            // SMILES and SMIRKS in code look like links.
            let line: String = line.split('`').step_by(2).collect();
            let ends = line
                .split("](")
                .skip(1)
                .filter_map(|rest| rest.split_once(')'));
            ends.map(|(target, _)| (number, target.to_owned()))
                .collect()
        };
        self.prose().flat_map(targets).collect()
    }

    /// Writes the page with other lines in these blocks.
    pub fn write_with(&self, root: &Path, replacements: &[(&Block, Vec<String>)]) {
        let mut lines: Vec<&str> = self.text.lines().collect();
        for (block, new) in replacements.iter().rev() {
            let first = block.first_line - 1;
            lines.splice(
                first..first + block.lines.len(),
                new.iter().map(String::as_str),
            );
        }
        fs::write(root.join(&self.name), lines.join("\n") + "\n").unwrap();
    }
}

impl Block {
    pub fn text(&self) -> String {
        self.lines.iter().map(|line| format!("{line}\n")).collect()
    }

    /// The commands of a `console` block. A command goes on behind a backslash at the end of its line.
    pub fn commands(&self) -> Vec<Shown> {
        let mut commands: Vec<Shown> = Vec::new();
        let mut goes_on = false;
        for (index, line) in self.lines.iter().enumerate() {
            let line_of_page = self.first_line + index;
            match (line.strip_prefix("$ "), commands.last_mut()) {
                (None, Some(last)) if goes_on => last.command += &format!("\n{line}"),
                (Some(command), _) => {
                    commands.push(Shown {
                        command: command.to_owned(),
                        line: line_of_page,
                        output: Vec::new(),
                    });
                }
                (None, Some(last)) => last.output.push(line.clone()),
                (None, None) => panic!("line {line_of_page}: output before the first command"),
            }
            goes_on = (goes_on || line.starts_with("$ ")) && line.ends_with('\\');
        }
        commands
    }
}

/// Lines, each with those behind a backslash at its end.
pub fn joined_lines(lines: &[String]) -> Vec<String> {
    let text = lines.join("\n").replace("\\\n", " ");
    text.lines().map(str::to_owned).collect()
}

/// Whether inline code names a file or folder of the repository.
pub fn is_file(code: &str) -> bool {
    const FOLDERS: [&str; 11] = [
        "src/",
        "tests/",
        "scripts/",
        "docs/",
        "benches/",
        "examples/",
        "kernels/",
        "shaders/",
        "packaging/",
        ".ci/",
        ".github/",
    ];
    const EXTENSIONS: [&str; 8] = [".rs", ".cc", ".h", ".cu", ".wgsl", ".sh", ".py", ".md"];
    if ["NAME", "VERSION"]
        .iter()
        .any(|placeholder| code.contains(placeholder))
    {
        return false;
    }
    let plain = code
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "/._-*".contains(c));
    plain
        && (FOLDERS.iter().any(|folder| code.starts_with(folder))
            || EXTENSIONS
                .iter()
                .any(|extension| code.ends_with(extension) && code.len() > extension.len()))
}

/// Whether the file is there; of a pattern, the folder before it.
pub fn exists(root: &Path, code: &str) -> bool {
    let plain = match code.split_once('*') {
        Some((before, _)) => before.rsplit_once('/').map_or("", |(folder, _)| folder),
        None => code,
    };
    root.join(plain).exists()
}
