//! What the kernel says of processes: `/proc`, proc(5).

use std::path::Path;

use anyhow::Context;

/// Ticks a second of the times in `/proc/<pid>/stat`: USER_HZ, 100 on every Linux that Rust runs on.
const TICKS_PER_S: f64 = 100.0;

/// User and system time of all threads of a process, dead ones included, in seconds.
///
/// # Errors
/// If there is no such process.
pub fn cpu_s(pid: u32) -> anyhow::Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).with_context(|| format!("process {pid}"))?;
    // The second field is the name in parentheses and may hold anything.
    let (_, after) = text.rsplit_once(')').context("expected a name in parentheses")?;
    let fields: Vec<&str> = after.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).context("expected ticks");
    Ok((ticks(11)? + ticks(12)?) / TICKS_PER_S)
}

/// Resident memory of a process, bytes.
///
/// # Errors
/// If there is no such process.
pub fn rss_bytes(pid: u32) -> anyhow::Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).with_context(|| format!("process {pid}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("expected VmRSS")?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kilobytes * 1024)
}

/// Runnable tasks of the machine, averaged over the last minute.
pub fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(0.0)
}

/// The pid that the local stack keeps of one of its programs; none: somebody else's.
pub fn stack_pid(stack: &Path, program: &str) -> Option<u32> {
    let text = std::fs::read_to_string(stack.join("run").join(format!("{program}.json"))).ok()?;
    let record: serde_json::Value = serde_json::from_str(&text).ok()?;
    record.get("pid")?.as_u64().and_then(|pid| pid.try_into().ok())
}
