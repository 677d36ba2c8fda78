//! The shared fields as they are kept with a user or role, checked as a whole after each write.

use crate::address::networks_of;
use crate::params::{OldNames, TokenParams};
use bulla_kit::{EngineError, TokenKind, TokenLimits};
use bulla_types::{Network, PolicyName, Seconds};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The kind of token as it is stored and shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenType {
    #[default]
    Default,
    Service,
    Batch,
}

/// A value that clients may give by an older name. What was given by the older one is shown under both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Renamed<T> {
    value: T,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    by_old_name: bool,
}

/// What the tokens of one user or role look like.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TokenFields {
    pub bound_cidrs: Renamed<Vec<Network>>,
    pub strictly_bind_ip: bool,
    pub explicit_max_ttl: Option<Seconds>,
    pub max_ttl: Renamed<Option<Seconds>>,
    pub no_default_policy: bool,
    pub num_uses: Renamed<Option<u32>>,
    pub period: Renamed<Option<Seconds>>,
    pub policies: Renamed<Vec<PolicyName>>,
    pub ttl: Renamed<Option<Seconds>>,
    pub kind: TokenType,
}

impl TokenType {
    /// # Errors
    /// No kind that a method can ask for.
    pub fn parse(word: &str) -> Result<Self, EngineError> {
        match word {
            "" | "default" => Ok(Self::Default),
            "service" => Ok(Self::Service),
            "batch" => Ok(Self::Batch),
            _ => Err(EngineError::bad(format!("invalid 'token_type' value {word:?}"))),
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Service => "service",
            Self::Batch => "batch",
        }
    }
}

impl<T> Renamed<T> {
    pub fn value(&self) -> &T {
        &self.value
    }

    /// The present name wins; neither sent leaves the value.
    ///
    /// # Errors
    /// `read`'s.
    pub fn set<S>(
        &mut self,
        new: Option<S>,
        old: Option<S>,
        read: impl FnOnce(S) -> Result<T, EngineError>,
    ) -> Result<(), EngineError> {
        let by_old_name = new.is_none();
        if let Some(sent) = new.or(old) {
            *self = Self { value: read(sent)?, by_old_name };
        }
        Ok(())
    }

    /// Puts `name` into an answer, and `old` if it was given by it.
    pub fn show(&self, into: &mut Map<String, Value>, name: &str, old: &str, show: impl Fn(&T) -> Value) {
        into.insert(name.to_owned(), show(&self.value));
        if self.by_old_name {
            into.insert(old.to_owned(), show(&self.value));
        }
    }
}

impl TokenFields {
    /// Takes over what was sent and checks the whole.
    ///
    /// # Errors
    /// [`EngineError::BadRequest`]; `self` is to be thrown away then.
    pub fn apply(&mut self, sent: TokenParams, old: OldNames) -> Result<(), EngineError> {
        self.bound_cidrs.set(sent.token_bound_cidrs, old.bound_cidrs, |list| networks_of(&list.0))?;
        self.strictly_bind_ip = sent.token_strictly_bind_ip.unwrap_or(self.strictly_bind_ip);
        if let Some(ttl) = sent.token_explicit_max_ttl {
            self.explicit_max_ttl = span(ttl);
        }
        self.max_ttl.set(sent.token_max_ttl, old.max_ttl, |ttl| Ok(span(ttl)))?;
        self.no_default_policy = sent.token_no_default_policy.unwrap_or(self.no_default_policy);
        self.period.set(sent.token_period, old.period, |period| Ok(span(period)))?;
        self.policies.set(sent.token_policies, old.policies, |list| policies_of(&list.0))?;
        self.ttl.set(sent.token_ttl, old.ttl, |ttl| Ok(span(ttl)))?;
        self.num_uses.set(sent.token_num_uses, old.num_uses, |number| uses("'token_num_uses'", number))?;
        if let Some(word) = &sent.token_type {
            self.kind = TokenType::parse(word)?;
        }
        self.check()
    }

