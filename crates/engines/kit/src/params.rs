//! Typed parameters of a handler. `#[derive(Params)]` writes the implementation from a struct's fields.

use crate::field::FieldKind;
use crate::route::Input;
use crate::{EngineError, Field, RawJson};

/// Where a parameter comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamSource {
    /// A capture of the route's pattern.
    Path,
    /// A member of the JSON body or form, or of the query where there is no body.
    Body,
}

/// One parameter as documentation and OpenAPI show it.
#[derive(Clone, Copy, Debug)]
pub struct FieldSpec {
    pub name: &'static str,
    pub kind: FieldKind,
    pub source: ParamSource,
    pub help: &'static str,
    pub required: bool,
    /// The name that the parameter has today, if this is one it had before. Both are taken; policy takes them for one.
    pub older_name_of: Option<&'static str>,
}

impl FieldSpec {
    const NONE: Self = Self {
        name: "",
        kind: FieldKind::Any,
        source: ParamSource::Body,
        help: "",
        required: false,
        older_name_of: None,
    };

    /// What the parameter is called today.
    pub fn present_name(&self) -> &'static str {
        self.older_name_of.unwrap_or(self.name)
    }

    /// All of them in a row; `N` is their number. For the derive.
    pub const fn joined<const N: usize>(lists: &[&[Self]]) -> [Self; N] {
        let mut all = [Self::NONE; N];
        let (mut list, mut at, mut to) = (0, 0, 0);
        while list < lists.len() {
            if at < lists[list].len() {
                all[to] = lists[list][at];
                (at, to) = (at + 1, to + 1);
            } else {
                (list, at) = (list + 1, 0);
            }
        }
        all
    }
}

/// The parameters of a handler.
pub trait Params: Sized + Send + 'static {
    const FIELDS: &'static [FieldSpec];
    /// The whole body is the user's data: no name in it is unknown.
    const FREE_FORM: bool = false;

    /// # Errors
    /// [`EngineError::BadRequest`] names the field, never the value.
    fn from_input(input: &Input) -> Result<Self, EngineError>;
}

/// For handlers without parameters.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoParams;

impl Params for NoParams {
    const FIELDS: &'static [FieldSpec] = &[];

    fn from_input(_: &Input) -> Result<Self, EngineError> {
        Ok(Self)
    }
}

/// The whole input, for handlers with free-form bodies.
impl Params for Input {
    const FIELDS: &'static [FieldSpec] = &[];
    const FREE_FORM: bool = true;

    fn from_input(input: &Input) -> Result<Self, EngineError> {
        Ok(input.clone())
    }
}

/// Reads one field as it was sent; `None` if it was not. What the derive calls. A capture of the path beats a body
/// member of the same name.
///
/// # Errors
/// The value has none of the accepted forms.
pub fn read_field<T: Field>(input: &Input, name: &str, source: ParamSource) -> Result<Option<T>, EngineError> {
    let from_path = (source == ParamSource::Path).then(|| input.captures.get(name)).flatten();
    let raw = match (from_path, input.body.get(name)) {
        (Some(text), _) => RawJson::of(text).map_err(|_| EngineError::internal("a path could not be read"))?,
        (None, Some(raw)) => raw.clone(),
        (None, None) => return Ok(None),
    };
    T::decode(&raw).map(Some).map_err(|why| {
        EngineError::bad(format!("Field validation failed: error converting input for field \"{name}\": {why}"))
    })
}

/// The refusal of a field that has to be sent.
pub fn missing_field(name: &str) -> EngineError {
    EngineError::bad(format!("missing required field \"{name}\""))
}
