//! `sys/host-info`: the machine, as `/proc` and the file systems tell of it. A section that cannot be read is null, and
//! a warning says why.

use super::SysCtx;
use super::info::hostname;
use bulla_kit::{Answer, NoParams, Reply, Route};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io;

pub fn routes() -> Vec<Route<SysCtx>> {
    vec![
        Route::token("host-info")
            .help("Processors, memory and disks of the machine.", "Sizes are bytes, processor times seconds.")
            .read(host_info),
    ]
}

async fn host_info(ctx: SysCtx, _: NoParams) -> Answer {
    let sections = tokio::task::spawn_blocking(sections)
        .await
        .map_err(|_| bulla_kit::EngineError::internal("the host could not be asked"))?;
    let mut data = Map::new();
    let mut warnings = Vec::new();
    for (name, section) in sections {
        let value = section.unwrap_or_else(|error| {
            warnings.push(format!("{name}: {error}"));
            Value::Null
        });
        data.insert(name.into(), value);
    }
    data.insert("timestamp".into(), ctx.now().rfc3339().into());
    let reply = Reply::json(&data)?;
    Ok(warnings.into_iter().fold(reply, Reply::warn))
}

fn sections() -> Vec<(&'static str, io::Result<Value>)> {
    let read = std::fs::read_to_string::<&str>;
    vec![
        ("cpu", read("/proc/cpuinfo").map(|text| processors(&text))),
        ("cpu_times", read("/proc/stat").map(|text| processor_times(&text))),
        ("disk", read("/proc/self/mounts").map(|text| disks(&text))),
        ("host", host()),
        ("memory", read("/proc/meminfo").map(|text| memory(&text))),
    ]
}

/// `name : value` lines of one block.
fn colons(text: &str) -> BTreeMap<&str, &str> {
    text.lines().filter_map(|line| line.split_once(':')).map(|(name, value)| (name.trim(), value.trim())).collect()
}

/// One entry per processor: `/proc/cpuinfo` has a block for each, with an empty line between.
fn processors(text: &str) -> Value {
    let blocks = text.split("\n\n").map(colons).filter(|block| block.contains_key("processor"));
    let one = |block: BTreeMap<&str, &str>| {
        let text = |name: &str| block.get(name).copied().unwrap_or_default().to_owned();
        let number = |name: &str| block.get(name).and_then(|v| v.split(' ').next()).and_then(|v| v.parse::<f64>().ok());
        json!({
            "cpu": number("processor").map(|n| n as u64),
            "vendorId": text("vendor_id"),
            "family": text("cpu family"),
            "model": text("model"),
            "stepping": number("stepping").map(|n| n as u64),
            "physicalId": text("physical id"),
            "coreId": text("core id"),
            "cores": 1,
            "modelName": text("model name"),
            "mhz": number("cpu MHz"),
            "cacheSize": number("cache size").map(|n| n as u64),
            "flags": text("flags").split_whitespace().collect::<Vec<_>>(),
            "microcode": text("microcode"),
        })
    };
    blocks.map(one).collect()
}

/// Ticks of the kernel's counters: 100 a second on every Linux.
const TICKS: f64 = 100.0;

/// One entry per processor, seconds since boot.
fn processor_times(text: &str) -> Value {
    const NAMES: [&str; 10] =
        ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal", "guest", "guestNice"];
    let single = |line: &&str| line.starts_with("cpu") && !line.starts_with("cpu ");
    let one = |line: &str| {
        let mut fields = line.split_whitespace();
        let mut out = Map::new();
        out.insert("cpu".into(), fields.next().unwrap_or_default().into());
        for name in NAMES {
            let ticks = fields.next().and_then(|t| t.parse::<f64>().ok()).unwrap_or_default();
            out.insert(name.into(), (ticks / TICKS).into());
        }
        Value::Object(out)
    };
    text.lines().filter(single).map(one).collect()
}

