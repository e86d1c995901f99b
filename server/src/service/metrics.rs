//! What the server counts, as Prometheus reads it (OpenMetrics 1.0 text). No label names a person,
//! a token or a computer.

use crate::domain::License;
use crate::service::rate_limits::Limit;
use crate::store::Load;
use crate::system::clock::system_time;
use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use std::{fmt, sync::atomic::AtomicU64, time::Duration};

/// Media type of [`Metrics::text`].
pub(crate) const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds, in seconds. Pings take milliseconds, and no request takes longer than the timeout,
/// 10 s by default.
const BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    endpoint: String,
    status: u16,
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndpointLabels {
    endpoint: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LimitLabels {
    limit: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SweepLabels {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LicenseLabels {
    license: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BuildLabels {
    version: &'static str,
}

/// A request that was answered.
pub(crate) struct AnsweredRequest<'a> {
    /// As HTTP writes it; one of those that HTTP knows.
    pub(crate) method: &'static str,
    /// The route's template; never the path, in which secrets may stand.
    pub(crate) endpoint: &'a str,
    pub(crate) status: u16,
    /// The refusal's or verdict's name; empty if there is none.
    pub(crate) code: &'static str,
    pub(crate) took: Duration,
}

/// Counters of one server since it started.
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    durations: Family<EndpointLabels, Histogram, fn() -> Histogram>,
    slowed: Family<LimitLabels, Counter>,
    sweeps: Family<SweepLabels, Counter>,
    released: Counter,
    connections: Gauge,
    reloads: Counter,
}

/// What is looked at when somebody asks.
pub(crate) struct MetricsSnapshot {
    /// `None` when the database does not answer.
    pub(crate) licenses: Option<Vec<License>>,
    pub(crate) load: Load,
    pub(crate) key_set: Option<u64>,
    /// End of the TLS certificate, as a Unix time.
    pub(crate) certificate_ends: Option<u64>,
}

impl Default for Metrics {
    fn default() -> Self {
        let requests = Family::default();
        let durations: Family<_, _, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(BUCKETS));
        let (slowed, sweeps, released) = (Family::default(), Family::default(), Counter::default());
        let (connections, reloads) = (Gauge::default(), Counter::default());
        let started: Gauge<u64, AtomicU64> = Gauge::default();
        started.set(system_time().seconds().unsigned_abs());

        let mut registry = Registry::default();
        let build = Family::<BuildLabels, Gauge>::default();
        build.get_or_create(&BuildLabels { version: env!("CARGO_PKG_VERSION") }).set(1);
        registry.register("seatlock_build_info", "Version of the server", build);
        registry.register_with_unit("process_start_time", "Start, as a Unix time", Unit::Seconds, started);
        registry.register("seatlock_http_requests", "Requests that were answered", requests.clone());
        registry.register_with_unit(
            "seatlock_http_request_duration",
            "Time from a request's head to the head of its answer",
            Unit::Seconds,
            durations.clone(),
        );
        registry.register("seatlock_rate_limited", "Requests that were told to wait", slowed.clone());
        registry.register("seatlock_sweeps", "Searches for seats whose time is over", sweeps.clone());
        registry.register(
            "seatlock_swept_seats",
            "Seats released for inactivity by sweeps",
            released.clone(),
        );
        registry.register("seatlock_connections", "Open connections", connections.clone());
        registry.register(
            "seatlock_tls_reloads",
            "TLS certificates that were taken into use",
            reloads.clone(),
        );
        Self { registry, requests, durations, slowed, sweeps, released, connections, reloads }
    }
}

impl Metrics {
    pub(crate) fn answered(&self, answered: &AnsweredRequest<'_>) {
        let endpoint = answered.endpoint.to_owned();
        self.durations
            .get_or_create(&EndpointLabels { endpoint: endpoint.clone() })
            .observe(answered.took.as_secs_f64());
        let AnsweredRequest { method, status, code, .. } = *answered;
        self.requests.get_or_create(&RequestLabels { method, endpoint, status, code }).inc();
    }

    pub(crate) fn slowed(&self, limit: Limit) {
        self.slowed.get_or_create(&LimitLabels { limit: limit.name() }).inc();
    }

    /// The number of seats that were released, or that the sweep failed.
    pub(crate) fn swept(&self, released: Option<u64>) {
        let outcome = if released.is_some() { "done" } else { "failed" };
        self.sweeps.get_or_create(&SweepLabels { outcome }).inc();
        self.released.inc_by(released.unwrap_or(0));
    }

    pub(crate) fn certificate_taken(&self) {
        self.reloads.inc();
    }

    /// Counts a connection until the result is dropped.
    pub(crate) fn connected(&self) -> OpenConnection {
        self.connections.inc();
        OpenConnection(self.connections.clone())
    }

    /// Everything, in the format [`OPEN_METRICS`].
    pub(crate) fn text(&self, now: MetricsSnapshot) -> Result<String, fmt::Error> {
        let mut text = String::new();
        text::encode_registry(&mut text, &self.registry)?;
        text::encode_registry(&mut text, &now.registry())?;
        text::encode_eof(&mut text)?;
        Ok(text)
    }
}

/// A connection that is open.
pub(crate) struct OpenConnection(Gauge);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl MetricsSnapshot {
    fn registry(self) -> Registry {
        let mut registry = Registry::default();
        let mut gauge = |name: &str, help: &str, unit: Option<Unit>, value: u64| {
            let gauge: Gauge<u64, AtomicU64> = Gauge::default();
            gauge.set(value);
            match unit {
                Some(unit) => registry.register_with_unit(name, help, unit, gauge),
                None => registry.register(name, help, gauge),
            }
        };
        let waiting = u64::try_from(self.load.waiting).unwrap_or(u64::MAX);
        gauge("seatlock_database_up", "Whether the database answers", None, self.licenses.is_some().into());
        gauge("seatlock_store_queue", "Requests that wait for the database", None, waiting);
        if let Some(seq) = self.key_set {
            gauge("seatlock_key_set_sequence", "Number of the key set in use", None, seq);
        }
        if let Some(ends) = self.certificate_ends {
            let help = "End of the TLS certificate, as a Unix time";
            gauge("seatlock_tls_certificate_not_after", help, Some(Unit::Seconds), ends);
        }
        if let Some(bytes) = resident_memory() {
            gauge("process_resident_memory", "Memory in use", Some(Unit::Bytes), bytes);
        }
        let failures: Counter = Counter::default();
        failures.inc_by(self.load.failures);
        registry.register("seatlock_database_errors", "Requests that the database failed", failures);
        let (in_use, max) = (Family::<LicenseLabels, Gauge>::default(), Family::<_, Gauge>::default());
        for license in self.licenses.unwrap_or_default() {
            let labels = LicenseLabels { license: license.id.to_string() };
            in_use.get_or_create(&labels).set(license.in_use.into());
            max.get_or_create(&labels).set(license.seats_max.into());
        }
        registry.register("seatlock_seats_in_use", "Seats in use, by license", in_use);
        registry.register("seatlock_seats_max", "Seats that a license allows", max);
        registry
    }
}

/// What the kernel says (proc(5)); `None` where there is no such file.
fn resident_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    kilobytes.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
}
