//! What the daemon tells of the node and of itself: `GET /v1/node` and the figures for Prometheus.
//!
//! Names follow Prometheus' conventions: prefix `molsieve_`, base units, counters end in `_total`. GPUs
//! are labelled by UUID, for their indices change.

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

use super::{
    core::{Core, Figures, NodeView, Refusal},
    http::HttpCounts,
    job::State,
};
use crate::{machine, nvidia::Nvidia};

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

impl Core {
    /// The node.
    pub async fn node(&self) -> Result<NodeView, Refusal> {
        let figures = self.figures().await?;
        Ok(NodeView {
            molsieve: env!("CARGO_PKG_VERSION").into(),
            budget: self.settings().budget,
            admitted: figures.admitted,
            jobs: figures.jobs,
            devices: nvidia()
                .await
                .map_or_else(Vec::new, |nvidia| nvidia.devices),
            memory_available_bytes: machine::memory_available_bytes().unwrap_or_default(),
            load: load().unwrap_or_default(),
        })
    }

    /// Figures for Prometheus, in its text format.
    pub async fn metrics(&self, http: &HttpCounts) -> Result<String, Refusal> {
        let figures = self.figures().await?;
        let mut registry = Registry::with_prefix("molsieve");
        jobs(&mut registry, self, &figures);
        requests(&mut registry, http);
        if let Some(nvidia) = nvidia().await {
            gpus(&mut registry, &nvidia);
        }
        process(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).map_err(|error| Refusal::Store(error.to_string()))?;
        Ok(text)
    }
}

/// The NVIDIA devices. NVML may take its time, so the main thread does not ask it.
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

/// Jobs, and what they may take and have taken.
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
    let help = "Workers that ended before their time since the daemon's start";
    registry.register(
        "worker_interruptions",
        help,
        ConstCounter::new(figures.interruptions),
    );
    let (budget, admitted) = (core.settings().budget, figures.admitted);
    let bytes = || Some(Unit::Bytes);
    let (may, have) = (
        "All running jobs may take together",
        "Running jobs have taken",
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
        "Jobs that wait for their turn",
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
    let help = "Connections refused: the user has too many or may not use the daemon";
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
    registry.register_with_unit("gpu_memory_free", "Memory nobody uses", Unit::Bytes, free);
    registry.register_with_unit("gpu_temperature", "Temperature", Unit::Celsius, celsius);
    let help = "Memory errors since the driver was loaded that could not be corrected";
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
    let help = "The most it has been";
    gauge(
        registry,
        "daemon_resident_memory_max",
        help,
        bytes(),
        most as i64,
    );
}
