//! Calls in the words of the method: roles, secret ids, logins.

use bulla_approle::approle;
use bulla_kit::{EngineError, LoginIntent};
use bulla_testkit::EngineBench;
use bulla_types::Operation;
use serde_json::{Value, json};

pub const UPDATE: Operation = Operation::Update;
pub const DELETE: Operation = Operation::Delete;
pub const LIST: Operation = Operation::List;

pub struct Story {
    pub bench: EngineBench,
}

/// The login was one with wrong credentials; whether it counts against somebody.
pub fn invalid(login: Result<LoginIntent, EngineError>) -> bool {
    match login {
        Err(EngineError::InvalidCredentials { text, known }) => {
            assert_eq!(text, "invalid role or secret ID");
            known
        }
        other => panic!("{other:?}"),
    }
}

impl Story {
    pub fn new() -> Self {
        Self { bench: EngineBench::new(approle()) }
    }

    /// A write that is answered by 204.
    pub fn write(&self, path: &str, body: Value) {
        assert!(!self.bench.ok(UPDATE, path, &body.to_string()).some, "{path}");
    }

    pub fn delete(&self, path: &str) {
        assert!(!self.bench.ok(DELETE, path, "").some, "{path}");
    }

    pub fn refused(&self, path: &str, body: Value) -> String {
        match self.bench.refused(UPDATE, path, &body.to_string()) {
            EngineError::BadRequest(text) => text,
            other => panic!("{path}: {other:?}"),
        }
    }

    pub fn read(&self, path: &str) -> Option<Value> {
        self.bench.ok(Operation::Read, path, "").data.map(|data| data.to_value())
    }

    pub fn list(&self, path: &str, query: Value) -> Vec<String> {
        let data = self.bench.ok(LIST, path, &query.to_string()).data;
        data.map_or_else(Vec::new, |data| serde_json::from_value(data.to_value()["keys"].clone()).unwrap())
    }

    /// Makes a role; its role id.
    pub fn role(&self, name: &str, body: Value) -> String {
        self.write(&format!("role/{name}"), body);
        self.read(&format!("role/{name}/role-id")).unwrap()["role_id"].as_str().unwrap().to_owned()
    }

    pub fn make(&self, path: &str, body: Value) -> Value {
        self.bench.ok(UPDATE, path, &body.to_string()).data.unwrap().to_value()
    }

    /// Makes a secret id: itself and its accessor.
    pub fn secret_id(&self, role: &str, body: Value) -> (String, String) {
        let made = self.make(&format!("role/{role}/secret-id"), body);
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        (text("secret_id"), text("secret_id_accessor"))
    }

    pub fn accessors(&self, role: &str) -> Vec<String> {
        self.list(&format!("role/{role}/secret-id"), json!({}))
    }

    pub fn lookup(&self, role: &str, secret_id: &str) -> Option<Value> {
        let body = json!({ "secret_id": secret_id }).to_string();
        let reply = self.bench.ok(UPDATE, &format!("role/{role}/secret-id/lookup"), &body);
        reply.data.map(|data| data.to_value())
    }

    pub fn lookup_accessor(&self, role: &str, accessor: &str) -> Option<Value> {
        let body = json!({ "secret_id_accessor": accessor }).to_string();
        let reply = self.bench.ok(UPDATE, &format!("role/{role}/secret-id-accessor/lookup"), &body);
        let data = reply.data.unwrap().to_value();
        assert_eq!(reply.not_found, data["error"].is_string());
        (!reply.not_found).then_some(data)
    }

    pub fn login(&self, role_id: &str, secret_id: &str) -> Result<LoginIntent, EngineError> {
        let body = json!({ "role_id": role_id, "secret_id": secret_id }).to_string();
        self.bench.call(UPDATE, "login", &body).map(|reply| reply.login.unwrap())
    }
}
