//! The edge encodes nothing that has not passed audit.
use bulla_core::{Answer, Outcome, Request};
use bulla_http::{BoxFuture, Service};

struct Careless;

impl Service for Careless {
    fn handle(&self, _: Request) -> BoxFuture<'_, Answer> {
        Box::pin(async { Answer::new(Outcome::NoContent) })
    }
}

fn main() {}
