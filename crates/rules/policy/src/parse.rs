//! Policy text to rules. Error texts that clients see are kept from upstream.

use crate::filter::KeyFilter;
use crate::parameters::{NamedValues, ParameterRules};
use crate::pattern::Pattern;
use crate::policy::{Grant, Options, Policy, Rule};
use crate::template::Template;
use bulla_hcl::{Block, Duplicates, Kind, Object, Value as Hcl, check_keys};
use bulla_types::{Capabilities, Capability, PolicyName, Seconds, Time, parse_duration};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;

/// Why a text is no policy. Clients are shown the text as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    #[error("failed to parse policy: {0}")]
    Syntax(bulla_hcl::ParseError),
    #[error("failed to parse policy: {0}")]
    UnknownKeys(bulla_hcl::UnknownKeys),
    /// A key holds something it must not hold.
    #[error("failed to parse policy: path {path:?}: {problem}")]
    Rule { path: String, problem: String },
    /// As `Rule`, where upstream's text does not name the path.
    #[error("failed to parse policy: {0}")]
    Value(String),
}

const TOP_KEYS: [&str; 2] = ["name", "path"];

const RULE_KEYS: [&str; 12] = [
    "comment",
    "policy",
    "capabilities",
    "allowed_parameters",
    "denied_parameters",
    "required_parameters",
    "min_wrapping_ttl",
    "max_wrapping_ttl",
    "mfa_methods",
    "expiration",
    "pagination_limit",
    "list_scan_response_keys_filter_path",
];

impl Policy {
    /// Parses HCL or JSON.
    ///
    /// # Errors
    /// [`PolicyError`]: syntax, unknown keys, keys or paths that are given twice, values that make no sense.
    pub fn parse(name: PolicyName, text: &str, options: Options) -> Result<Self, PolicyError> {
        let document = bulla_hcl::parse_with(text, Duplicates::Refuse).map_err(PolicyError::Syntax)?;
        check_keys(&document.body, &TOP_KEYS, "").map_err(PolicyError::UnknownKeys)?;
        let blocks = document.body.blocks("path", 1).map_err(|e| PolicyError::Value(e.to_string()))?;
        let mut lines: HashMap<String, u32> = HashMap::new();
        let mut rules = Vec::with_capacity(blocks.len());
        for block in &blocks {
            let rule = parse_rule(block)?;
            // Two stanzas for one path would be merged; whoever reads only the first would be wrong about it.
            if let Some(first) = lines.insert(rule.path.source().to_owned(), block.pos.line) {
                let problem = format!("given twice, on line {first} and on line {}", block.pos.line);
                return Err(PolicyError::Rule { path: rule.path.source().to_owned(), problem });
            }
            rules.push(rule);
        }
        Ok(Self { name, options, rules })
    }
}

fn parse_rule(block: &Block<'_>) -> Result<Rule, PolicyError> {
    let written = block.labels.first().copied().unwrap_or_default();
    let body = block.body;
    let wrong = |problem: String| PolicyError::Rule { path: written.to_owned(), problem };
    let template = Template::parse(written.trim_start_matches('/')).map_err(|_| {
        PolicyError::Value("failed to validate policy templating: unbalanced templating characters".into())
    })?;
    check_keys(body, &RULE_KEYS, &format!("path {written:?}: ")).map_err(PolicyError::UnknownKeys)?;
    if body.value("mfa_methods").is_some() {
        // Silently leaving out a second factor would widen the rule.
        return Err(wrong("mfa_methods is not supported".into()));
    }
    Pattern::parse(template.source()).map_err(|_| wrong("invalid use of wildcards ('+*' is forbidden)".into()))?;
    let capabilities = capabilities(body).map_err(wrong)?;
    let expires = expiration(body)?;
    let grant = if capabilities.has(Capability::Deny) {
        Grant { capabilities: Capabilities::of(Capability::Deny), ..Grant::default() }
    } else {
        Grant {
            capabilities,
            parameters: ParameterRules {
                allowed: named_values(body, "allowed_parameters").map_err(wrong)?,
                denied: named_values(body, "denied_parameters").map_err(wrong)?,
                required: required(body).map_err(wrong)?,
            },
            page_limit: page_limit(body).map_err(wrong)?,
            key_filter: key_filter(body).map_err(wrong)?,
            ..wrapping(body)?
        }
    };
    Ok(Rule { path: template, grant: Arc::new(grant), expires })
}

fn capabilities(body: &Object) -> Result<Capabilities, String> {
    use Capability::{Create, Delete, Deny, List, Read, Sudo, Update};
    let legacy = body.string("policy").map_err(|e| e.to_string())?;
    let mut all: Capabilities = match legacy.as_deref() {
        None | Some("") => Capabilities::NONE,
        Some("deny") => Capabilities::of(Deny),
        Some("read") => [Read, List].into_iter().collect(),
        Some("write") => [Create, Read, Update, Delete, List].into_iter().collect(),
        Some("sudo") => [Create, Read, Update, Delete, List, Sudo].into_iter().collect(),
        Some(other) => return Err(format!("invalid policy {other:?}")),
    };
    for word in body.strings("capabilities").map_err(|e| e.to_string())?.unwrap_or_default() {
        all = all.with(Capability::parse(&word).ok_or_else(|| format!("invalid capability {word:?}"))?);
    }
    Ok(all)
}

