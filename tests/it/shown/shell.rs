//! One bash for the commands of a page.

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};

/// Longest that a command may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Begins the line behind the output of a command.
const END: &str = "--- end of output ---";
/// As what the temporary folder is shown.
const FOLDER_SHOWN: &str = "/data";

/// A shell in a temporary folder, with molsieve on its path.
pub struct Shell {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
    folder: PathBuf,
}

impl Shell {
    pub fn start(folder: &Path, molsieve: &Path) -> Self {
        let path = std::env::var("PATH").unwrap_or_default();
        let programs = molsieve.parent().unwrap().display();
        let mut command = Command::new("bash");
        command
            .args(["--noprofile", "--norc"])
            .current_dir(folder)
            .process_group(0);
        command
            .env("PATH", format!("{programs}:{path}"))
            .env("HOME", folder);
        command.env("LC_ALL", "C.UTF-8").env("TERM", "dumb");
        for name in [
            "MOLSIEVE_LOG",
            "MOLSIEVE_SOCKET",
            "MOLSIEVE_ADAPTER",
            "XDG_RUNTIME_DIR",
            "XDG_STATE_HOME",
            "COLUMNS",
        ] {
            command.env_remove(name);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || {
            let lines = output.split(b'\n').map_while(Result::ok);
            let lines = lines.map(|line| String::from_utf8_lossy(&line).into_owned());
            lines
                .take_while(|line| sender.send(line.clone()).is_ok())
                .for_each(drop);
        });
        let mut input = child.stdin.take().unwrap();
        input.write_all(b"exec 2>&1\n").unwrap();
        Self {
            child,
            input,
            lines,
            folder: folder.to_owned(),
        }
    }

    /// Runs a command and gives the lines it writes to standard output and standard error.
    pub fn run(&mut self, command: &str) -> Vec<String> {
        // The next command sees the exit code of this one in `$?`.
        let script = format!(
            "{{ (exit ${{status:-0}}); {command}\n}} </dev/null; status=$?; printf '\\n{END}\\n'\n"
        );
        self.input.write_all(script.as_bytes()).unwrap();
        let mut lines = Vec::new();
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            match line.unwrap_or_else(|_| panic!("no end of: {command}\n{}", lines.join("\n"))) {
                line if line == END => break,
                line => lines.push(line.replace(&self.folder.display().to_string(), FOLDER_SHOWN)),
            }
        }
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        lines
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // The shell and what it has started in the background.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}

/// What bash says of the syntax of a script that has faults.
pub fn syntax_error(script: &str) -> Option<String> {
    let mut child = Command::new("bash")
        .arg("-n")
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(script.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
}
