//! The daemon: takes jobs over a Unix socket and has a process of its own do each.
//!
//! It is a supervisor. It never calls RDKit and never opens a user's file: a crash of the chemistry, a
//! library it can't read, an output directory it may not write to are a worker's matter.
//!
//! ```text
//!  clients ──► http (hyper; limits) ──► api: bytes → Action ──► core ──► store (SQLite)
//!     ▲                                                          │  ▲
//!     └────── events, logs, lists ◄── reader ◄───────────────────┘  │ what workers say
//!                                                     launches ──► supervise ──► molsieve worker …
//! ```
//!
//! Threads: the main thread runs connections, signals and a task per worker, and never waits for a disk;
//! `core` alone changes jobs; `reader` answers what only reads. What each holds is bounded by the
//! section "Daemon" of [`crate::limits`].
//!
//! | module | what |
//! |---|---|
//! | [`job`], [`schedule`], [`admission`] | states, admission to the node, a request as a job; all pure |
//! | [`store`] | jobs on the disk |
//! | [`core`] | the thread that changes jobs |
//! | `supervise`, [`protocol`] | workers, and what is said between them and the daemon |
//! | [`api`], [`http`], [`action`] | requests, connections, and what they become |
//! | [`peer`] | who is at the other end of a socket |
//! | [`systemd`] | the service manager's side: readiness, watchdog, sockets handed over |
//! | `node` | the node's figures |
//! | [`client`], [`paths`], [`settings`] | the client's side; where socket and state are; what a daemon is told |

pub mod action;
pub mod admission;
pub mod api;
pub mod client;
pub mod core;
pub mod http;
pub mod job;
mod node;
pub mod paths;
pub mod peer;
pub mod protocol;
pub mod schedule;
pub mod settings;
pub mod store;
mod supervise;
pub mod systemd;

use std::{future::pending, path::Path, sync::Arc, time::Duration};

use nix::unistd::Uid;
use tokio::{
    net::{UnixListener, unix::UCred},
    runtime::{Builder, Runtime},
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
    time::{interval, sleep, timeout},
};

use self::{
    core::{Core, Refusal, StartedCore},
    http::{Edge, HttpCounts, Limits},
    peer::{PeerPolicy, Peers},
    settings::ServeSettings,
    store::JobStoreError,
    systemd::{Listening, SocketError},
};
use crate::{nvidia::Nvidia, store::plain, units::ByteSize};

/// Why a daemon can't start or go on.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Its jobs can't be read or written.
    #[error(transparent)]
    Store(#[from] JobStoreError),
    /// There is nothing to listen on.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The thread that changes jobs has failed. A daemon that is started anew goes on with them.
    #[error("the daemon's core has failed; this is a fault in molsieve, please report it")]
    CoreGone,
    /// The operating system refuses something else.
    #[error("cannot {action}: {reason}")]
    System {
        /// What was tried.
        action: &'static str,
        /// Its words.
        reason: String,
    },
}

/// Time workers and requests have when the daemon ends; then it ends without them, and they by themselves.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(75);
/// Time between two looks for jobs to forget.
const PRUNE_EVERY: Duration = Duration::from_secs(3600);
/// Threads for look-ups of names and devices, which may wait.
const BLOCKING_THREADS_MAX: usize = 4;
/// Stack of such a thread.
const BLOCKING_STACK_BYTES: usize = 512 << 10;

/// Takes jobs until the process is asked to end.
pub fn serve(settings: ServeSettings) -> Result<(), ServeError> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .thread_stack_size(BLOCKING_STACK_BYTES)
        .build()
        .map_err(failed("start the runtime"))?;
    // Before there is a second thread: it takes what it finds out of the environment.
    let handed = systemd::adopt()?;
    allow_many_files();
    make_directory(&settings.state_dir)?;
    let gpus = gpus(settings.budget.gpus);
    let beginning = core::start(&settings, gpus, runtime.handle())?;
    // Only now: the lock on the state is what keeps two daemons apart.
    let listening = match handed {
        Some(handed) => handed,
        None => listen(&settings)?,
    };
    let ended = runtime.block_on(run(settings, beginning, listening));
    close(runtime);
    ended
}

fn failed(action: &'static str) -> impl Fn(std::io::Error) -> ServeError {
    move |error| ServeError::System {
        action,
        reason: plain(&error),
    }
}

/// Look-ups that still wait are not waited for.
fn close(runtime: Runtime) {
    runtime.shutdown_timeout(Duration::from_secs(1));
}

