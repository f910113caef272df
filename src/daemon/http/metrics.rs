//! `GET /v1/node`, and the metrics for Prometheus.
//!
//! Names follow the conventions of Prometheus: prefix `molsieve_`, base units, counters end in `_total`. The
//! label of a GPU is its UUID, because its index can change.

use std::fs;

use axum::http::{HeaderMap, header};
use prometheus_client::{
    encoding::{EncodeLabelSet, prometheus_text, text as openmetrics},
    metrics::{
        counter::{ConstCounter, Counter},
        family::Family,
        gauge::{ConstGauge, Gauge},
    },
    registry::{Metric, Registry, Unit},
};

use super::counts::HttpCounts;
use crate::{
    daemon::{
        core::Core, gpus::JobGpu, job::State, refusal::Refusal, snapshot::Figures, view::NodeView,
    },
    machine,
    nvidia::{Nvidia, NvidiaDevice},
};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InState {
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfGpu {
    uuid: String,
}

/// The node.
pub(super) async fn node(core: &Core) -> Result<NodeView, Refusal> {
    let figures = core.figures().await?;
    Ok(NodeView {
        molsieve: env!("CARGO_PKG_VERSION").into(),
        budget: core.settings().budget,
        admitted: figures.admitted,
        gpus: core.job_gpus(&figures.gpu_places),
        jobs: figures.jobs,
        devices: nvidia()
            .await
            .map_or_else(Vec::new, |nvidia| nvidia.devices),
        memory_available_bytes: machine::memory_available_bytes().unwrap_or_default(),
        load: load().unwrap_or_default(),
    })
}

/// A format of the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// The text format of Prometheus, 0.0.4.
    Prometheus,
    /// OpenMetrics, 1.0.0.
    OpenMetrics,
}

impl Format {
    /// The format that a client asks for by `Accept`: OpenMetrics if the client names it and prefers nothing else.
    pub(super) fn asked(headers: &HeaderMap) -> Self {
        let accepted = headers.get_all(header::ACCEPT).iter();
        let accepted: Vec<&str> = accepted.filter_map(|value| value.to_str().ok()).collect();
        // The weight of a type, 1 if there is none; the greatest if the type is named several times.
        let weight = |kind: &str| {
            let ranges = accepted.iter().flat_map(|value| value.split(','));
            let weights = ranges.filter_map(|range| {
                let mut parts = range.split(';').map(str::trim);
                if !parts.next()?.eq_ignore_ascii_case(kind) {
                    return None;
                }
                let weight = parts.find_map(|part| part.strip_prefix("q="));
                Some(weight.map_or(1.0, |weight| weight.parse().unwrap_or(0.0)))
            });
            weights.fold(0.0, f32::max)
        };
        let open = weight("application/openmetrics-text");
        match open > 0.0 && open >= weight("text/plain") {
            true => Self::OpenMetrics,
            false => Self::Prometheus,
        }
    }

