//! `status`, and how a seal status is shown.

use bulla_client::{Json, Leader, Request, SealStatus};

use crate::{
    command::{Command, Kind, Run},
    context::Ctx,
    failure::{Done, Failure, said},
    output,
};

pub static COMMANDS: &[Command] = &[Command {
    name: "status",
    args: "",
    about: "Show whether the server is initialised and sealed",
    help: "Exit code 0 if it is unsealed, 2 if it is sealed, 1 if it cannot be told.",
    words: (0, 0),
    flags: &[],
    kind: Kind::Format,
    run: Run::Here(status),
}];

fn status(ctx: &mut Ctx) -> Done {
    ctx.dry_run(&Request::get("sys/seal-status"))?;
    let status = ctx.quietly(async |client| client.seal_status().await)?;
    let status = status.map_err(|e| Failure::local(format!("Error checking seal status: {}", said(&e))))?;
    show(ctx, &status)?;
    Ok(if status.sealed { 2 } else { 0 })
}

/// Shows a seal status together with who leads.
pub fn show(ctx: &mut Ctx, status: &SealStatus) -> Done {
    let leader = match ctx.quietly(async |client| client.leader().await)? {
        Ok(leader) => leader,
        // A sealed node of a cluster cannot say who leads.
        Err(e) if e.status() == Some(503) => Leader { ha_enabled: true, ..Leader::default() },
        Err(e) => return Err(Failure::local(format!("Error checking leader status: {}", said(&e)))),
    };
    if ctx.is_table() {
        let text = output::table(&["Key", "Value"], &rows(status, &leader));
        ctx.ui.say(&text);
        return Ok(0);
    }
    ctx.show_json(&json(status, &leader))
}

fn rows(status: &SealStatus, leader: &Leader) -> Vec<[String; 2]> {
    let mut rows = Vec::new();
    let mut row = |key: &str, value: String| rows.push([key.to_owned(), value]);
    row("Seal Type", status.kind.clone());
    if status.recovery_seal {
        row("Recovery Seal Type", status.recovery_seal_type.clone());
    }
    row("Initialized", status.initialized.to_string());
    row("Sealed", status.sealed.to_string());
    row(if status.recovery_seal { "Total Recovery Shares" } else { "Total Shares" }, status.n.to_string());
    row("Threshold", status.t.to_string());
    if status.sealed {
        row("Unseal Progress", format!("{}/{}", status.progress, status.t));
        row("Unseal Nonce", status.nonce.clone());
    }
    if status.migration {
        row("Seal Migration in Progress", "true".to_owned());
    }
    for (key, value) in [
        ("Version", &status.version),
        ("Commit Date", &status.commit_date),
        ("Build Date", &status.build_date),
        ("Storage Type", &status.storage_type),
    ] {
        if !value.is_empty() {
            row(key, value.clone());
        }
    }
    if !status.cluster_name.is_empty() && !status.cluster_id.is_empty() {
        row("Cluster Name", status.cluster_name.clone());
        row("Cluster ID", status.cluster_id.clone());
    }
    row("HA Enabled", leader.ha_enabled.to_string());
    if leader.ha_enabled && !status.sealed {
        row("HA Cluster", leader.leader_cluster_address.clone());
        row("HA Mode", if leader.is_self { "active" } else { "standby" }.to_owned());
        if leader.is_self && is_time(&leader.active_time) {
            row("Active Since", leader.active_time.clone());
        } else if !leader.is_self && !leader.leader_address.is_empty() {
            row("Active Node Address", leader.leader_address.clone());
        }
    }
    for (key, value) in
        [("Raft Committed Index", leader.raft_committed_index), ("Raft Applied Index", leader.raft_applied_index)]
    {
        if value > 0 {
            row(key, value.to_string());
        }
    }
    rows
}

fn json(status: &SealStatus, leader: &Leader) -> Json {
    let mut json = Json::object([
        ("type", Json::text(&status.kind)),
        ("initialized", Json::Bool(status.initialized)),
        ("sealed", Json::Bool(status.sealed)),
        ("t", Json::int(status.t)),
        ("n", Json::int(status.n)),
        ("progress", Json::int(status.progress)),
        ("nonce", Json::text(&status.nonce)),
        ("version", Json::text(&status.version)),
        ("commit_date", Json::text(&status.commit_date)),
        ("migration", Json::Bool(status.migration)),
    ]);
    let mut add = |name: &str, value: Json, present: bool| {
        if present {
            json.set(name, value);
        }
    };
    let text = |value: &String| (Json::text(value), !value.is_empty());
    for (name, value) in [("cluster_name", &status.cluster_name), ("cluster_id", &status.cluster_id)] {
        let (value, present) = text(value);
        add(name, value, present);
    }
    add("recovery_seal", Json::Bool(status.recovery_seal), true);
    for (name, value) in [("recovery_seal_type", &status.recovery_seal_type), ("storage_type", &status.storage_type)] {
        let (value, present) = text(value);
        add(name, value, present);
    }
    add("build_date", Json::text(&status.build_date), true);
    add("ha_enabled", Json::Bool(leader.ha_enabled), true);
    add("is_self", Json::Bool(true), leader.is_self);
    add("active_time", Json::text(&leader.active_time), is_time(&leader.active_time));
    for (name, value) in
        [("leader_address", &leader.leader_address), ("leader_cluster_address", &leader.leader_cluster_address)]
    {
        let (value, present) = text(value);
        add(name, value, present);
    }
    for (name, value) in
        [("raft_committed_index", leader.raft_committed_index), ("raft_applied_index", leader.raft_applied_index)]
    {
        add(name, Json::int(value), value > 0);
    }
    json
}

fn is_time(text: &str) -> bool {
    !text.is_empty() && !text.starts_with("0001-")
}
