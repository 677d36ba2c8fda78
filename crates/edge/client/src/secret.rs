//! The envelope most answers come in: lease, data, warnings, auth, wrapping.

use crate::Json;

/// A parsed envelope. Members the server left out have their empty value.
#[derive(Debug, Clone, Default)]
pub struct Secret {
    pub request_id: String,
    pub lease_id: String,
    /// Seconds.
    pub lease_duration: i64,
    pub renewable: bool,
    /// `None` where the answer has no data; else mostly an object.
    pub data: Option<Json>,
    pub warnings: Vec<String>,
    pub auth: Option<Auth>,
    pub wrap_info: Option<WrapInfo>,
}

/// A token that was issued or renewed.
#[derive(Debug, Clone, Default)]
pub struct Auth {
    /// The block as sent; holds the token.
    pub block: Json,
}

/// Where a wrapped answer can be fetched.
#[derive(Debug, Clone, Default)]
pub struct WrapInfo {
    pub block: Json,
}

impl Secret {
    pub fn from_json(json: &Json) -> Self {
        let text = |name: &str| json.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
        let block = |name: &str| json.get(name).filter(|v| !v.is_null()).cloned();
        let warnings = json.get("warnings").map(Json::items).unwrap_or_default();
        Self {
            request_id: text("request_id"),
            lease_id: text("lease_id"),
            lease_duration: json.get("lease_duration").and_then(Json::as_i64).unwrap_or_default(),
            renewable: json.get("renewable").and_then(Json::as_bool).unwrap_or_default(),
            data: block("data"),
            warnings: warnings.iter().filter_map(Json::as_str).map(str::to_owned).collect(),
            auth: block("auth").map(|block| Auth { block }),
            wrap_info: block("wrap_info").map(|block| WrapInfo { block }),
        }
    }

    /// A member of the data.
    pub fn field(&self, name: &str) -> Option<&Json> {
        self.data.as_ref()?.get(name).filter(|v| !v.is_null())
    }

    /// The names a list returned; `None` if the answer has no list.
    pub fn keys(&self) -> Option<&[Json]> {
        if let Json::List(items) = self.field("keys")? { Some(items) } else { None }
    }

    /// Whether there is anything in it worth showing.
    pub fn is_empty(&self) -> bool {
        self.data.is_none() && self.auth.is_none() && self.wrap_info.is_none() && self.warnings.is_empty()
    }
}

macro_rules! block_access {
    ($name:ident) => {
        impl $name {
            pub fn text(&self, name: &str) -> &str {
                self.block.get(name).and_then(Json::as_str).unwrap_or_default()
            }

            pub fn number(&self, name: &str) -> i64 {
                self.block.get(name).and_then(Json::as_i64).unwrap_or_default()
            }

            pub fn flag(&self, name: &str) -> bool {
                self.block.get(name).and_then(Json::as_bool).unwrap_or_default()
            }

            /// A member as sent; `null` if it is missing.
            pub fn value(&self, name: &str) -> Json {
                self.block.get(name).cloned().unwrap_or(Json::Null)
            }
        }
    };
}

block_access!(Auth);
block_access!(WrapInfo);