    /// Its content type.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The metrics as text.
pub(super) async fn text(
    core: &Core,
    http: &HttpCounts,
    format: Format,
) -> Result<String, Refusal> {
    let figures = core.figures().await?;
    let mut registry = Registry::with_prefix("molsieve");
    jobs(&mut registry, core, &figures);
    http.register(&mut registry);
    left_out(&mut registry, &core.job_gpus(&[]));
    if let Some(nvidia) = nvidia().await {
        gpus(&mut registry, &nvidia);
    }
    process(&mut registry);
    let mut text = String::new();
    let encoded = match format {
        Format::Prometheus => prometheus_text::encode(&mut text, &registry),
        Format::OpenMetrics => openmetrics::encode(&mut text, &registry),
    };
    encoded.map_err(|error| Refusal::encode("the metrics", &error))?;
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

fn register(
    registry: &mut Registry,
    name: &str,
    help: &str,
    unit: Option<Unit>,
    metric: impl Metric,
) {
    match unit {
        Some(unit) => registry.register_with_unit(name, help, unit, metric),
        None => registry.register(name, help, metric),
    }
}

/// Registers gauges: name, help, unit and value of each.
fn gauges<const N: usize>(registry: &mut Registry, gauges: [(&str, &str, Option<Unit>, u64); N]) {
    for (name, help, unit, value) in gauges {
        register(registry, name, help, unit, ConstGauge::new(value));
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
    let interruptions = ConstCounter::new(figures.interruptions);
    registry.register("worker_interruptions", help, interruptions);
    let (budget, admitted) = (core.settings().budget, figures.admitted);
    let may = "Budget of all running jobs together";
    let have = "Occupied by running jobs";
    let bytes = || Some(Unit::Bytes);
    let gauged = [
        ("memory_budget", may, bytes(), budget.memory_bytes),
        ("memory_admitted", have, bytes(), admitted.memory_bytes),
        ("threads_budget", may, None, budget.threads.into()),
        ("threads_admitted", have, None, admitted.threads.into()),
        ("gpus_budget", may, None, budget.gpus.into()),
        ("gpus_admitted", have, None, admitted.gpus.into()),
        ("jobs_waiting", "Waiting jobs", None, figures.waiting),
        (
            "jobs_too_large",
            "Waiting jobs that need more than the budget",
            None,
            figures.too_large,
        ),
    ];
    gauges(registry, gauged);
    disks(registry, figures);
}

/// Full disks: jobs that wait for space, and the disk of the state directory.
fn disks(registry: &mut Registry, figures: &Figures) {
    let waiting = "Jobs that wait for space on a full disk";
    let full = "Whether the disk of the state directory is full";
    let reserve =
        "Space kept on the disk of the state directory for what a full disk must not prevent";
    let gauged = [
        (
            "jobs_waiting_for_space",
            waiting,
            None,
            figures.waiting_for_space,
        ),
        ("state_disk_full", full, None, figures.state_full.into()),
        (
            "state_reserve",
            reserve,
            Some(Unit::Bytes),
            figures.reserve_bytes,
        ),
    ];
    gauges(registry, gauged);
}

/// The GPUs for jobs that take no further job.
fn left_out(registry: &mut Registry, gpus: &[JobGpu]) {
    let family = Family::<OfGpu, Gauge>::default();
    for gpu in gpus {
        if let Some(uuid) = gpu.uuid.clone() {
            let left_out = i64::from(gpu.left_out.is_some());
            family.get_or_create(&OfGpu { uuid }).set(left_out);
        }
    }
    let help = "Whether the GPU takes no further job because it is not fit";
    registry.register("gpu_left_out", help, family);
}

fn gpus(registry: &mut Registry, nvidia: &Nvidia) {
    type Value = fn(&NvidiaDevice) -> Option<u64>;
    let gauged: [(&str, &str, Option<Unit>, Value); 4] = [
        (
            "gpu_memory",
            "Memory of the GPU",
            Some(Unit::Bytes),
            |gpu| gpu.memory_bytes,
        ),
        (
            "gpu_memory_free",
            "Free memory of the GPU",
            Some(Unit::Bytes),
            |gpu| gpu.free_bytes,
        ),
        (
            "gpu_temperature",
            "Temperature of the GPU",
            Some(Unit::Celsius),
            |gpu| gpu.temperature_celsius.map(u64::from),
        ),
        (
            "gpu_uncorrected_errors",
            "Uncorrected memory errors since the driver was loaded",
            None,
            |gpu| gpu.uncorrected_errors,
        ),
    ];
    for (name, help, unit, value) in gauged {
        let family = Family::<OfGpu, Gauge>::default();
        for device in &nvidia.devices {
            if let (Some(uuid), Some(value)) = (device.uuid.clone(), value(device)) {
                family.get_or_create(&OfGpu { uuid }).set(value as i64);
            }
        }
        register(registry, name, help, unit, family);
    }
}

fn process(registry: &mut Registry) {
    let (now, most) = (machine::memory_bytes(), machine::peak_memory_bytes());
    let bytes = || Some(Unit::Bytes);
    let (of_now, of_most) = ("Memory of the daemon", "Peak memory of the daemon");
    let gauged = [
        ("daemon_resident_memory", of_now, bytes(), now),
        ("daemon_resident_memory_max", of_most, bytes(), most),
    ];
    gauges(registry, gauged);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_the_one_that_the_client_prefers() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,\
            application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        for (accept, expected) in [
            ("", Format::Prometheus),
            ("*/*", Format::Prometheus),
            ("text/plain;version=0.0.4", Format::Prometheus),
            ("application/openmetrics-text", Format::OpenMetrics),
            (prometheus, Format::OpenMetrics),
            (
                "application/openmetrics-text;q=0.1, text/plain",
                Format::Prometheus,
            ),
            ("application/openmetrics-text;q=0", Format::Prometheus),
            ("application/json", Format::Prometheus),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().unwrap());
            assert_eq!(Format::asked(&headers), expected, "{accept}");
        }
    }
}
