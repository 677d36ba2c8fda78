//! What can be wrong with a text. Wording that clients see in the answers to policy writes is kept from upstream.

use crate::Pos;
use std::fmt;

/// The text is not HCL or not JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    #[error("At {pos}: {problem}")]
    At { pos: Pos, problem: String },
    /// JSON errors go without a position in their text, as upstream; the position is here for those who want it.
    #[error("{problem}")]
    Json { pos: Pos, problem: String },
}

impl ParseError {
    pub(crate) fn at(pos: Pos, problem: impl Into<String>) -> Self {
        Self::At { pos, problem: problem.into() }
    }

    pub(crate) fn json(pos: Pos, problem: impl Into<String>) -> Self {
        Self::Json { pos, problem: problem.into() }
    }

    pub fn pos(&self) -> Pos {
        match self {
            Self::At { pos, .. } | Self::Json { pos, .. } => *pos,
        }
    }
}

/// A key holds something else than asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("key {key:?} on line {} must be {expected}", pos.line)]
pub struct AccessError {
    pub key: String,
    pub pos: Pos,
    pub expected: &'static str,
}

/// Keys that nobody asked for, in the shape upstream lists several errors in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownKeys {
    /// Put before each line, for instance `path "a": `.
    pub prefix: String,
    /// Key and line of its `=`; a block has none and says 0, as upstream does.
    pub keys: Vec<(String, u32)>,
}

impl fmt::Display for UnknownKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.keys.len() == 1 { "" } else { "s" };
        write!(f, "{} error{plural} occurred:", self.keys.len())?;
        for (key, line) in &self.keys {
            write!(f, "\n\t* {}invalid key {key:?} on line {line}", self.prefix)?;
        }
        f.write_str("\n\n")
    }
}

impl std::error::Error for UnknownKeys {}
