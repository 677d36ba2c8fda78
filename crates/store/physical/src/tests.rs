//! The room's behaviour.
