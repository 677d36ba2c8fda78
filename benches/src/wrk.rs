//! Running `wrk` and reading what it says.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// One load: what is asked and by how many connections.
pub struct Load<'a> {
    pub address: &'a str,
    pub connections: usize,
    pub seconds: u64,
    /// Lua; sets `wrk.headers` and `request`.
    pub script: &'a str,
}

#[derive(Debug, Default)]
pub struct Result {
    pub per_second: f64,
    pub median: Duration,
    pub p99: Duration,
    /// Answers other than 2xx and 3xx; anything but 0 spoils the measurement.
    pub refused: u64,
}

impl Load<'_> {
    /// Runs on core 1.
    ///
    /// # Errors
    /// `wrk` or `taskset` is not there, or says nothing that can be read.
    pub fn run(&self, folder: &Path) -> std::io::Result<Result> {
        let script = folder.join("load.lua");
        std::fs::write(&script, self.script)?;
        let connections = format!("-c{}", self.connections);
        let seconds = format!("-d{}s", self.seconds);
        let output = Command::new("taskset")
            .args(["-c", "1", "wrk", "-t1", &connections, &seconds, "--latency", "-s"])
            .arg(&script)
            .arg(format!("http://{}", self.address))
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let result = read(&text).ok_or_else(|| std::io::Error::other(format!("wrk said: {text}")))?;
        if result.refused > 0 {
            eprintln!("{} answers were refusals: the figure means nothing", result.refused);
        }
        Ok(result)
    }
}

fn read(text: &str) -> Option<Result> {
    let after = |mark: &str| {
        let line = text.lines().map(str::trim).find(|line| line.starts_with(mark))?;
        line[mark.len()..].split_whitespace().next()
    };
    Some(Result {
        per_second: after("Requests/sec:")?.parse().ok()?,
        median: duration(after("50%")?)?,
        p99: duration(after("99%")?)?,
        refused: after("Non-2xx or 3xx responses:").and_then(|n| n.parse().ok()).unwrap_or_default(),
    })
}

/// `1.23ms`, `456.00us`, `1.00s`
fn duration(text: &str) -> Option<Duration> {
    let at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let number: f64 = text[..at].parse().ok()?;
    let unit = match &text[at..] {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        _ => return None,
    };
    Some(Duration::from_secs_f64(number * unit))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_wrk_prints_is_understood() {
        let text = "  Latency Distribution\n     50%  612.00us\n     75%    1.2ms\n     99%    2.50ms\n  123 requests in 1s\n\
                    \x20 Non-2xx or 3xx responses: 7\nRequests/sec:  19876.54\n";
        let result = read(text).unwrap();
        assert_eq!((result.median.as_micros(), result.p99.as_micros(), result.refused), (612, 2500, 7));
        assert!((result.per_second - 19_876.54).abs() < 0.001);
    }
}
