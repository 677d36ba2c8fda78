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

/// Whether it is shown, its name, its value. The table and JSON have different orders and conditions; both are promises.
type Line<'a, T> = (bool, &'a str, T);

fn rows(status: &SealStatus, leader: &Leader) -> Vec<[String; 2]> {
    let has = |text: &String| !text.is_empty();
    let (recovery, sealed) = (status.recovery_seal, status.sealed);
    let in_cluster = has(&status.cluster_name) && has(&status.cluster_id);
    let (ha, active) = (leader.ha_enabled && !sealed, leader.is_self);
    let shares = if recovery { "Total Recovery Shares" } else { "Total Shares" };
    let lines: [Line<'_, String>; 22] = [
        (true, "Seal Type", status.kind.clone()),
        (recovery, "Recovery Seal Type", status.recovery_seal_type.clone()),
        (true, "Initialized", status.initialized.to_string()),
        (true, "Sealed", sealed.to_string()),
        (true, shares, status.n.to_string()),
        (true, "Threshold", status.t.to_string()),
        (sealed, "Unseal Progress", format!("{}/{}", status.progress, status.t)),
        (sealed, "Unseal Nonce", status.nonce.clone()),
        (status.migration, "Seal Migration in Progress", "true".to_owned()),
        (has(&status.version), "Version", status.version.clone()),
        (has(&status.commit_date), "Commit Date", status.commit_date.clone()),
        (has(&status.build_date), "Build Date", status.build_date.clone()),
        (has(&status.storage_type), "Storage Type", status.storage_type.clone()),
        (in_cluster, "Cluster Name", status.cluster_name.clone()),
        (in_cluster, "Cluster ID", status.cluster_id.clone()),
        (true, "HA Enabled", leader.ha_enabled.to_string()),
        (ha, "HA Cluster", leader.leader_cluster_address.clone()),
        (ha, "HA Mode", if active { "active" } else { "standby" }.to_owned()),
        (ha && active && is_time(&leader.active_time), "Active Since", leader.active_time.clone()),
        (ha && !active && has(&leader.leader_address), "Active Node Address", leader.leader_address.clone()),
        (leader.raft_committed_index > 0, "Raft Committed Index", leader.raft_committed_index.to_string()),
        (leader.raft_applied_index > 0, "Raft Applied Index", leader.raft_applied_index.to_string()),
    ];
    lines.into_iter().filter(|line| line.0).map(|(_, key, value)| [key.to_owned(), value]).collect()
}

fn json(status: &SealStatus, leader: &Leader) -> Json {
    let text = |name, value: &String| (!value.is_empty(), name, Json::text(value));
    let lines: [Line<'_, Json>; 23] = [
        (true, "type", Json::text(&status.kind)),
        (true, "initialized", Json::Bool(status.initialized)),
        (true, "sealed", Json::Bool(status.sealed)),
        (true, "t", Json::int(status.t)),
        (true, "n", Json::int(status.n)),
        (true, "progress", Json::int(status.progress)),
        (true, "nonce", Json::text(&status.nonce)),
        (true, "version", Json::text(&status.version)),
        (true, "commit_date", Json::text(&status.commit_date)),
        (true, "migration", Json::Bool(status.migration)),
        text("cluster_name", &status.cluster_name),
        text("cluster_id", &status.cluster_id),
        (true, "recovery_seal", Json::Bool(status.recovery_seal)),
        text("recovery_seal_type", &status.recovery_seal_type),
        text("storage_type", &status.storage_type),
        (true, "build_date", Json::text(&status.build_date)),
        (true, "ha_enabled", Json::Bool(leader.ha_enabled)),
        (leader.is_self, "is_self", Json::Bool(true)),
        (is_time(&leader.active_time), "active_time", Json::text(&leader.active_time)),
        text("leader_address", &leader.leader_address),
        text("leader_cluster_address", &leader.leader_cluster_address),
        (leader.raft_committed_index > 0, "raft_committed_index", Json::int(leader.raft_committed_index)),
        (leader.raft_applied_index > 0, "raft_applied_index", Json::int(leader.raft_applied_index)),
    ];
    Json::object(lines.into_iter().filter(|line| line.0).map(|(_, name, value)| (name, value)))
}

fn is_time(text: &str) -> bool {
    !text.is_empty() && !text.starts_with("0001-")
}
