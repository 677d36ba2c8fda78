//! The behaviour of the room.