    fn check(&self) -> Result<(), EngineError> {
        let refuse = |text: &str| Err(EngineError::bad(text));
        if self.strictly_bind_ip && !self.bound_cidrs.value.is_empty() {
            return refuse("'token_strictly_bind_ip' and 'token_bound_cidrs' cannot both be set");
        }
        if let (Some(ttl), Some(max_ttl)) = (self.ttl.value, self.max_ttl.value)
            && ttl > max_ttl
        {
            return refuse("'token_ttl' cannot be greater than 'token_max_ttl'");
        }
        let batch = self.kind == TokenType::Batch;
        if batch && self.period.value.is_some() {
            return refuse("'token_type' cannot be 'batch' or 'default_batch' when set to generate periodic tokens");
        }
        if batch && self.num_uses.value.is_some() {
            return refuse(
                "'token_type' cannot be 'batch' or 'default_batch' when set to generate tokens with limited use count",
            );
        }
        Ok(())
    }

    /// Puts all of them into the answer of a read.
    pub fn describe(&self, into: &mut Map<String, Value>) {
        let time = |ttl: &Option<Seconds>| json!(ttl.map_or(0, |t| t.0));
        let nets = |nets: &Vec<Network>| nets.iter().map(ToString::to_string).collect::<Vec<_>>().into();
        self.bound_cidrs.show(into, "token_bound_cidrs", "bound_cidrs", nets);
        into.insert("token_strictly_bind_ip".into(), self.strictly_bind_ip.into());
        into.insert("token_explicit_max_ttl".into(), time(&self.explicit_max_ttl));
        self.max_ttl.show(into, "token_max_ttl", "max_ttl", time);
        into.insert("token_no_default_policy".into(), self.no_default_policy.into());
        self.num_uses.show(into, "token_num_uses", "num_uses", |n| json!(n.unwrap_or(0)));
        self.period.show(into, "token_period", "period", time);
        self.policies.show(into, "token_policies", "policies", |names| json!(names));
        self.ttl.show(into, "token_ttl", "ttl", time);
        into.insert("token_type".into(), self.kind.word().into());
    }

    pub fn limits(&self) -> TokenLimits {
        TokenLimits {
            ttl: self.ttl.value,
            max_ttl: self.max_ttl.value,
            explicit_max_ttl: self.explicit_max_ttl,
            period: self.period.value,
            uses: self.num_uses.value,
            bound_cidrs: self.bound_cidrs.value.clone(),
            strictly_bind_ip: self.strictly_bind_ip,
            no_default_policy: self.no_default_policy,
            kind: match self.kind {
                TokenType::Default => TokenKind::MountDefault,
                TokenType::Service => TokenKind::Service,
                TokenType::Batch => TokenKind::Batch,
            },
        }
    }
}

/// A duration as clients send it: 0 is none.
pub fn span(sent: Seconds) -> Option<Seconds> {
    Some(sent).filter(|span| !span.is_zero())
}

/// A number of uses as clients send it: 0 is any number.
///
/// # Errors
/// Negative, or beyond 32 bits.
pub fn uses(field: &str, number: i64) -> Result<Option<u32>, EngineError> {
    match u32::try_from(number) {
        Ok(0) => Ok(None),
        Ok(number) => Ok(Some(number)),
        Err(_) if number < 0 => Err(EngineError::bad(format!("{field} cannot be negative"))),
        Err(_) => Err(EngineError::bad(format!("{field} cannot be greater than {}", u32::MAX))),
    }
}