async fn run(
    settings: ServeSettings,
    beginning: StartedCore,
    listening: Listening,
) -> Result<(), ServeError> {
    let StartedCore {
        core,
        launches,
        drained,
        threads,
    } = beginning;
    let peers = Arc::new(Peers::new(PeerPolicy {
        daemon_uid: Uid::effective().as_raw(),
        group: settings.group.as_ref().map(|group| group.gid),
        admin_group: settings.admin_group.as_ref().map(|group| group.gid),
    }));
    let supervisor = tokio::spawn(supervise::supervise(
        core.clone(),
        Arc::clone(&peers),
        launches,
    ));
    let (shut, shuts) = watch::channel(false);
    let listener = UnixListener::from_std(listening.listener).map_err(failed("listen"))?;
    let edge = edge(core.clone(), peers);
    let mut connections = tokio::spawn(http::serve(listener, edge, shuts));
    let chores = tokio::spawn(chores(core.clone()));
    let signals = Signals::install()?;
    let status = status(&settings);
    tracing::info!("{status}");
    systemd::ready(&status);
    tokio::select! {
        () = signals.until_end(&status) => {}
        () = core.gone() => return Err(ServeError::CoreGone),
    }
    end(&core, drained, &shut, &mut connections).await;
    chores.abort();
    supervisor.abort();
    drop(core);
    drop(threads);
    Ok(())
}

/// Has workers stop at a checkpoint, then requests end.
async fn end(
    core: &Core,
    mut drained: watch::Receiver<bool>,
    shut: &watch::Sender<bool>,
    connections: &mut tokio::task::JoinHandle<()>,
) {
    systemd::stopping("workers stop at a checkpoint");
    tracing::info!("ending: workers stop at a checkpoint");
    core.drain().await;
    let wait = drained.wait_for(|drained| *drained);
    if timeout(DRAIN_TIME_MAX, wait).await.is_err() {
        tracing::warn!("some workers have not stopped in time; they are left to themselves");
    }
    shut.send_replace(true);
    // It has a limit of its own.
    connections.await.ok();
    tracing::info!("ended");
}

fn edge(core: Core, peers: Arc<Peers>) -> Arc<Edge> {
    let access = move |peer: &UCred| {
        peers
            .caller(peer.uid(), peer.gid())
            .map_err(|denied| denied.to_string())
    };
    Edge::new(
        core,
        access,
        Limits::default(),
        Arc::new(HttpCounts::default()),
    )
}

fn status(settings: &ServeSettings) -> String {
    let budget = settings.budget;
    format!(
        "taking jobs; they may use {}, {} threads and {} GPUs together",
        ByteSize(budget.memory_bytes),
        budget.threads,
        budget.gpus
    )
}

/// A socket of our own.
fn listen(settings: &ServeSettings) -> Result<Listening, ServeError> {
    if let Some(folder) = settings.socket.parent() {
        make_directory_for_socket(folder)?;
    }
    let root = Uid::effective().is_root();
    let (mode, group) = match (&settings.group, root) {
        (Some(group), _) => (0o660, Some(group.gid)),
        (None, true) => (0o666, None),
        (None, false) => (0o600, None),
    };
    Ok(systemd::bind(&settings.socket, mode, group)?)
}

/// The state directory is for the daemon's user alone.
fn make_directory(path: &Path) -> Result<(), ServeError> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path);
    made.map_err(failed("make the state directory"))
}

/// The socket's own mode says who may connect, so its directory lets everybody through.
fn make_directory_for_socket(path: &Path) -> Result<(), ServeError> {
    use std::os::unix::fs::DirBuilderExt;
    if path.exists() {
        return Ok(());
    }
    let made = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(path);
    made.map_err(failed("make the socket's directory"))
}

/// UUIDs of the GPUs that jobs may have, as far as NVML tells them.
fn gpus(count: u32) -> Vec<Option<String>> {
    let mut uuids: Vec<Option<String>> = match Nvidia::look() {
        Ok(nvidia) => nvidia
            .devices
            .into_iter()
            .map(|device| device.uuid)
            .collect(),
        Err(_) => Vec::new(),
    };
    uuids.resize(count as usize, None);
    uuids
}

/// Each connection and each worker is a file or several. What the system allows at most is the operator's
/// business.
fn allow_many_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let now = getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: now.maximum,
        maximum: now.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, most) {
        tracing::warn!("cannot open as many files as the system allows: {error}");
    }
}

/// What has to be done from time to time.
async fn chores(core: Core) {
    let watchdog = async {
        let Some(every) = systemd::alive_every() else {
            return pending().await;
        };
        loop {
            // A core that does not answer is stuck, and then the service manager may start anew; one that only
            // says that the disk is full is not.
            let answer = timeout(every, core.figures()).await;
            if matches!(answer, Ok(Ok(_) | Err(Refusal::Store(_)))) {
                systemd::alive();
            }
            sleep(every).await;
        }
    };
    let pruning = async {
        let mut hours = interval(PRUNE_EVERY);
        loop {
            hours.tick().await;
            core.prune().await;
        }
    };
    tokio::join!(watchdog, pruning);
}

/// Signals that mean something to a daemon.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    reload: Signal,
}

impl Signals {
    fn install() -> Result<Self, ServeError> {
        let listen = |kind| signal(kind).map_err(failed("install signal handlers"));
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            reload: listen(SignalKind::hangup())?,
        })
    }

    /// Until one says that the daemon is to end. There is no configuration to read again; a reload is answered,
    /// so that whoever asks for it does not wait.
    async fn until_end(mut self, status: &str) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.reload.recv() => {
                    systemd::reloading();
                    tracing::info!("{status}");
                    systemd::ready(status);
                }
            }
        }
    }
}
