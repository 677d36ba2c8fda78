//! `sys/tools/…`: randomness and hashes.

use super::SysCtx;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bulla_crypto::{Hash, random};
use bulla_kit::{Answer, EngineError, Params, Reply, Route};
use serde_json::json;

#[derive(Params)]
struct RandomParams {
    /// How many bytes, in the path.
    #[param(path)]
    urlbytes: String,
    /// Where the bytes come from, in the path: `platform`, `seal` or `all`.
    #[param(path)]
    source: String,
    /// How many bytes.
    #[param(default = 32)]
    bytes: i64,
    /// `base64` or `hex`.
    #[param(default = "base64".into())]
    format: String,
}

#[derive(Params)]
struct HashParams {
    /// The algorithm, in the path.
    #[param(path)]
    urlalgorithm: String,
    /// The bytes to hash, in base64.
    input: String,
    /// The algorithm.
    #[param(default = "sha2-256".into())]
    algorithm: String,
    /// `hex` or `base64`.
    #[param(default = "hex".into())]
    format: String,
}

pub fn routes() -> Vec<Route<SysCtx>> {
    vec![
        Route::token("tools/random")
            .help("Random bytes.", "As base64 or hex, from the system's generator.")
            .update(random_bytes),
        Route::token("tools/random/{source:any}/{urlbytes:any}")
            .help("Random bytes.", "As base64 or hex, from the system's generator.")
            .update(random_bytes),
        Route::token("tools/random/{urlbytes:any}")
            .help("Random bytes.", "As base64 or hex, from the system's generator.")
            .update(random_bytes),
        Route::token("tools/hash")
            .help("Hash bytes.", "Of base64 input, by SHA-2 or SHA-3, as hex or base64. Not for passwords.")
            .update(hash_bytes),
        Route::token("tools/hash/{urlalgorithm:any}")
            .help("Hash bytes.", "Of base64 input, by SHA-2 or SHA-3, as hex or base64. Not for passwords.")
            .update(hash_bytes),
    ]
}

/// 128 KiB, the reference's limit.
const MOST: i64 = 128 * 1024;

async fn random_bytes(_: SysCtx, params: RandomParams) -> Answer {
    if !matches!(params.source.as_str(), "" | "platform" | "seal" | "all") {
        return Err(EngineError::bad(format!(
            "unsupported entropy source {:?}; must be \"platform\" or \"seal\", or \"all\"",
            params.source
        )));
    }
    // `random/platform` names a source, not a number.
    let in_path = if matches!(params.urlbytes.as_str(), "platform" | "seal" | "all") { "" } else { &params.urlbytes };
    let count = if in_path.is_empty() {
        params.bytes
    } else {
        in_path.parse().map_err(|_| {
            EngineError::bad(format!(
                "error parsing url-set byte count: strconv.Atoi: parsing {in_path:?}: invalid syntax"
            ))
        })?
    };
    if count < 1 {
        return Err(EngineError::bad("'bytes' cannot be less than 1"));
    }
    if count > MOST {
        return Err(EngineError::bad(format!("'bytes' should be less than {MOST}")));
    }
    let mut bytes = vec![0_u8; usize::try_from(count).unwrap_or(0)];
    random::fill(&mut bytes).map_err(|_| EngineError::internal("no randomness could be had from the system"))?;
    Reply::json(&json!({ "random_bytes": written(&bytes, &params.format)? }))
}

fn written(bytes: &[u8], format: &str) -> Result<String, EngineError> {
    match format {
        "hex" => Ok(hex::encode(bytes)),
        "base64" => Ok(STANDARD.encode(bytes)),
        other => Err(EngineError::bad(format!("unsupported encoding format {other:?}; must be \"hex\" or \"base64\""))),
    }
}

async fn hash_bytes(_: SysCtx, params: HashParams) -> Answer {
    let input = STANDARD
        .decode(&params.input)
        .map_err(|e| EngineError::bad(format!("unable to decode input as base64: {e}")))?;
    let name = if params.urlalgorithm.is_empty() { &params.algorithm } else { &params.urlalgorithm };
    let Some(algorithm) = Hash::by_name(name) else {
        return Err(EngineError::bad(format!("unsupported algorithm {name}")));
    };
    let sum = algorithm.digest(&input);
    Reply::json(&json!({ "sum": written(&sum, &params.format)? }))
}
