//! Published weaknesses of servers like this one, replayed: one file a family, one test a row of the catalogue, the row's
//! id in the name. Each test tells the attack and asserts the correct outcome; the table at the head of each file says
//! which guard was switched off to see the test fail, and which rows wait for a feature.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "tests")]

mod audit;
mod kv;
mod listener;
mod policy;
mod proxy;
mod seal;
mod smuggling;
mod token;
mod wrapping;
