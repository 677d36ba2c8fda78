//! What the server needs of everything behind its listeners.

use bulla_core::LogLevels;
use bulla_http::{BoxFuture, Service};
use std::sync::Arc;
use std::time::Duration;

pub trait House: Service {
    /// Seals; ready when all keys are erased or `drain` is over.
    fn seal(&self, drain: Duration) -> BoxFuture<'_, ()>;

    /// Opens the files of audit devices anew, after somebody has moved them away.
    fn reopen_audit(&self) -> BoxFuture<'_, ()>;

    /// Hands over the log's levels, for `sys/loggers`.
    fn set_log_levels(&self, levels: Arc<dyn LogLevels>);
}
