//! The daemon under a service manager: a real notify socket, real inherited descriptors, and the sockets that it creates
//! itself.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::{
        fd::OwnedFd,
        unix::{
            fs::{MetadataExt, PermissionsExt},
            net::{UnixDatagram, UnixListener, UnixStream},
        },
    },
    process::{Command, Stdio},
    time::Duration,
};

use crate::kit::{
    Folder,
    daemon::{Daemon, settings},
    library::{THREE_RULES, rule_file, smiles_lines},
    only_test,
};
use molsieve::daemon::systemd::{self, Handed, SocketError};

/// Selects what the test `in_a_process_of_its_own` does; without it the test does nothing.
const WHAT: &str = "MOLSIEVE_TEST_CHILD";

fn this_test(what: &str, mut command: Command) -> Command {
    command
        .args(only_test(module_path!(), "in_a_process_of_its_own"))
        .env(WHAT, what);
    command
}

/// Not a test itself: the tests below run it in a process with its own environment and descriptors.
#[test]
fn in_a_process_of_its_own() {
    match std::env::var(WHAT).as_deref() {
        Ok("notify") => {
            systemd::ready("2 jobs\nMAINPID=1");
            systemd::reloading();
            systemd::status("no job");
            systemd::alive();
            systemd::stopping("1 worker");
            println!("\nanswer: {:?}", systemd::alive_every());
        }
        Ok("adopt") => match systemd::adopt() {
            Ok(Handed {
                metrics: Some(metrics),
                ..
            }) => {
                metrics.set_nonblocking(false).unwrap();
                let (mut client, _) = metrics.accept().unwrap();
                client.write_all(b"figures").unwrap();
            }
            Ok(Handed {
                jobs: Some(listening),
                ..
            }) => {
                assert!(listening.file.is_none(), "it is not ours to remove");
                listening.listener.set_nonblocking(false).unwrap();
                let (mut client, _) = listening.listener.accept().unwrap();
                client.write_all(b"hello").unwrap();
            }
            other => println!("\nanswer: {other:?}"),
        },
        _ => {}
    }
}

fn answer(mut command: Command) -> String {
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let answer = text.lines().find_map(|line| line.strip_prefix("answer: "));
    answer.unwrap_or_else(|| panic!("{text}")).to_owned()
}

#[test]
fn the_service_manager_is_notified_of_each_state() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let mut child = this_test("notify", Command::new(std::env::current_exe().unwrap()));
    child
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "20000000");
    child.env_remove("WATCHDOG_PID");
    assert_eq!(answer(child), "Some(10s)");
    let heard = || {
        let mut text = [0; 1_024];
        let length = socket.recv(&mut text).unwrap();
        String::from_utf8(text[..length].to_vec()).unwrap()
    };
    assert_eq!(heard(), "READY=1\nSTATUS=2 jobs MAINPID=1\n");
    let reloading = heard();
    let since = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=");
    assert!(since.unwrap().trim_end().parse::<u64>().unwrap() > 0);
    assert_eq!(heard(), "STATUS=no job\n");
    assert_eq!(heard(), "WATCHDOG=1\n");
    assert_eq!(heard(), "STOPPING=1\nSTATUS=1 worker\n");
}

#[test]
fn without_a_service_manager_nothing_is_sent() {
    let mut child = this_test("notify", Command::new(std::env::current_exe().unwrap()));
    child
        .env_remove("NOTIFY_SOCKET")
        .env_remove("WATCHDOG_USEC");
    assert_eq!(answer(child), "None");
}

/// A process that receives its standard input as the descriptors that the shell code `as_what` makes.
fn handed(input: OwnedFd, as_what: &str) -> Command {
    let mut shell = Command::new("bash");
    let script = format!("{as_what}; exec 0</dev/null; exec \"$0\" \"$@\"");
    shell
        .args(["-c", &script])
        .arg(std::env::current_exe().unwrap());
    shell.stdin(input);
    this_test("adopt", shell)
}

