//! The levels of the log while it runs: those of the configuration, and what `sys/loggers` made of them. Loggers are
//! rooms of the server; what comes from elsewhere follows the configuration.

use crate::start::StartError;
use bulla_core::{LogLevel, LogLevels};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::{Registry, reload};

/// Names of loggers, and the modules that write to them.
const LOGGERS: [(&str, &str); 14] = [
    ("audit", "bulla_audit"),
    ("barrier", "bulla_barrier"),
    ("core", "bulla_core"),
    ("core.audit", "bulla_core::audit"),
    ("core.mounts", "bulla_core::mounts"),
    ("core.policy", "bulla_core::policy"),
    ("core.system", "bulla_core::sys"),
    ("core.token", "bulla_core::token"),
    ("core.workers", "bulla_core::workers"),
    ("http", "bulla_http"),
    ("kv", "bulla_kv"),
    ("seal", "bulla_seal"),
    ("server", "bulla"),
    ("storage", "bulla_physical"),
];

/// # Errors
/// No level is called that.
pub fn parse(text: &str) -> Result<LevelFilter, StartError> {
    match text.to_ascii_lowercase().as_str() {
        "off" => Ok(LevelFilter::OFF),
        "" => Ok(LevelFilter::INFO),
        word => LogLevel::parse(word).map(filter).ok_or_else(|| StartError::LogLevel(text.to_owned())),
    }
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

/// A log that is off still tells of errors when asked for its level.
fn level(filter: LevelFilter) -> LogLevel {
    match filter {
        LevelFilter::TRACE => LogLevel::Trace,
        LevelFilter::DEBUG => LogLevel::Debug,
        LevelFilter::INFO => LogLevel::Info,
        LevelFilter::WARN => LogLevel::Warn,
        _ => LogLevel::Error,
    }
}

/// What is in force.
struct Chosen {
    configured: LevelFilter,
    /// Loggers that differ from the configuration.
    own: BTreeMap<&'static str, LevelFilter>,
}

impl Chosen {
    fn of(&self, name: &str) -> LevelFilter {
        self.own.get(name).copied().unwrap_or(self.configured)
    }

    fn targets(&self) -> Targets {
        let own = LOGGERS.iter().map(|(name, module)| (*module, self.of(name)));
        Targets::new().with_default(self.configured).with_targets(own)
    }
}

/// The hold of the running log's filter.
pub struct Levels {
    chosen: Mutex<Chosen>,
    handle: reload::Handle<Targets, Registry>,
}

impl Levels {
    /// The filter for the log, and the hold of it.
    pub fn start(configured: LevelFilter) -> (reload::Layer<Targets, Registry>, Self) {
        let chosen = Chosen { configured, own: BTreeMap::new() };
        let (layer, handle) = reload::Layer::new(chosen.targets());
        (layer, Self { chosen: Mutex::new(chosen), handle })
    }

    /// A configuration that was read anew takes the place of all that was changed meanwhile.
    pub fn configure(&self, configured: LevelFilter) {
        self.change(|chosen| *chosen = Chosen { configured, own: BTreeMap::new() });
    }

    fn change(&self, change: impl FnOnce(&mut Chosen)) {
        let mut chosen = self.chosen.lock();
        change(&mut chosen);
        // Fails only when the log is gone.
        let _ = self.handle.reload(chosen.targets());
    }
}

impl LogLevels for Levels {
    fn all(&self) -> Vec<(&'static str, LogLevel)> {
        let chosen = self.chosen.lock();
        LOGGERS.iter().map(|(name, _)| (*name, level(chosen.of(name)))).collect()
    }

    fn set(&self, logger: Option<&str>, level: Option<LogLevel>) -> bool {
        let named = LOGGERS.iter().map(|(name, _)| *name).filter(|name| logger.is_none_or(|wanted| wanted == *name));
        let named: Vec<&'static str> = named.collect();
        self.change(|chosen| {
            for name in &named {
                match level {
                    Some(level) => drop(chosen.own.insert(name, filter(level))),
                    None => drop(chosen.own.remove(name)),
                }
            }
        });
        !named.is_empty()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use tracing::Level;

    #[test]
    fn words() {
        assert_eq!(parse("WARN").unwrap(), LevelFilter::WARN);
        assert_eq!((parse("").unwrap(), parse("off").unwrap()), (LevelFilter::INFO, LevelFilter::OFF));
        assert!(parse("loud").is_err());
    }

    fn of(levels: &Levels, name: &str) -> LogLevel {
        levels.all().into_iter().find(|(n, _)| *n == name).unwrap().1
    }

    #[test]
    fn one_logger_all_loggers_and_back() {
        let (_layer, levels) = Levels::start(LevelFilter::INFO);
        assert!(levels.set(Some("core"), Some(LogLevel::Trace)));
        assert_eq!((of(&levels, "core"), of(&levels, "http")), (LogLevel::Trace, LogLevel::Info));
        let targets = levels.chosen.lock().targets();
        assert!(targets.would_enable("bulla_core::route", &Level::TRACE));
        assert!(!targets.would_enable("bulla_core::token", &Level::DEBUG), "a logger of its own keeps its level");
        assert!(!targets.would_enable("hyper", &Level::DEBUG));
        assert!(levels.set(None, Some(LogLevel::Warn)));
        assert_eq!(of(&levels, "core"), LogLevel::Warn);
        assert!(levels.set(Some("core"), None));
        assert_eq!((of(&levels, "core"), of(&levels, "http")), (LogLevel::Info, LogLevel::Warn));
        assert!(!levels.set(Some("nobody"), Some(LogLevel::Warn)));
        levels.configure(LevelFilter::DEBUG);
        assert_eq!(of(&levels, "http"), LogLevel::Debug);
    }
}
