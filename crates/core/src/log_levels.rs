//! The log's levels as core sees them: the log itself belongs to the binary, which hands core this hold of it.

/// How much is logged; each level holds those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl LogLevel {
    /// The word in answers.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }

    /// `None` = no level is called that.
    pub fn parse(word: &str) -> Option<Self> {
        match word.to_ascii_lowercase().as_str() {
            "trace" => Some(Self::Trace),
            "debug" => Some(Self::Debug),
            "notice" | "info" => Some(Self::Info),
            "warn" | "warning" => Some(Self::Warn),
            "err" | "error" => Some(Self::Error),
            _ => None,
        }
    }
}

/// What can be asked of the log while it runs. Changes last until the process ends or reads its configuration anew.
pub trait LogLevels: Send + Sync {
    /// Every logger by name, with the level in force.
    fn all(&self) -> Vec<(&'static str, LogLevel)>;

    /// Changes all loggers, or the one named; `None` = the level of the configuration. `false` = no such logger.
    fn set(&self, logger: Option<&str>, level: Option<LogLevel>) -> bool;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn words_are_read_back() {
        for level in [LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug, LogLevel::Trace] {
            assert_eq!(LogLevel::parse(level.word()), Some(level));
        }
        assert_eq!(LogLevel::parse("WARNING"), Some(LogLevel::Warn));
        assert_eq!((LogLevel::parse("loud"), LogLevel::parse("")), (None, None));
    }
}
