mod common;
use common::Story;
use serde_json::Value;
use bulla_types::{Seconds, clean_path};
fn matches(exp: &Value, got: &Value) -> bool {
    match (exp, got) {
        (Value::String(s), g) if s.starts_with('<') && s.ends_with('>') => match s.as_str() {
            "<time>" => g.as_str().is_some_and(|t| t.ends_with('Z')), "<object>" => g.is_object(), "<list>" => g.is_array(), "<int>" => g.is_u64(), _ => true },
        (Value::Object(e), Value::Object(g)) => e.iter().all(|(k, v)| g.get(k).is_some_and(|x| matches(v, x))),
        (Value::Array(e), Value::Array(g)) => e.len() == g.len() && e.iter().zip(g).all(|(a, b)| matches(a, b)),
        (a, b) => a == b || (a.is_number() && b.is_number() && a.as_f64() == b.as_f64()),
    }
}
fn decode(p: &str) -> String {
    let b = p.as_bytes(); let mut o = vec![]; let mut i = 0;
    while i < b.len() { if b[i] == b'%' { o.push(u8::from_str_radix(&p[i+1..i+3], 16).unwrap()); i += 3 } else { o.push(b[i]); i += 1 } }
    String::from_utf8(o).unwrap()
}
#[test]
fn scenarios() {
    let mut bad = 0; let mut steps = 0;
    for area in ["kv1", "kv2"] {
        let mut files: Vec<_> = std::fs::read_dir(format!("/work/shared/conformance/scenarios/{area}")).unwrap().map(|e| e.unwrap().path()).collect();
        files.sort();
        for f in files {
            let s: Value = serde_json::from_str(&std::fs::read_to_string(&f).unwrap()).unwrap();
            let name = s["name"].as_str().unwrap();
            let mut story = if area == "kv1" { Story::v1() } else { Story::v2() };
            for step in s["steps"].as_array().unwrap() {
                if let Some(t) = step["sleep"].as_f64() { story.bench.advance(Seconds(t.ceil() as u64)); continue }
                story.bench.now = story.bench.now.plus_nanos(1_000_003);
                let call = step["call"].as_str().unwrap();
                if call.contains("upgrade") || call.contains("/sys/") || call.contains("/auth/") { continue }
                if step["expect"]["status"] == 403 || step["expect"]["status"] == 415 { continue }
                let (verb, path) = call.split_once(' ').unwrap();
                let path = path.strip_prefix("/v1/").unwrap();
                let (path, query) = path.split_once('?').unwrap_or((path, ""));
                let mut rest = ["secret", "kv", "team/one/kv", "one", "deep/two"].iter().find_map(|m| path.strip_prefix(m).filter(|r| r.is_empty() || r.starts_with('/'))).unwrap_or("").trim_start_matches('/').to_owned();
                rest = decode(&rest);
                let mut verb = verb.to_owned();
                let q: Vec<&str> = query.split('&').filter(|q| *q != "list=true" && *q != "scan=true").collect();
                if query.contains("list=true") { verb = "LIST".into() } if query.contains("scan=true") { verb = "SCAN".into() }
                if verb == "LIST" || verb == "SCAN" { if !rest.is_empty() && !rest.ends_with('/') { rest.push('/') } }
                let _ = clean_path(&rest);
                let body = if step["body"].is_null() { step["raw"].as_str().unwrap_or("").to_owned() } else { step["body"].to_string() };
                let told = story.tell(&format!("{verb} {rest}?{}", q.join("&")), &body);
                steps += 1;
                let want = &step["expect"];
                let mut ok = want["status"].as_u64() == Some(told.status.into());
                if want["body"]["data"].is_object() || told.status == 200 { ok &= matches(&want["body"]["data"], &told.data); }
                if ok && want["body"]["warnings"].is_array() != (told.warnings > 0) { println!("warnings? {name} {call}"); }
                if area == "kv1" && told.status == 200 && verb == "GET" { if let Some(d) = want["body"]["lease_duration"].as_u64() { if told.lease != Some(d) { println!("lease {name} {call} {:?}", told.lease); } } }
                if !ok { bad += 1; println!("{name}: {call} {body:.200}\n   want {} {}\n   got {} {} {}", want["status"], want["body"], told.status, told.data, told.text); }
            }
        }
    }
    println!("{steps} steps, {bad} bad");
}
