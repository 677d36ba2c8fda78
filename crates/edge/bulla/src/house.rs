//! What the server needs of everything behind its listeners.

use bulla_http::{BoxFuture, Service};
use std::time::Duration;

pub trait House: Service {
    /// Seals; ready when all keys are erased or `drain` is over.
    fn seal(&self, drain: Duration) -> BoxFuture<'_, ()>;

    /// Opens the files of audit devices anew, after somebody has moved them away.
    fn reopen_audit(&self) -> BoxFuture<'_, ()>;
}
