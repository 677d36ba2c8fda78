//! What a listener does at present; exchanged as a whole when the operator changes the configuration of a running server.

use crate::body::Budget;
use crate::connection;
use crate::encode::AnswerHeaders;
use crate::error::ListenError;
use crate::settings::Settings;
use crate::tls::Tls;
use hyper_util::rt::TokioExecutor;
use hyper_util::server::conn::auto::Builder;
use std::sync::Arc;

pub(crate) struct Live {
    pub(crate) settings: Settings,
    pub(crate) tls: Option<Tls>,
    pub(crate) builder: Builder<TokioExecutor>,
    pub(crate) headers: AnswerHeaders,
    pub(crate) budget: Arc<Budget>,
}

impl Live {
    /// # Errors
    /// Certificate and key cannot be used.
    pub(crate) fn new(settings: Settings) -> Result<Self, ListenError> {
        Ok(Self {
            tls: settings.tls.as_ref().map(Tls::load).transpose()?,
            builder: connection::builder(&settings.limits),
            headers: AnswerHeaders::new(&settings.custom_headers),
            budget: Arc::new(Budget::new(settings.limits.bodies_in_flight)),
            settings,
        })
    }

    /// # Errors
    /// As [`Live::new`].
    pub(crate) fn renewed(&self, settings: Settings) -> Result<Self, ListenError> {
        let mut new = Self::new(settings)?;
        // Bodies that are being received go on counting, unless the limit is another.
        if new.settings.limits.bodies_in_flight == self.settings.limits.bodies_in_flight {
            new.budget = Arc::clone(&self.budget);
        }
        Ok(new)
    }
}