fn expiration(body: &Object) -> Result<Option<Time>, PolicyError> {
    let wrong = |text: &str| PolicyError::Value(format!("error parsing expiration: {text}"));
    match body.string("expiration").map_err(|e| wrong(&e.to_string()))? {
        None => Ok(None),
        Some(text) if text.is_empty() => Ok(None),
        Some(text) => Time::parse_rfc3339(&text).map(Some).ok_or_else(|| wrong(&format!("{text:?} is not RFC 3339"))),
    }
}

/// The two limits of the wrapping lifetime, the rest empty.
fn wrapping(body: &Object) -> Result<Grant, PolicyError> {
    let min = wrap_nanos(body, "min_wrapping_ttl")?;
    let max = wrap_nanos(body, "max_wrapping_ttl")?;
    if min.zip(max).is_some_and(|(min, max)| max < min) {
        return Err(PolicyError::Value("max_wrapping_ttl cannot be less than min_wrapping_ttl".into()));
    }
    // Lifetimes are whole seconds; parts of one are rounded to the stricter side.
    Ok(Grant {
        min_wrap: min.map(|n| Seconds(n.div_ceil(Time::NANOS))),
        max_wrap: max.map(|n| Seconds(n / Time::NANOS)),
        ..Grant::default()
    })
}

/// Zero means that there is no such limit, as upstream.
fn wrap_nanos(body: &Object, key: &str) -> Result<Option<u64>, PolicyError> {
    let wrong = |problem: String| PolicyError::Value(format!("error parsing {key}: {problem}"));
    let Some(text) = body.string(key).map_err(|e| wrong(e.to_string()))? else {
        return Ok(None);
    };
    let nanos = parse_duration(&text).map_err(|e| wrong(e.to_string()))?;
    let nanos = u64::try_from(nanos).map_err(|_| wrong("cannot be negative".into()))?;
    Ok(Some(nanos).filter(|n| *n > 0))
}

fn page_limit(body: &Object) -> Result<Option<u64>, String> {
    match body.integer("pagination_limit").map_err(|e| e.to_string())? {
        None | Some(0) => Ok(None),
        Some(limit) => u64::try_from(limit).map(Some).map_err(|_| "pagination_limit cannot be negative".into()),
    }
}

fn key_filter(body: &Object) -> Result<Option<Arc<KeyFilter>>, String> {
    const KEY: &str = "list_scan_response_keys_filter_path";
    match body.string(KEY).map_err(|e| e.to_string())? {
        None => Ok(None),
        Some(text) if text.is_empty() => Ok(None),
        Some(text) => KeyFilter::parse(&text).map(|f| Some(Arc::new(f))).map_err(|e| format!("{KEY}: {e}")),
    }
}

fn required(body: &Object) -> Result<Vec<String>, String> {
    let mut names: Vec<String> = Vec::new();
    for name in body.strings("required_parameters").map_err(|e| e.to_string())?.unwrap_or_default() {
        let name = name.to_lowercase();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

fn named_values(body: &Object, key: &str) -> Result<NamedValues, String> {
    let mut out: NamedValues = Vec::new();
    let Some(object) = body.object(key).map_err(|e| e.to_string())? else {
        return Ok(out);
    };
    for item in &object.items {
        let name = item.name().to_lowercase();
        let Kind::List(elements) = &item.value.kind else {
            return Err(format!("{key}: {name:?} must be a list of values on line {}", item.pos().line));
        };
        if out.iter().any(|(n, _)| *n == name) {
            return Err(format!("{key}: {name:?} is given twice"));
        }
        let values = elements.iter().map(json).collect::<Option<Vec<_>>>();
        out.push((name, values.ok_or_else(|| format!("{key}: a number is out of range"))?));
    }
    Ok(out)
}

/// A value as it would come in a request.
fn json(value: &Hcl) -> Option<Value> {
    Some(match &value.kind {
        Kind::String(text) => Value::String(text.clone()),
        Kind::Bool(flag) => Value::Bool(*flag),
        Kind::Null => Value::Null,
        Kind::Number(text) => match value.integer() {
            Some(whole) => Value::from(whole),
            None => serde_json::from_str(text).ok()?,
        },
        Kind::List(elements) => Value::Array(elements.iter().map(json).collect::<Option<_>>()?),
        Kind::Object(object) => Value::Object(
            object.items.iter().map(|i| Some((i.name().to_owned(), json(&i.value)?))).collect::<Option<_>>()?,
        ),
    })
}
