//! What a command prints: tables, JSON, YAML, single fields.
//!
//! Scripts read this. Keys, columns, their order and the spelling of values are those of the established command lines.
//! Not here: which data a command shows (`commands`).

mod secret;
mod table;
mod text;
mod yaml;

pub use secret::{cell, map_rows, raw_field, secret_json, secret_rows};
pub use table::{columns, table};
pub use text::{display, go_time, harmless, human_seconds, looks_like_duration, quoted_list, titled, wrap};
pub use yaml::yaml;

/// The value of `-format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Table,
    Json,
    Yaml,
    Raw,
}

impl Format {
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text.to_ascii_lowercase().as_str() {
            "table" | "" => Self::Table,
            "json" => Self::Json,
            "yaml" | "yml" => Self::Yaml,
            "raw" => Self::Raw,
            _ => return None,
        })
    }
}