fn memory(text: &str) -> Value {
    let fields = colons(text);
    let bytes = |name: &str| {
        let kib = fields.get(name).and_then(|v| v.split(' ').next()).and_then(|v| v.parse::<u64>().ok());
        kib.unwrap_or_default() * 1024
    };
    let (total, available) = (bytes("MemTotal"), bytes("MemAvailable"));
    let used = total.saturating_sub(bytes("MemFree") + bytes("Buffers") + bytes("Cached"));
    json!({
        "total": total,
        "available": available,
        "used": used,
        "usedPercent": percent(used, total),
        "free": bytes("MemFree"),
        "active": bytes("Active"),
        "inactive": bytes("Inactive"),
        "buffers": bytes("Buffers"),
        "cached": bytes("Cached"),
        "shared": bytes("Shmem"),
        "slab": bytes("Slab"),
        "swaptotal": bytes("SwapTotal"),
        "swapfree": bytes("SwapFree"),
        "swapcached": bytes("SwapCached"),
    })
}

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 * 100.0 }
}

/// File systems on devices; those of the kernel's own are left out. One that does not answer is left out, too.
fn disks(mounts: &str) -> Value {
    let on_device = mounts.lines().filter(|line| line.starts_with("/dev/"));
    let one = |line: &str| {
        let mut fields = line.split(' ');
        let (_device, path, kind) = (fields.next()?, fields.next()?, fields.next()?);
        let found = rustix::fs::statvfs(path).ok()?;
        let (total, free) = (found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize);
        let used = total.saturating_sub(found.f_bfree * found.f_frsize);
        let inodes_used = found.f_files.saturating_sub(found.f_ffree);
        Some(json!({
            "path": path,
            "fstype": kind,
            "total": total,
            "free": free,
            "used": used,
            "usedPercent": percent(used, used + free),
            "inodesTotal": found.f_files,
            "inodesUsed": inodes_used,
            "inodesFree": found.f_ffree,
            "inodesUsedPercent": percent(inodes_used, found.f_files),
        }))
    };
    on_device.filter_map(one).collect()
}

fn host() -> io::Result<Value> {
    let uptime = std::fs::read_to_string("/proc/uptime")?;
    let uptime = uptime.split('.').next().and_then(|t| t.parse::<u64>().ok()).unwrap_or_default();
    let stat = std::fs::read_to_string("/proc/stat")?;
    let booted = stat.lines().find_map(|line| line.strip_prefix("btime ")).and_then(|t| t.trim().parse::<u64>().ok());
    let processes = std::fs::read_dir("/proc")?
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().bytes().all(|b| b.is_ascii_digit()))
        .count();
    let kernel = rustix::system::uname();
    Ok(json!({
        "hostname": hostname(),
        "uptime": uptime,
        "bootTime": booted,
        "procs": processes,
        "os": std::env::consts::OS,
        "kernelVersion": kernel.release().to_string_lossy(),
        "kernelArch": kernel.machine().to_string_lossy(),
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn processors_are_told_apart() {
        let text = "processor\t: 0\nmodel name\t: A\ncpu MHz\t\t: 2000.5\ncache size\t: 512 KB\nflags\t\t: a b\n\nprocessor\t: 1\n";
        let found = processors(text);
        assert_eq!(found.as_array().unwrap().len(), 2);
        assert_eq!(found[0]["modelName"], "A");
        assert_eq!((&found[0]["mhz"], &found[0]["cacheSize"]), (&json!(2000.5), &json!(512)));
        assert_eq!(found[0]["flags"], json!(["a", "b"]));
        assert_eq!(found[1]["mhz"], Value::Null);
    }

    #[test]
    fn times_are_seconds_of_single_processors() {
        let found = processor_times("cpu  9 9 9\ncpu0 150 0 50 1000 1 2 3 4 5 6\nintr 5\n");
        assert_eq!(found.as_array().unwrap().len(), 1);
        assert_eq!(
            (&found[0]["cpu"], &found[0]["user"], &found[0]["idle"]),
            (&json!("cpu0"), &json!(1.5), &json!(10.0))
        );
    }

    #[test]
    fn memory_is_bytes() {
        let found = memory("MemTotal:       100 kB\nMemFree:         25 kB\nMemAvailable:    50 kB\n");
        assert_eq!((&found["total"], &found["used"]), (&json!(102_400), &json!(76_800)));
        assert_eq!(found["usedPercent"], json!(75.0));
    }

    #[test]
    fn this_machine_answers() {
        for (name, section) in sections() {
            assert!(!section.unwrap().is_null(), "{name}");
        }
    }
}
