//! The daemon: accepts jobs over a Unix socket and runs each in its own process.
//!
//! The daemon is a supervisor. It never calls RDKit and never opens a user's file: a crash in RDKit, an
//! unreadable library or a read-only output directory affects one job process, not the daemon.
//!
//! ```text
//!  clients ──► http (axum; limits) ──► api: parts → checked values ──► core ──► store (SQLite)
//!     ▲                                                                │  ▲
//!     └────── events, logs, lists ◄── reader ◄─────────────────────────┘  │ events of job processes
//!                                                           launches ──► supervise ──► molsieve worker …
//! ```
//!
//! Threads: the main thread runs connections, signals and one task per job process, and never waits for a
//! disk; only `core` changes jobs; `reader` answers requests that only read. The section "Daemon" of
//! [`crate::limits`] bounds the memory of each.
//!
//! Each module imports only modules above it in this table.
//!
//! | module | what |
//! |---|---|
//! | [`job`], [`snapshot`] | a job and its states; what the core tells about jobs |
//! | [`action`], [`refusal`], [`view`] | requests as values; why they are refused; the JSON of answers |
//! | [`protocol`] | the protocol between the daemon and a job process |
//! | [`paths`], [`loopback`] | where socket and state are; addresses of this machine only |
//! | [`log_file`] | the daemon's log in a file |
//! | [`settings`] | the settings of the daemon |
//! | [`schedule`], [`admission`] | which jobs start next; a request as a job that fits the node |
//! | [`peer`] | who is at the other end of a socket |
//! | [`store`] | jobs on disk |
//! | [`core`] | the thread that changes jobs |
//! | `supervise` | job processes |
//! | [`api`], [`http`] | checked requests and the OpenAPI document; connections and routes |
//! | [`client`] | the client's side of the socket |
//! | [`systemd`] | readiness, watchdog and socket activation |

pub mod action;
pub mod admission;
pub mod api;
pub mod client;
pub mod core;
pub mod http;
pub mod job;
pub mod log_file;
pub mod loopback;
pub mod paths;
pub mod peer;
pub mod protocol;
pub mod refusal;
pub mod schedule;
pub mod settings;
pub mod snapshot;
pub mod store;
mod supervise;
pub mod systemd;
pub mod view;

use std::{
    future::pending, net::TcpListener, os::unix::fs::DirBuilderExt, path::Path, sync::Arc,
    time::Duration,
};

use nix::unistd::Uid;
use tokio::{
    net::{UnixListener, unix::UCred},
    runtime::Builder,
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
    time::{interval, sleep, timeout},
};

use self::{
    core::{Core, StartedCore},
    http::{Edge, Limits},
    loopback::Loopback,
    peer::{PeerPolicy, Peers},
    refusal::Refusal,
    settings::ServeSettings,
    store::JobStoreError,
    systemd::{Handed, Listening, SocketError},
};
use crate::{nvidia::Nvidia, store::plain, units::ByteSize};

/// Why the daemon cannot start or continue.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The job store cannot be read or written.
    #[error(transparent)]
    Store(#[from] JobStoreError),
    /// The socket cannot be used.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The address for metrics cannot be used.
    #[error("--metrics-listen: cannot listen at {address}: {reason}")]
    Metrics {
        /// The address.
        address: Loopback,
        /// The system's message.
        reason: String,
    },
    /// The core thread has failed. After a restart the daemon resumes the jobs.
    #[error("the daemon's core has failed; this is a fault in molsieve, please report it")]
    CoreGone,
    /// The operating system refuses something else.
    #[error("cannot {action}: {reason}")]
    System {
        /// What was tried.
        action: &'static str,
        /// The system's message.
        reason: String,
    },
}

/// Time for job processes to stop when the daemon stops. Those that take longer are left to stop by themselves.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(75);
/// Interval at which old jobs are forgotten.
const PRUNE_EVERY: Duration = Duration::from_secs(3600);
/// Threads for look-ups of names and devices, which may block.
const BLOCKING_THREADS_MAX: usize = 4;
/// Stack of such a thread.
const BLOCKING_STACK_BYTES: usize = 512 << 10;

/// Accepts jobs until the process is asked to stop.
pub fn serve(settings: ServeSettings) -> Result<(), ServeError> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .thread_stack_size(BLOCKING_STACK_BYTES)
        .build()
        .map_err(failed("start the runtime"))?;
    // Before there is a second thread, because it changes the environment.
    let Handed { jobs, metrics } = systemd::adopt()?;
    let metrics = match (metrics, settings.metrics_listen) {
        (None, Some(address)) => Some(listen_for_metrics(address)?),
        (handed, _) => handed,
    };
    allow_many_files();
    // Only the daemon's user can read it.
    make_directory(&settings.state_dir, 0o700).map_err(failed("make the state directory"))?;
    let gpus = gpus(settings.budget.gpus);
    let beginning = core::start(&settings, gpus, runtime.handle())?;
    // Only now: the lock on the state directory excludes a second daemon.
    let listening = match jobs {
        Some(handed) => handed,
        None => listen(&settings)?,
    };
    let ended = runtime.block_on(run(settings, beginning, listening, metrics));
    // Blocked look-ups are not waited for.
    runtime.shutdown_timeout(Duration::from_secs(1));
    ended
}

