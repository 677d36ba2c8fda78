//! Calls in the words of HTTP, and answers as status and JSON, for both versions of the engine.

use bulla_kit::{Answer, EngineError};
use bulla_testkit::EngineBench;
use bulla_types::Operation;
use serde_json::{Value, json};

pub struct Story {
    pub bench: EngineBench,
}

/// What the edge would make of an answer: the status, and `data` with `warnings` beside, or the text of a refusal.
#[derive(Debug, PartialEq)]
pub struct Told {
    pub status: u16,
    pub data: Value,
    pub warnings: usize,
    pub text: String,
    pub lease: Option<u64>,
}

impl Story {
    /// Unversioned.
    #[allow(dead_code, reason = "each test file uses its own part")]
    pub fn v1() -> Self {
        Self { bench: EngineBench::new(bulla_kv::kv_v1()) }
    }

    /// Versioned.
    #[allow(dead_code, reason = "each test file uses its own part")]
    pub fn v2() -> Self {
        Self { bench: EngineBench::new(bulla_kv::kv_v2()) }
    }

    /// Versioned, on a device that can fail.
    #[allow(dead_code, reason = "each test file uses its own part")]
    pub fn v2_on_device() -> Self {
        Self { bench: EngineBench::on_device(bulla_kv::kv_v2()) }
    }

    /// `call` is a verb and a path, perhaps with a query, which then is the body.
    pub fn tell(&self, call: &str, body: &str) -> Told {
        let (verb, path) = call.split_once(' ').unwrap_or((call, ""));
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let operation = match verb {
            "GET" => Operation::Read,
            "POST" | "PUT" => Operation::Update,
            "PATCH" => Operation::Patch,
            "DELETE" => Operation::Delete,
            "LIST" => Operation::List,
            "SCAN" => Operation::Scan,
            other => panic!("no verb {other}"),
        };
        let members = query.split('&').filter_map(|pair| pair.split_once('=')).map(|(k, v)| (k.to_owned(), json!(v)));
        let query = Value::Object(members.collect()).to_string();
        told(
            operation,
            self.bench.call(
                operation,
                path,
                if operation == Operation::Update || operation == Operation::Patch { body } else { &query },
            ),
        )
    }

    /// Tells a call without body.
    #[allow(dead_code, reason = "each test file uses its own part")]
    pub fn ask(&self, call: &str) -> Told {
        self.tell(call, "")
    }

    /// Status and data in one text: `200 {…}`, `204`, `404`.
    #[allow(dead_code, reason = "each test file uses its own part")]
    pub fn line(&self, call: &str, body: &str) -> String {
        let told = self.tell(call, body);
        match told.data {
            Value::Null => told.status.to_string(),
            data => format!("{} {data}", told.status),
        }
    }
}

fn told(operation: Operation, answer: Answer) -> Told {
    let mut told = Told { status: 0, data: Value::Null, warnings: 0, text: String::new(), lease: None };
    match answer {
        Err(error) => {
            told.status = match &error {
                EngineError::BadRequest(_) => 400,
                EngineError::NotFound | EngineError::UnsupportedPath => 404,
                EngineError::UnsupportedOperation => 405,
                _ => 500,
            };
            told.text = error.to_string();
        }
        Ok(reply) if !reply.some => {
            told.status = if matches!(operation, Operation::Read | Operation::List) { 404 } else { 204 };
        }
        Ok(reply) => {
            let raw = reply.raw.as_ref().and_then(|raw| raw.status);
            told.status = if reply.not_found { 404 } else { raw.unwrap_or(200) };
            told.data = reply.data.map(|data| serde_json::from_str(data.get()).unwrap()).unwrap_or_default();
            told.warnings = reply.warnings.len();
            told.text = reply.warnings.join("\n");
            told.lease = reply.lease_hint.map(|(duration, _)| duration.0);
        }
    }
    told
}
