//! The two proofs of auditing: a request was recorded, an answer may be disclosed. Both have private fields and are
//! made in this crate only, so a forgotten record does not compile.
//!
//! ```compile_fail
//! let forged = bulla_audit::Disclosable { answer: "secret" };
//! ```
//! ```compile_fail
//! fn forge(permit: u8) -> bulla_audit::Recorded<u8> { bulla_audit::Recorded { permit, tickets: todo!() } }
//! ```

use crate::broker::Tickets;
use crate::error::AuditError;
use std::fmt;

/// Door 8's proof: the record of the request is on its way to every device, behind `permit`.
///
/// Keep it until the answer is recorded. Dropped earlier (a client went away), it sees to it that its line is written.
#[must_use = "a recorded request is to be answered or waited for"]
pub struct Recorded<P> {
    permit: P,
    pub(crate) tickets: Tickets,
}

impl<P> Recorded<P> {
    pub(crate) const fn new(permit: P, tickets: Tickets) -> Self {
        Self { permit, tickets }
    }

    pub const fn permit(&self) -> &P {
        &self.permit
    }

    /// Waits until at least one device has the record. What changes anything must wait for this before it commits; may
    /// be asked again.
    pub async fn delivered(&self) -> Result<(), AuditError> {
        self.tickets.settled().await.map_err(AuditError::Request)
    }
}

impl<P> fmt::Debug for Recorded<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recorded")
    }
}

/// Door 11's proof: the record of this answer was kept, so it may leave. The only thing `edge/http` encodes.
#[must_use = "an answer that may be disclosed is to be sent"]
pub struct Disclosable<T> {
    answer: T,
}

impl<T> Disclosable<T> {
    pub(crate) const fn recorded(answer: T) -> Self {
        Self { answer }
    }

    /// An answer that needs no record, with the reason why.
    pub const fn exempt(answer: T, _because: Exemption) -> Self {
        Self { answer }
    }

    /// The same proof around what `change` makes of the answer: details that the record does not show.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Disclosable<U> {
        Disclosable { answer: change(self.answer) }
    }

    pub const fn answer(&self) -> &T {
        &self.answer
    }

    pub fn into_inner(self) -> T {
        self.answer
    }
}

impl<T> fmt::Debug for Disclosable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Disclosable")
    }
}

/// The closed list of answers that leave without a record. All of them go out also while no device can exist, or
/// before anything is known about the caller, and none carries a stored secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Exemption {
    Health,
    SealStatus,
    Leader,
    Init,
    Unseal,
    SealedRefusal,
    Malformed,
    Busy,
    HelpText,
    OpenApi,
    WebInterface,
    Unavailable,
}

impl Exemption {
    pub const ALL: [Self; 12] = [
        Self::Health,
        Self::SealStatus,
        Self::Leader,
        Self::Init,
        Self::Unseal,
        Self::SealedRefusal,
        Self::Malformed,
        Self::Busy,
        Self::HelpText,
        Self::OpenApi,
        Self::WebInterface,
        Self::Unavailable,
    ];

    /// Why no record is needed.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Health => "tells load balancers the state of the node, nothing stored; asked every second",
            Self::SealStatus => "tells progress and version, nothing stored; works while sealed",
            Self::Leader => "tells addresses the configuration already tells; works while sealed",
            Self::Init => "runs before there is a barrier, hence before there can be a device",
            Self::Unseal => "runs while sealed, when the devices' keys do not exist; answers progress only",
            Self::SealedRefusal => "refuses because the node is sealed; nothing was read",
            Self::Malformed => "refuses bytes that never became a request; there is nothing to record",
            Self::Busy => "refuses before a byte of the body was read, because a limit of the listener is reached",
            Self::HelpText => "text compiled into the program",
            Self::OpenApi => "a description of routes compiled into the program",
            Self::WebInterface => "files compiled into the program",
            Self::Unavailable => "says that the answer was withheld because auditing failed; carries no answer",
        }
    }
}
