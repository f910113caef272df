//! An SSH server for a test: OpenSSH's own, on a free port of 127.0.0.1, with keys of its own. A script `ssh` before the
//! user's in `PATH` names the keys to the real one and counts the connections.

use std::{
    env, fs,
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use super::{Folder, Molsieve, daemon::within, run_command, skip::skipped};

/// Where Debian has the server: not in a user's `PATH`.
const SERVER: &str = "/usr/sbin/sshd";

/// A running server. Ends with the test.
pub struct Sshd {
    child: Child,
    folder: Folder,
    port: u16,
}

impl Sshd {
    /// Starts one. Without OpenSSH reports that `what` is skipped, or fails if `MOLSIEVE_REQUIRE_SSHD` is set.
    pub fn start(what: &str) -> Option<Self> {
        let there = Path::new(SERVER).exists() && Command::new("ssh").arg("-V").output().is_ok();
        if !there {
            let required = env::var_os("MOLSIEVE_REQUIRE_SSHD").is_some();
            assert!(!required, "OpenSSH is not installed");
            skipped(&format!("{what}: {SERVER} or ssh is not installed"));
            return None;
        }
        let folder = Folder::new();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        for key in ["host", "key", "stranger"] {
            let mut command = Command::new("ssh-keygen");
            command.args(["-q", "-t", "ed25519", "-N", "", "-f"]);
            let run = run_command({
                command.arg(folder.path(key));
                command
            });
            assert_eq!(run.code, Some(0), "{}", run.stderr);
        }
        configure(&folder, port);
        if rustix::process::geteuid().is_root() {
            // Where the server has no rights; Debian's service creates it.
            fs::create_dir_all("/run/sshd").unwrap();
        }
        let log = fs::File::create(folder.path("sshd.log")).unwrap();
        let child = Command::new(SERVER)
            .args(["-D", "-e", "-f"])
            .arg(folder.path("sshd_config"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let sshd = Self {
            child,
            folder,
            port,
        };
        let answers = || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
        assert!(within(Duration::from_secs(20), answers), "{}", sshd.log());
        Some(sshd)
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path("sshd.log")).unwrap_or_default()
    }

    /// The address of a socket on this "node".
    pub fn address(&self, socket: &Path) -> String {
        format!("ssh://127.0.0.1:{}{}", self.port, socket.display())
    }

    /// `molsieve FLAGS` with the daemon at this address.
    pub fn molsieve(&self, address: &str, flags: &str) -> Molsieve {
        self.with_key(address, flags, "key")
    }

    /// The same with another key.
    pub fn with_key(&self, address: &str, flags: &str, key: &str) -> Molsieve {
        let path = env::var("PATH").unwrap_or_default();
        let before = self.folder.path("bin");
        Molsieve::new(flags)
            .env("PATH", format!("{}:{path}", before.display()))
            .env("TEST_SSH_KEY", self.folder.path(key))
            .env("XDG_RUNTIME_DIR", self.runtime())
            .env("MOLSIEVE_SOCKET", address)
    }

    /// The runtime directory of the client.
    pub fn runtime(&self) -> PathBuf {
        self.folder.path("run")
    }

    /// Process ids of the clients' ssh, one for each connection so far.
    pub fn connections(&self) -> Vec<i32> {
        let pids = fs::read_to_string(self.folder.path("connections")).unwrap_or_default();
        pids.lines().map(|pid| pid.parse().unwrap()).collect()
    }

    /// What clients have left in their runtime directory.
    pub fn left(&self) -> usize {
        fs::read_dir(self.runtime()).unwrap().count()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        // Its connections end with their clients.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn configure(folder: &Folder, port: u16) {
    let path = |name: &str| folder.path(name).display().to_string();
    fs::copy(folder.path("key.pub"), folder.path("authorized")).unwrap();
    let host_key = fs::read_to_string(folder.path("host.pub")).unwrap();
    folder.write("known", format!("[127.0.0.1]:{port} {host_key}"));
    folder.write(
        "sshd_config",
        format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\n\
             StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
             PermitRootLogin yes\nMaxStartups 100\nPrintMotd no\n",
            path("host"),
            path("authorized"),
        ),
    );
    folder.write(
        "ssh_config",
        format!(
            "Host *\n  IdentitiesOnly yes\n  UserKnownHostsFile {}\n  GlobalKnownHostsFile /dev/null\n  \
             StrictHostKeyChecking yes\n",
            path("known"),
        ),
    );
    let script = format!(
        "#!/bin/sh\necho $$ >>{}\nexec {} -F {} -i \"$TEST_SSH_KEY\" \"$@\"\n",
        path("connections"),
        program("ssh"),
        path("ssh_config"),
    );
    let ssh = folder.write("bin/ssh", script);
    fs::set_permissions(ssh, fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(folder.path("run")).unwrap();
}

/// The path of a program.
fn program(name: &str) -> String {
    let path = env::var("PATH").unwrap_or_default();
    let mut folders = path.split(':').map(|folder| Path::new(folder).join(name));
    folders
        .find(|file| file.exists())
        .unwrap()
        .display()
        .to_string()
}