const ONE: &str = "exec 3<&0; export LISTEN_PID=$$ LISTEN_FDS=1";

#[test]
fn an_inherited_socket_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("molsieve.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let mut child = handed(listener.into(), ONE);
    let mut child = child.stdout(Stdio::null()).spawn().unwrap();
    let mut said = String::new();
    let mut client = UnixStream::connect(&path).unwrap();
    client
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    client.read_to_string(&mut said).unwrap();
    assert_eq!(said, "hello");
    assert!(child.wait().unwrap().success());
    assert!(path.exists(), "it is the service manager's");
}

const METRICS: &str = "exec 3<&0; export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=metrics";

#[test]
fn an_inherited_socket_for_metrics_is_used_if_only_this_machine_reaches_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut child = handed(listener.into(), METRICS);
    let mut child = child.stdout(Stdio::null()).spawn().unwrap();
    let mut said = String::new();
    let mut client = TcpStream::connect(address).unwrap();
    client.read_to_string(&mut said).unwrap();
    assert_eq!(said, "figures");
    assert!(child.wait().unwrap().success());
    let open = TcpListener::bind("0.0.0.0:0").unwrap();
    let refused = answer(handed(open.into(), METRICS));
    assert!(refused.contains("is not a loopback address"), "{refused}");
    // Without the name it is the socket for jobs, which is a Unix socket.
    let unnamed = TcpListener::bind("127.0.0.1:0").unwrap();
    let refused = answer(handed(unnamed.into(), ONE));
    assert!(refused.starts_with("Err(Unfit("), "{refused}");
}

#[test]
fn unusable_inherited_descriptors_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let listener = || -> OwnedFd {
        let path = folder.path().join("molsieve.sock");
        let _ = fs::remove_file(&path);
        UnixListener::bind(path).unwrap().into()
    };
    let two = "exec 3<&0 4<&0; export LISTEN_PID=$$ LISTEN_FDS=2";
    assert_eq!(answer(handed(listener(), two)), "Err(TooMany(2))");
    let connected = UnixStream::pair().unwrap().0;
    let unfit = [
        connected.into(),
        UnixDatagram::unbound().unwrap().into(),
        OwnedFd::from(fs::File::open("/dev/null").unwrap()),
    ];
    for descriptor in unfit {
        let answer = answer(handed(descriptor, ONE));
        assert!(answer.starts_with("Err(Unfit("), "{answer}");
    }
    let anothers = "exec 3<&0; export LISTEN_PID=1 LISTEN_FDS=1";
    assert_eq!(
        answer(handed(listener(), anothers)),
        "Ok(Handed { jobs: None, metrics: None })"
    );
}

#[test]
fn a_created_socket_has_its_mode_and_is_removed_with_the_daemon() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("molsieve.sock");
    let own_group = fs::metadata(folder.path()).unwrap().gid();
    let listening = systemd::bind(&path, 0o660, Some(own_group)).unwrap();
    let file = fs::metadata(&path).unwrap();
    assert_eq!(file.permissions().mode() & 0o7777, 0o660);
    assert_eq!(file.gid(), own_group);
    UnixStream::connect(&path).unwrap();
    let names = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(names, 1, "nothing but the socket");
    drop(listening);
    assert!(!path.exists());
}

#[test]
fn the_socket_of_a_running_daemon_is_kept_and_that_of_a_dead_one_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("molsieve.sock");
    let mut first = systemd::bind(&path, 0o600, None).unwrap();
    let in_use = systemd::bind(&path, 0o600, None).unwrap_err();
    assert_eq!(in_use, SocketError::InUse(path.clone()));
    UnixStream::connect(&path).unwrap();
    // As after SIGKILL: the file exists and nobody listens.
    let file = first.file.take();
    drop(first);
    let second = systemd::bind(&path, 0o600, None).unwrap();
    drop(file);
    UnixStream::connect(&path).expect("the first removes only what is its own");
    drop(second);
    assert!(!path.exists());
}

