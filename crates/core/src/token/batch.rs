//! Batch tokens: the record is the token. It is sealed under the active data key and given to the client; nothing is
//! stored. Not here: whether such a token is still in force (`store`).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bulla_barrier::Txn;
use bulla_kit::EngineError;
use bulla_records::{TokenKindRecord, TokenRecord, decode, encode};
use bulla_secret::SecretText;

const PREFIX: &str = "hvb.";
const DOMAIN: &str = "batch token";
/// Longer texts are nobody's token; they are not worth decoding.
const MAX: usize = 32 * 1024;

pub fn looks_like(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// The token that carries `record`.
///
/// # Errors
/// No randomness; metadata so long that the token could not be sent.
pub fn seal(txn: &Txn, record: &TokenRecord) -> Result<SecretText, EngineError> {
    let plain = encode("token", record).map_err(|e| EngineError::internal(e.to_string()))?;
    let sealed = txn.barrier().seal_blob(DOMAIN, &plain)?;
    let text = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(sealed));
    if text.len() > MAX {
        return Err(EngineError::bad("batch token too large: use fewer policies or less metadata"));
    }
    Ok(SecretText::from(text))
}

/// The record in a token of ours; `None` for anything else.
pub fn open(txn: &Txn, text: &str) -> Option<TokenRecord> {
    let body = text.strip_prefix(PREFIX).filter(|_| text.len() <= MAX)?;
    let sealed = URL_SAFE_NO_PAD.decode(body).ok()?;
    let plain = txn.barrier().open_blob(DOMAIN, &sealed)?;
    let record: TokenRecord = decode("token", &plain).ok()?;
    (record.kind == TokenKindRecord::Batch).then_some(record)
}
