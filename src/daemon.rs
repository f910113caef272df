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
//! | [`job`], [`quota`], [`snapshot`] | a job and its states; what one user may have; what the core tells about jobs |
//! | [`action`], [`refusal`], [`view`] | requests as values; why they are refused; the JSON of answers |
//! | [`protocol`] | the protocol between the daemon and a job process |
//! | [`gpus`] | the GPUs that jobs use, and which are left out |
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
//! | `listen`, `reload` | the daemon's own socket; settings that are read again |

pub mod action;
pub mod admission;
pub mod api;
pub mod client;
pub mod core;
pub mod gpus;
pub mod http;
pub mod job;
mod listen;
pub mod log_file;
pub mod loopback;
pub mod paths;
pub mod peer;
pub mod protocol;
pub mod quota;
pub mod refusal;
mod reload;
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

use tokio::{
    net::{UnixListener, unix::UCred},
    runtime::Builder,
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
    time::{interval, sleep, timeout},
};

use self::{
    core::{Core, StartedCore},
    gpus::Gpus,
    http::{Edge, Limits},
    loopback::Loopback,
    peer::{PeerPolicy, Peers},
    refusal::Refusal,
    reload::Reloader,
    settings::{Loaded, ServeSettings, ServeSource},
    store::JobStoreError,
    systemd::{Handed, Listening, SocketError},
};
use crate::{
    nvidia::{Nvidia, NvidiaDevice},
    store::plain,
};

pub use reload::SetLevel;

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
/// Interval at which old jobs are forgotten, up to 1,000 each time: more than a daemon can end in it.
const PRUNE_EVERY: Duration = Duration::from_secs(60);
/// Interval at which the state of the GPUs is looked at.
const LOOK_AT_GPUS_EVERY: Duration = Duration::from_secs(15);
/// Threads for look-ups of names and devices, which may block.
const BLOCKING_THREADS_MAX: usize = 4;
/// Stack of such a thread.
const BLOCKING_STACK_BYTES: usize = 512 << 10;

/// Accepts jobs until the process is asked to stop. `loaded` is what `source` gave; a reload reads it again.
pub fn serve(source: ServeSource, loaded: Loaded, set_level: SetLevel) -> Result<(), ServeError> {
    let settings = &loaded.settings;
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
    let gpus = gpus(settings);
    let beginning = core::start(settings, gpus, runtime.handle())?;
    // Only now: the lock on the state directory excludes a second daemon.
    let listening = match jobs {
        Some(handed) => handed,
        None => listen(settings)?,
    };
    let ended = runtime.block_on(run(
        source,
        loaded,
        set_level,
        beginning,
        (listening, metrics),
    ));
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
    source: ServeSource,
    loaded: Loaded,
    set_level: SetLevel,
    beginning: StartedCore,
    (listening, metrics): (Listening, Option<TcpListener>),
) -> Result<(), ServeError> {
    let StartedCore {
        core,
        launches,
        drained,
        threads,
    } = beginning;
    let peers = Arc::new(Peers::new(PeerPolicy::of(&loaded.settings)));
    let supervisor = tokio::spawn(supervise::supervise(
        core.clone(),
        Arc::clone(&peers),
        launches,
    ));
    let (shut, shuts) = watch::channel(false);
    let listener = UnixListener::from_std(listening.listener).map_err(failed("listen"))?;
    let edge = edge(core.clone(), Arc::clone(&peers));
    if let Some(listener) = metrics {
        let listener = tokio::net::TcpListener::from_std(listener).map_err(failed("listen"))?;
        tokio::spawn(http::serve_metrics(listener, edge.clone(), shuts.clone()));
    }
    let mut connections = tokio::spawn(http::serve(listener, edge, shuts));
    let chores = tokio::spawn(chores(core.clone()));
    let signals = Signals::install()?;
    let status = reload::status(&loaded.settings);
    tracing::info!("{status}");
    systemd::ready(&status);
    let mut reloader = Reloader {
        source,
        loaded,
        set_level,
        core: core.clone(),
        peers,
        socket: listening.file,
    };
    tokio::select! {
        () = signals.until_end(&mut reloader) => {}
        () = core.gone() => return Err(ServeError::CoreGone),
    }
    end(&core, drained, &shut, &mut connections).await;
    chores.abort();
    supervisor.abort();
    drop(reloader);
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

/// Creates the socket.
fn listen(settings: &ServeSettings) -> Result<Listening, ServeError> {
    if let Some(folder) = settings.socket.parent().filter(|folder| !folder.exists()) {
        // Everybody may enter it: the mode of the socket says who may connect.
        make_directory(folder, 0o755).map_err(failed("make the socket's directory"))?;
    }
    Ok(listen::listen(settings)?)
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

/// The NVIDIA devices; none without a driver.
fn devices() -> Vec<NvidiaDevice> {
    Nvidia::look().map_or_else(|_| Vec::new(), |nvidia| nvidia.devices)
}

/// The GPUs for jobs.
fn gpus(settings: &ServeSettings) -> Gpus {
    let places = settings.budget.gpus;
    let devices = match places {
        0 => Vec::new(),
        _ => devices(),
    };
    let gpus = Gpus::choose(settings.gpus.clone(), places, &devices);
    gpus.troubles().for_each(|line| tracing::warn!("{line}"));
    gpus
}

/// Looks at the GPUs at times, as long as there are some for jobs.
async fn look_at_gpus(core: &Core) {
    while core.has_gpus() {
        sleep(LOOK_AT_GPUS_EVERY).await;
        // NVML may block, so the main thread does not call it.
        if let Ok(devices) = tokio::task::spawn_blocking(devices).await {
            core.see_gpus(&devices).await;
        }
    }
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
        let mut times = interval(PRUNE_EVERY);
        loop {
            times.tick().await;
            core.prune().await;
        }
    };
    tokio::join!(watchdog, pruning, look_at_gpus(&core));
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

    /// Waits for a signal to stop, and reloads the configuration at SIGHUP.
    async fn until_end(mut self, reloader: &mut Reloader) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.reload.recv() => reloader.reload().await,
            }
        }
    }
}