#[test]
fn a_file_that_is_not_a_socket_is_left_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("molsieve.sock");
    fs::write(&path, "mine").unwrap();
    let error = systemd::bind(&path, 0o600, None).unwrap_err();
    assert_eq!(error, SocketError::NotASocket(path.clone()));
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    // A link target is also kept.
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert!(systemd::bind(&link, 0o600, None).is_err());
    assert!(link.symlink_metadata().unwrap().is_symlink());
}

/// Starts a daemon as a service manager does: with a notify socket and an inherited listening socket.
#[test]
fn the_daemon_notifies_the_service_manager_and_serves_an_inherited_socket() {
    let folder = tempfile::tempdir().unwrap();
    let (path, notify) = (
        folder.path().join("given.sock"),
        folder.path().join("notify"),
    );
    let listener = UnixListener::bind(&path).unwrap();
    let socket = UnixDatagram::bind(&notify).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let script = format!("{ONE}; exec 0</dev/null; exec \"$0\" \"$@\"");
    let mut daemon = Command::new("bash")
        .args(["-c", &script])
        .arg(env!("CARGO_BIN_EXE_molsieve"))
        .args([
            "serve",
            "--memory",
            "256MiB",
            "--threads",
            "1",
            "--gpus",
            "0",
        ])
        .arg("--state")
        .arg(folder.path().join("state"))
        .env("NOTIFY_SOCKET", &notify)
        .env("WATCHDOG_USEC", "400000")
        .env_remove("WATCHDOG_PID")
        .stdin(OwnedFd::from(listener))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let pid = rustix::process::Pid::from_child(&daemon);
    let mut text = [0; 1_024];
    // Watchdog messages may come at any time.
    let mut heard = |what: &str| loop {
        let length = socket.recv(&mut text).unwrap();
        let said = std::str::from_utf8(&text[..length]).unwrap();
        if said.starts_with(what) {
            break;
        }
        assert_eq!(said, "WATCHDOG=1\n", "{what} is waited for");
    };
    heard("READY=1\nSTATUS=accepting jobs");
    heard("WATCHDOG=1");
    let mut client = UnixStream::connect(&path).unwrap();
    client
        .write_all(b"GET /readyz HTTP/1.1\r\nhost: m\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
    heard("RELOADING=1\nMONOTONIC_USEC=");
    heard("READY=1");
    heard("WATCHDOG=1");
    // A stopped daemon sends no watchdog messages.
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    socket.set_nonblocking(true).unwrap();
    while socket.recv(&mut [0; 1_024]).is_ok() {}
    std::thread::sleep(Duration::from_secs(1));
    assert!(socket.recv(&mut [0; 1_024]).is_err());
    socket.set_nonblocking(false).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::CONT).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    heard("STOPPING=1");
    assert_eq!(daemon.wait().unwrap().code(), Some(0));
    assert!(
        path.exists(),
        "a socket that was handed over is not ours to remove"
    );
}

/// With `MemoryMax=` just above what the daemon needs, the kernel killed the daemon while a job process started.
#[test]
fn the_kernel_kills_a_job_process_before_the_daemon() {
    let folder = Folder::new();
    let input = folder.write("a.smi", smiles_lines(600));
    let rules = rule_file(&folder, &THREE_RULES);
    let daemon = Daemon::start(&folder, "--memory 200MiB --threads 1 --gpus 0");
    let job = daemon.submit(&settings(&input, &rules, &folder.path("out")));
    daemon.wait_for(job, "running");
    let score = |pid: u32| -> i32 {
        let text = fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).unwrap();
        text.trim().parse().unwrap()
    };
    let worker = daemon.worker_of(job).unwrap();
    assert!(
        score(worker) >= score(daemon.pid()) + 500,
        "{} and {}",
        score(worker),
        score(daemon.pid())
    );
}