fn failed(action: &'static str) -> impl Fn(std::io::Error) -> ServeError {
    move |error| ServeError::System {
        action,
        reason: plain(&error),
    }
}

async fn run(
    settings: ServeSettings,
    beginning: StartedCore,
    listening: Listening,
    metrics: Option<TcpListener>,
) -> Result<(), ServeError> {
    let StartedCore {
        core,
        launches,
        drained,
        threads,
    } = beginning;
    let peers = Arc::new(Peers::new(PeerPolicy {
        daemon_uid: Uid::effective().as_raw(),
        group: settings.group,
        admin_group: settings.admin_group,
    }));
    let supervisor = tokio::spawn(supervise::supervise(
        core.clone(),
        Arc::clone(&peers),
        launches,
    ));
    let (shut, shuts) = watch::channel(false);
    let listener = UnixListener::from_std(listening.listener).map_err(failed("listen"))?;
    let edge = edge(core.clone(), peers);
    if let Some(listener) = metrics {
        let listener = tokio::net::TcpListener::from_std(listener).map_err(failed("listen"))?;
        tokio::spawn(http::serve_metrics(listener, edge.clone(), shuts.clone()));
    }
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

/// Stops job processes at a checkpoint, then waits for requests in flight.
async fn end(
    core: &Core,
    mut drained: watch::Receiver<bool>,
    shut: &watch::Sender<bool>,
    connections: &mut tokio::task::JoinHandle<()>,
) {
    systemd::stopping("jobs stop at a checkpoint");
    tracing::info!("stopping: jobs stop at a checkpoint");
    core.drain().await;
    let wait = drained.wait_for(|drained| *drained);
    if timeout(DRAIN_TIME_MAX, wait).await.is_err() {
        tracing::warn!("some job processes have not stopped in time; they stop by themselves");
    }
    shut.send_replace(true);
    // It has its own time limit.
    connections.await.ok();
    tracing::info!("stopped");
}

fn edge(core: Core, peers: Arc<Peers>) -> Arc<Edge> {
    let access = move |peer: &UCred| {
        peers
            .caller(peer.uid(), peer.gid())
            .map_err(|denied| denied.to_string())
    };
    Edge::new(core, access, Limits::default())
}

fn status(settings: &ServeSettings) -> String {
    let budget = settings.budget;
    format!(
        "accepting jobs; together they may use {}, {} threads and {} GPUs",
        ByteSize(budget.memory_bytes),
        budget.threads,
        budget.gpus
    )
}

/// Creates the socket.
fn listen(settings: &ServeSettings) -> Result<Listening, ServeError> {
    if let Some(folder) = settings.socket.parent().filter(|folder| !folder.exists()) {
        // Everybody may enter it: the mode of the socket says who may connect.
        make_directory(folder, 0o755).map_err(failed("make the socket's directory"))?;
    }
    let root = Uid::effective().is_root();
    let mode = match (settings.group, root) {
        (Some(_), _) => 0o660,
        (None, true) => 0o666,
        (None, false) => 0o600,
    };
    Ok(systemd::bind(&settings.socket, mode, settings.group)?)
}

/// Listens for requests for metrics.
fn listen_for_metrics(address: Loopback) -> Result<TcpListener, ServeError> {
    let listener = TcpListener::bind(address.address());
    let listener = listener.and_then(|listener| {
        listener.set_nonblocking(true)?;
        tracing::info!("metrics at http://{}/metrics", listener.local_addr()?);
        Ok(listener)
    });
    listener.map_err(|error| ServeError::Metrics {
        address,
        reason: plain(&error),
    })
}

fn make_directory(path: &Path, mode: u32) -> std::io::Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
}

/// UUIDs of the GPUs for jobs; none for a GPU that NVML does not report.
fn gpus(count: u32) -> Vec<Option<String>> {
    let devices = Nvidia::look().map_or_else(|_| Vec::new(), |nvidia| nvidia.devices);
    let mut uuids: Vec<_> = devices.into_iter().map(|device| device.uuid).collect();
    uuids.resize(count as usize, None);
    uuids
}

/// Raises the limit of open files to the maximum: each connection and each job process needs some.
fn allow_many_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let now = getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: now.maximum,
        maximum: now.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, most) {
        tracing::warn!("cannot raise the limit of open files: {error}");
    }
}

/// Periodic work: the watchdog, and forgetting old jobs.
async fn chores(core: Core) {
    let watchdog = async {
        let Some(every) = systemd::alive_every() else {
            return pending().await;
        };
        loop {
            // A core that does not answer is stuck, and the service manager restarts the daemon. A core that
            // reports a full disk is not stuck.
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

/// The signals that the daemon handles.
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

    /// Waits for a signal to stop. A reload is acknowledged, so that its caller does not wait; there is no
    /// configuration to read again.
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
