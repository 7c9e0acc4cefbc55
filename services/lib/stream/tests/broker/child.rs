//! A service in a process of its own, so that it can die, be stopped and get signals: this test
//! binary once more, told by its environment to run the service in place of the one test below.

use crate::cluster::{Cluster, settings, wait_for};
use crate::counter::{CounterStation, Oracle};
use crate::exactly_once::{lines, totals};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;
use stream::clock::Stamp;
use stream::{KafkaSettings, Progress, ServiceName, Setup, Shutdown};

/// A running process; killed when dropped.
pub(crate) struct Process(Child);

impl Process {
    /// Starts the service of a cluster with some of its settings.
    pub(crate) fn start(cluster: &Cluster, settings: &KafkaSettings) -> Self {
        let state_dir = settings.state_dir.as_ref().map(|dir| dir.display().to_string());
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child::a_service_under_load_leaves_in_order_within_fifteen_seconds"])
            .env("WEFT_KAFKA__BOOTSTRAP", &settings.bootstrap)
            .env("WEFT_TEST_SERVICE", &cluster.service)
            .env("WEFT_TEST_FAULTS", &settings.faults)
            .env("WEFT_TEST_STATE_DIR", state_dir.unwrap_or_default())
            .env("WEFT_TEST_TRANSACTION_MS", settings.transaction_timeout_ms.to_string())
            .env("WEFT_TEST_SESSION_MS", settings.session_timeout_ms.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.0.id())]).status().unwrap();
        assert!(sent.success(), "kill -{name}");
    }

    /// Its end, if it has come.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().unwrap()
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        wait_for("the end of the process", || {
            status = self.ended();
            status.map(drop).ok_or_else(|| "it runs".to_owned())
        });
        status.unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether it died of `abort`.
pub(crate) fn aborted(status: ExitStatus) -> bool {
    status.signal() == Some(6)
}

#[expect(clippy::disallowed_methods, reason = "a process is told by its environment what to run")]
fn told(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

/// What a process does that was told to be a service.
fn serve(service: String) {
    let number = |name| told(name).unwrap().parse().unwrap();
    let setup = Setup {
        service: ServiceName::new(&service),
        settings: KafkaSettings {
            faults: told("WEFT_TEST_FAULTS").unwrap_or_default(),
            state_dir: told("WEFT_TEST_STATE_DIR").map(Into::into),
            transaction_timeout_ms: number("WEFT_TEST_TRANSACTION_MS"),
            session_timeout_ms: number("WEFT_TEST_SESSION_MS"),
            ..settings()
        },
        registry: prometheus::Registry::new(),
        progress: Progress::new(),
        shutdown: Shutdown::on_signals().unwrap(),
    };
    let station = CounterStation { output: format!("{service}.out"), inputs: service };
    stream::run(setup, station, Oracle).unwrap();
}

#[test]
fn a_service_under_load_leaves_in_order_within_fifteen_seconds() {
    if let Some(service) = told("WEFT_TEST_SERVICE") {
        return serve(service);
    }
    let cluster = Cluster::new("leave", 1);
    let mut process = Process::start(&cluster, &cluster.settings);
    for _ in 0..20 {
        cluster.send("in", "a", &lines("add a 1", 500));
    }
    cluster.wait_for_texts("out", 1);
    let began = Stamp::now();
    process.signal("TERM");
    let status = process.wait();
    assert!(status.success() && began.elapsed() < Duration::from_secs(15), "{status} after {} ms", began.elapsed_ms());
    let running = cluster.start();
    assert_eq!(cluster.wait_for_texts("out", 10_000), totals(1, 10_000));
    running.stop().unwrap();
}
