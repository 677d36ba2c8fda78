//! The one place that knows all rooms: store, core and engines, put together as the configuration says.

use crate::config::Config;
use crate::house::House;
use crate::start::StartError;
use bulla_http::Connections;
use std::sync::Arc;

/// How a server comes by its house; tests bring their own.
pub type Open = fn(&Config, &Arc<Connections>) -> Result<Arc<dyn House>, StartError>;

/// # Errors
/// A seal or store that is not there, or a store that does not open.
pub fn open(config: &Config, _connections: &Arc<Connections>) -> Result<Arc<dyn House>, StartError> {
    if let Some(seal) = config.seals.first() {
        return Err(StartError::Unsupported(format!("seal `{}` is not supported; there is shamir", seal.kind)));
    }
    Err(StartError::Unsupported("this build has listeners only: nothing is there yet to answer requests".into()))
}
