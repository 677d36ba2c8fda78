//! What a mount may be called and where it may lie. Asked where a mount is made or moved; those that are there already can
//! be read, tuned and disabled whatever they are called.

use bulla_kit::EngineError;
use bulla_records::MountClass;
use bulla_types::{MountPath, is_unseen};

/// A name reads in a policy as it reads here: it holds nothing that a rule takes for a pattern or a template, and nothing
/// that a person does not see.
pub(super) fn check_name(path: &MountPath) -> Result<(), EngineError> {
    let text = path.as_str();
    let why = if text.contains(['*', '+']) {
        "'*' and '+' are wildcards of policies"
    } else if text.contains("{{") || text.contains("}}") {
        "'{{' and '}}' are templates of policies"
    } else if text.chars().any(is_unseen) || text.split('/').any(|part| part != part.trim()) {
        "it holds what cannot be seen"
    } else {
        return Ok(());
    };
    Err(EngineError::bad(format!("invalid mount path {text:?}: {why}")))
}

/// Places where no engine may go, and types that are the server's own.
pub(super) fn check_place(path: &MountPath, kind: &str, class: MountClass) -> Result<(), EngineError> {
    let text = path.as_str();
    if class == MountClass::Auth {
        if kind == "token" && text != "auth/token/" {
            return Err(EngineError::bad("token credential backend cannot be instantiated"));
        }
        return Ok(());
    }
    let reserved = ["auth/", "sys/", "audit/", "cubbyhole/", "identity/"];
    if reserved.iter().any(|r| text.starts_with(r)) {
        return Err(EngineError::bad(format!("cannot mount {text:?}")));
    }
    if matches!(kind, "system" | "identity" | "cubbyhole" | "token") {
        return Err(EngineError::bad(format!("mount type of {kind:?} is not mountable")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::testing::Server;
    use crate::{CoreConfig, ErrorKind};
    use serde_json::json;

    /// Each is refused in every place a mount can get a name; a rule about it would be about others or be misread.
    const BAD: [&str; 27] = [
        "*",
        "a*",
        "*a",
        "a/*",
        "a*/b",
        "+",
        "a/+",
        "+/a",
        "a+b",
        "{{x}}",
        "a/{{identity.entity.id}}",
        "a}}",
        "{{a",
        "a\u{200b}",
        "\u{202e}a",
        "a\u{2066}b",
        "a\u{2069}",
        "\u{200f}a",
        "a\u{61c}",
        "\u{feff}a",
        "a\u{ad}b",
        "a\u{a0}b",
        "a\u{2028}b",
        "a ",
        " a",
        "a/ b/c",
        "a\u{e0061}b",
    ];
    const CONTROL: [&str; 5] = ["a\u{0}b", "a\nb", "a\tb", "\u{1b}[2Ja", "a\u{85}b"];

    #[test]
    fn names_are_read_as_they_are_seen() {
        for name in BAD {
            assert!(check_name(&MountPath::parse(name).unwrap()).is_err(), "{name:?}");
            assert!(check_name(&MountPath::parse(&format!("auth/{name}")).unwrap()).is_err(), "{name:?}");
        }
        for name in CONTROL {
            assert!(MountPath::parse(name).is_err(), "{name:?}");
        }
        for name in [
            "a",
            "deep/er/est",
            "Mixed_Case-1.2",
            "with space",
            "{a}",
            "a}{b",
            "ключи",
            "秘密",
            "clé",
            "a@b:c~!$&'(),;=",
        ] {
            assert!(check_name(&MountPath::parse(name).unwrap()).is_ok(), "{name:?}");
        }
    }

    #[tokio::test]
    async fn no_mount_gets_a_name_that_policies_read_otherwise() {
        let server = Server::start(1, 1, CoreConfig::default()).await;
        for path in ["sys/mounts/good", "sys/mounts/good2"] {
            server.write(path, json!({ "type": "box" })).await.ok();
        }
        for name in BAD {
            for folder in ["sys/mounts", "sys/auth"] {
                let told = server.write(&format!("{folder}/{name}"), json!({ "type": "box" })).await;
                assert_eq!(told.refused, Some(ErrorKind::BadRequest), "{folder}/{name:?}");
                assert!(told.error().contains("invalid mount path"), "{folder}/{name:?}: {}", told.error());
            }
            let told = server.write("sys/remount", json!({ "from": "good", "to": name })).await;
            assert_eq!(told.refused, Some(ErrorKind::BadRequest), "remount to {name:?}");
            assert!(told.error().contains("invalid mount path"), "remount to {name:?}: {}", told.error());
        }
        for name in CONTROL {
            let told = server.write("sys/remount", json!({ "from": "good", "to": name })).await;
            assert_eq!(told.error(), "control characters are not allowed in paths", "remount to {name:?}");
        }
        let mounts = server.read("sys/mounts").await.ok();
        assert_eq!(mounts.as_object().unwrap().len(), 5, "{mounts}");
    }
}
