//! What this door needs of the house: something that answers requests.

use bulla_audit::Disclosable;
use bulla_core::{Answer, Cors, Request};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Answers requests, and proves of each answer that audit let it out. The future may be dropped when the client goes away or the server is sealed.
pub trait Service: Send + Sync + 'static {
    fn handle(&self, request: Request) -> BoxFuture<'_, Disclosable<Answer>>;

    /// What pages of other origins may do; `None` = requests are answered without looking where they come from.
    fn cors(&self) -> Option<Arc<Cors>> {
        None
    }
}
