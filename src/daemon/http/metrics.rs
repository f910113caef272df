//! `GET /v1/node`, and the metrics for Prometheus.
//!
//! Names follow the conventions of Prometheus: prefix `molsieve_`, base units, counters end in `_total`. The
//! label of a GPU is its UUID, because its index can change.

use std::fs;

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{
        counter::{ConstCounter, Counter},
        family::Family,
        gauge::Gauge,
    },
    registry::{Registry, Unit},
};

use super::counts::HttpCounts;
use crate::{
    daemon::{core::Core, job::State, refusal::Refusal, snapshot::Figures, view::NodeView},
    machine,
    nvidia::Nvidia,
};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InState {
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfGpu {
    uuid: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WithStatus {
    status: &'static str,
}

/// The node.
pub(super) async fn node(core: &Core) -> Result<NodeView, Refusal> {
    let figures = core.figures().await?;
    Ok(NodeView {
        molsieve: env!("CARGO_PKG_VERSION").into(),
        budget: core.settings().budget,
        admitted: figures.admitted,
        jobs: figures.jobs,
        devices: nvidia()
            .await
            .map_or_else(Vec::new, |nvidia| nvidia.devices),
        memory_available_bytes: machine::memory_available_bytes().unwrap_or_default(),
        load: load().unwrap_or_default(),
    })
}

/// Metrics in the text format of Prometheus.
pub(super) async fn text(core: &Core, http: &HttpCounts) -> Result<String, Refusal> {
    let figures = core.figures().await?;
    let mut registry = Registry::with_prefix("molsieve");
    jobs(&mut registry, core, &figures);
    requests(&mut registry, http);
    if let Some(nvidia) = nvidia().await {
        gpus(&mut registry, &nvidia);
    }
    process(&mut registry);
    let mut text = String::new();
    encode(&mut text, &registry).map_err(|error| Refusal::encode("the metrics", &error))?;
    Ok(text)
}

/// The NVIDIA devices. NVML may block, so the main thread does not call it.
async fn nvidia() -> Option<Nvidia> {
    let look = tokio::task::spawn_blocking(|| Nvidia::look().ok());
    look.await.ok().flatten()
}

fn load() -> Option<[f64; 3]> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    let mut fields = text.split(' ').map_while(|field| field.parse().ok());
    Some([fields.next()?, fields.next()?, fields.next()?])
}

fn gauge(registry: &mut Registry, name: &str, help: &str, unit: Option<Unit>, value: i64) {
    let gauge: Gauge = Gauge::default();
    gauge.set(value);
    match unit {
        Some(unit) => registry.register_with_unit(name, help, unit, gauge),
        None => registry.register(name, help, gauge),
    }
}

/// Jobs, the budget, and what jobs occupy of it.
fn jobs(registry: &mut Registry, core: &Core, figures: &Figures) {
    let states = Family::<InState, Gauge>::default();
    let ended = Family::<InState, Counter>::default();
    for state in State::ALL {
        let label = InState {
            state: state.name(),
        };
        let count = figures.jobs.get(&state).copied().unwrap_or_default();
        states.get_or_create(&label).set(count as i64);
        if state.is_final() {
            let count = figures.ended.get(&state).copied().unwrap_or_default();
            ended.get_or_create(&label).inc_by(count);
        }
    }
    registry.register("jobs", "Jobs in the store by state", states);
    let help = "Jobs that have ended since the daemon's start, by state";
    registry.register("jobs_ended", help, ended);
    let help = "Job processes that ended early since the daemon's start";
    registry.register(
        "worker_interruptions",
        help,
        ConstCounter::new(figures.interruptions),
    );
    let (budget, admitted) = (core.settings().budget, figures.admitted);
    let bytes = || Some(Unit::Bytes);
    let (may, have) = (
        "Budget of all running jobs together",
        "Occupied by running jobs",
    );
    gauge(
        registry,
        "memory_budget",
        may,
        bytes(),
        budget.memory_bytes as i64,
    );
    gauge(
        registry,
        "memory_admitted",
        have,
        bytes(),
        admitted.memory_bytes as i64,
    );
    gauge(registry, "threads_budget", may, None, budget.threads.into());
    gauge(
        registry,
        "threads_admitted",
        have,
        None,
        admitted.threads.into(),
    );
    gauge(registry, "gpus_budget", may, None, budget.gpus.into());
    gauge(registry, "gpus_admitted", have, None, admitted.gpus.into());
    gauge(
        registry,
        "jobs_waiting",
        "Waiting jobs",
        None,
        figures.waiting as i64,
    );
}

fn requests(registry: &mut Registry, http: &HttpCounts) {
    let answers = Family::<WithStatus, Counter>::default();
    for (status, count) in http.answers() {
        answers.get_or_create(&WithStatus { status }).inc_by(count);
    }
    registry.register(
        "http_requests",
        "Requests answered, by the class of the status",
        answers,
    );
    let help = "Connections refused: the user has too many, or may not use the daemon";
    let refused = ConstCounter::new(http.refused_connections());
    registry.register("http_connections_refused", help, refused);
    let help = "Connections closed because the client was slow or idle";
    let timed_out = ConstCounter::new(http.timed_out_connections());
    registry.register("http_connections_timed_out", help, timed_out);
    let (open, streams) = (http.open_connections(), http.open_streams());
    gauge(
        registry,
        "http_connections",
        "Open connections",
        None,
        open as i64,
    );
    gauge(
        registry,
        "http_streams",
        "Open streams of events and logs",
        None,
        streams as i64,
    );
}

fn gpus(registry: &mut Registry, nvidia: &Nvidia) {
    let memory = Family::<OfGpu, Gauge>::default();
    let free = Family::<OfGpu, Gauge>::default();
    let celsius = Family::<OfGpu, Gauge>::default();
    let errors = Family::<OfGpu, Gauge>::default();
    for device in &nvidia.devices {
        let Some(uuid) = device.uuid.clone() else {
            continue;
        };
        let label = OfGpu { uuid };
        let set = |family: &Family<OfGpu, Gauge>, value: Option<u64>| {
            if let Some(value) = value {
                family.get_or_create(&label).set(value as i64);
            }
        };
        set(&memory, device.memory_bytes);
        set(&free, device.free_bytes);
        set(&celsius, device.temperature_celsius.map(u64::from));
        set(&errors, device.uncorrected_errors);
    }
    registry.register_with_unit("gpu_memory", "Memory of the GPU", Unit::Bytes, memory);
    registry.register_with_unit(
        "gpu_memory_free",
        "Free memory of the GPU",
        Unit::Bytes,
        free,
    );
    registry.register_with_unit(
        "gpu_temperature",
        "Temperature of the GPU",
        Unit::Celsius,
        celsius,
    );
    let help = "Uncorrected memory errors since the driver was loaded";
    registry.register("gpu_uncorrected_errors", help, errors);
}

fn process(registry: &mut Registry) {
    let (now, most) = (machine::memory_bytes(), machine::peak_memory_bytes());
    let bytes = || Some(Unit::Bytes);
    gauge(
        registry,
        "daemon_resident_memory",
        "Memory of the daemon",
        bytes(),
        now as i64,
    );
    let help = "Peak memory of the daemon";
    gauge(
        registry,
        "daemon_resident_memory_max",
        help,
        bytes(),
        most as i64,
    );
}