/// Names in one spelling, sorted, each once; empty items do not count.
///
/// # Errors
/// One is no name of a policy, or `root`, which no method hands out: not kept either, in any spelling.
pub fn policies_of(list: &[String]) -> Result<Vec<PolicyName>, EngineError> {
    let texts = list.iter().filter(|text| !text.trim().is_empty());
    let parse = |text: &String| PolicyName::parse(text).map_err(|e| EngineError::bad(format!("policy {text:?}: {e}")));
    let mut names = texts.map(parse).collect::<Result<Vec<_>, _>>()?;
    if names.iter().any(PolicyName::is_root) {
        return Err(EngineError::bad("policies cannot contain root"));
    }
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

/// The same policies, whatever the order; `default` does not count, the token may have it anyway.
pub fn same_policies(a: &[PolicyName], b: &[PolicyName]) -> bool {
    let sorted = |names: &[PolicyName]| {
        let mut names: Vec<_> = names.iter().filter(|n| **n != PolicyName::default_policy()).cloned().collect();
        names.sort_unstable();
        names.dedup();
        names
    };
    sorted(a) == sorted(b)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use bulla_kit::{CommaList, Input, Params};

    fn list(text: &str) -> Option<CommaList> {
        Some(CommaList(text.split(',').map(str::to_owned).collect()))
    }

    fn refused(sent: TokenParams) -> String {
        TokenFields::default().apply(sent, OldNames::default()).unwrap_err().to_string()
    }

    fn shown(fields: &TokenFields) -> Value {
        let mut map = Map::new();
        fields.describe(&mut map);
        Value::Object(map)
    }

    #[test]
    fn nothing_sent_is_nothing_set() {
        let mut fields = TokenFields::default();
        fields.apply(TokenParams::default(), OldNames::default()).unwrap();
        assert_eq!(fields, TokenFields::default());
        let expected = json!({
            "token_bound_cidrs": [], "token_explicit_max_ttl": 0, "token_max_ttl": 0, "token_no_default_policy": false,
            "token_num_uses": 0, "token_period": 0, "token_policies": [], "token_strictly_bind_ip": false,
            "token_ttl": 0, "token_type": "default"
        });
        assert_eq!(shown(&fields), expected);
    }

    #[test]
    fn everything_is_shown_stored_and_handed_to_the_token() {
        let mut fields = TokenFields::default();
        let sent = TokenParams {
            token_bound_cidrs: list("127.0.0.1/32,10.0.0.0/8"),
            token_explicit_max_ttl: Some(Seconds(7200)),
            token_max_ttl: Some(Seconds(3600)),
            token_no_default_policy: Some(true),
            token_num_uses: Some(5),
            token_period: Some(Seconds(1800)),
            token_policies: list("Two,three, two,"),
            token_ttl: Some(Seconds(3600)),
            token_type: Some("service".into()),
            token_strictly_bind_ip: None,
        };
        fields.apply(sent, OldNames::default()).unwrap();
        let expected = json!({
            "token_bound_cidrs": ["127.0.0.1", "10.0.0.0/8"], "token_explicit_max_ttl": 7200, "token_max_ttl": 3600,
            "token_no_default_policy": true, "token_num_uses": 5, "token_period": 1800,
            "token_policies": ["three", "two"], "token_strictly_bind_ip": false, "token_ttl": 3600,
            "token_type": "service"
        });
        assert_eq!(shown(&fields), expected);
        let again: TokenFields = serde_json::from_str(&serde_json::to_string(&fields).unwrap()).unwrap();
        assert_eq!(again, fields);
        let limits = fields.limits();
        assert_eq!((limits.ttl, limits.max_ttl), (Some(Seconds(3600)), Some(Seconds(3600))));
        assert_eq!((limits.explicit_max_ttl, limits.period), (Some(Seconds(7200)), Some(Seconds(1800))));
        assert_eq!((limits.uses, limits.kind, limits.no_default_policy), (Some(5), TokenKind::Service, true));
        assert_eq!(limits.bound_cidrs.len(), 2);
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        let none = TokenParams::default;
        let batch = || Some("batch".to_owned());
        for (sent, text) in [
            (
                TokenParams { token_ttl: Some(Seconds(61)), token_max_ttl: Some(Seconds(60)), ..none() },
                "'token_ttl' cannot be greater than 'token_max_ttl'",
            ),
            (TokenParams { token_type: Some("robot".into()), ..none() }, "invalid 'token_type' value \"robot\""),
            (TokenParams { token_type: Some("default-service".into()), ..none() }, "invalid 'token_type' value"),
            (TokenParams { token_type: batch(), token_num_uses: Some(1), ..none() }, "limited use count"),
            (TokenParams { token_type: batch(), token_period: Some(Seconds(1)), ..none() }, "periodic tokens"),
            (TokenParams { token_num_uses: Some(-1), ..none() }, "'token_num_uses' cannot be negative"),
            (TokenParams { token_num_uses: Some(1 << 32), ..none() }, "cannot be greater than 4294967295"),
            (TokenParams { token_bound_cidrs: list("nonsense"), ..none() }, "error parsing address \"nonsense\""),
            (
                TokenParams { token_bound_cidrs: list("::1"), token_strictly_bind_ip: Some(true), ..none() },
                "cannot both be set",
            ),
            (TokenParams { token_policies: list("a,../b"), ..none() }, "policy \"../b\""),
        ] {
            assert!(refused(sent).contains(text), "{text}");
        }
        let most = TokenParams { token_num_uses: Some(i64::from(u32::MAX)), ..none() };
        assert!(TokenFields::default().apply(most, OldNames::default()).is_ok());
    }

    /// ID-02: `root` was looked for before names were put into one spelling.
    #[test]
    fn id_02_no_spelling_of_root_is_kept() {
        for root in ["root", "rooT", "ROOT", "root ", " root", "root\u{200b}", "ｒｏｏｔ", "a,root"] {
            let old = OldNames { policies: list(root), ..OldNames::default() };
            let new = TokenParams { token_policies: list(root), ..TokenParams::default() };
            for (new, old) in [(new, OldNames::default()), (TokenParams::default(), old)] {
                let told = TokenFields::default().apply(new, old);
                assert!(matches!(told, Err(EngineError::BadRequest(_))), "{root:?}");
            }
        }
        assert!(policies_of(&list("roots,a").unwrap().0).is_ok());
    }

    #[test]
    fn zero_and_empty_take_a_limit_away() {
        let mut fields = TokenFields::default();
        let sent = TokenParams {
            token_ttl: Some(Seconds(60)),
            token_max_ttl: Some(Seconds(60)),
            token_num_uses: Some(1),
            token_bound_cidrs: list("::1"),
            ..TokenParams::default()
        };
        fields.apply(sent, OldNames::default()).unwrap();
        let zeros = TokenParams {
            token_ttl: Some(Seconds(0)),
            token_max_ttl: Some(Seconds(0)),
            token_num_uses: Some(0),
            token_bound_cidrs: Some(CommaList::default()),
            ..TokenParams::default()
        };
        fields.apply(zeros, OldNames::default()).unwrap();
        assert_eq!(fields, TokenFields::default());
    }

    #[test]
    fn older_names_show_until_the_new_one_is_used() {
        let mut fields = TokenFields::default();
        let old = OldNames { policies: list("one"), ttl: Some(Seconds(5)), ..OldNames::default() };
        fields.apply(TokenParams::default(), old).unwrap();
        let data = shown(&fields);
        assert_eq!((&data["policies"], &data["token_policies"]), (&json!(["one"]), &json!(["one"])));
        assert_eq!((&data["ttl"], &data["token_ttl"], data.get("max_ttl")), (&json!(5), &json!(5), None));
        let new = TokenParams { token_policies: list("two"), ..TokenParams::default() };
        fields.apply(new, OldNames { policies: list("three"), ..OldNames::default() }).unwrap();
        let data = shown(&fields);
        assert_eq!((data.get("policies"), &data["token_policies"]), (None, &json!(["two"])));
        assert_eq!(data["ttl"], 5, "what was not sent stays");
    }

    #[test]
    fn numbers_of_uses() {
        let of = |number| uses("n", number).map_err(|e| e.to_string());
        assert_eq!((of(0), of(1), of(i64::from(u32::MAX))), (Ok(None), Ok(Some(1)), Ok(Some(u32::MAX))));
        assert_eq!(of(-1), Err("n cannot be negative".into()));
        assert_eq!(of(1 << 32), Err("n cannot be greater than 4294967295".into()));
    }

    #[test]
    fn policies_are_the_same_in_any_order_and_without_default() {
        let names = |text: &str| policies_of(&list(text).unwrap().0).unwrap();
        assert!(same_policies(&names("a,b"), &names("b,a,default")));
        assert!(!same_policies(&names("a,b"), &names("a")));
        assert!(!same_policies(&names("a"), &names("a,b")));
        assert!(same_policies(&[], &names("default")));
    }

    /// The derive puts the shared parameters beside a handler's own.
    #[test]
    fn shared_parameters_are_read_and_documented_with_a_handlers_own() {
        #[derive(Params)]
        struct Own {
            /// Its own.
            own: String,
            #[param(flatten)]
            token: TokenParams,
        }
        let names: Vec<&str> = Own::FIELDS.iter().map(|f| f.name).collect();
        assert_eq!(names.len(), 11);
        assert_eq!((names[0], names[1], names[10]), ("own", "token_bound_cidrs", "token_type"));
        let body =
            bulla_kit::Body::parse(br#"{"own":"x","token_ttl":"5m"}"#, &bulla_kit::BodyLimits::default()).unwrap();
        let input = Input {
            operation: bulla_types::Operation::Update,
            path: String::new(),
            captures: bulla_kit::Captures::default(),
            body: std::sync::Arc::new(body),
        };
        let read = Own::from_input(&input).unwrap();
        assert_eq!((read.own.as_str(), read.token.token_ttl), ("x", Some(Seconds(300))));
    }
}
