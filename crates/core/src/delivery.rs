//! Whether an answer has left the house: for what is to be done only when its reader has it.
//!
//! The edge tells of it; whoever drops an answer that carries a [`Delivery`] tells of its loss. Not here: what follows from it
//! (`sys/shares/former.rs`).

use tokio::sync::mpsc;

/// Goes with an answer, to the socket.
#[derive(Clone, Debug)]
pub struct Delivery(mpsc::Sender<()>);

/// Waits for what becomes of it.
pub struct Delivered(mpsc::Receiver<()>);

impl Delivery {
    pub fn new() -> (Self, Delivered) {
        let (sender, receiver) = mpsc::channel(1);
        (Self(sender), Delivered(receiver))
    }

    /// The system has taken the whole answer from us.
    pub fn arrived(self) {
        // Nobody may be waiting any more, or know it already.
        let _ = self.0.try_send(());
    }
}

impl Delivered {
    /// Whether the answer has left; `false` = it was dropped before.
    pub async fn known(mut self) -> bool {
        self.0.recv().await.is_some()
    }
}
