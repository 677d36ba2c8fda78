//! `sys/loggers`: levels of the log, of all loggers or of one.

use super::SysCtx;
use crate::log_levels::LogLevel;
use bulla_kit::{Answer, EngineError, NoParams, Params, Reply, Route};
use serde_json::{Map, Value};

#[derive(Params)]
struct NameParams {
    /// Which logger.
    #[param(path)]
    name: String,
}

#[derive(Params)]
struct LevelParams {
    /// Which logger.
    #[param(path)]
    name: String,
    /// `trace`, `debug`, `info`, `warn` or `error`.
    level: String,
}

pub fn routes() -> Vec<Route<SysCtx>> {
    vec![
        Route::token("loggers")
            .help("The levels of all loggers.", "Changes last until the server stops.")
            .read(read_all)
            .update(|ctx, p: LevelParams| write(ctx, None, p.level))
            .delete(|ctx, _: NoParams| reset(ctx, None)),
        Route::token("loggers/{name:any}")
            .help("The level of one logger.", "Changes last until the server stops.")
            .read(read_one)
            .update(|ctx, p: LevelParams| write(ctx, Some(p.name), p.level))
            .delete(|ctx, p: NameParams| reset(ctx, Some(p.name))),
    ]
}

fn levels(ctx: &SysCtx, wanted: impl Fn(&str) -> bool) -> Map<String, Value> {
    let all = ctx.core.log_levels().map(|levels| levels.all()).unwrap_or_default();
    all.into_iter().filter(|(name, _)| wanted(name)).map(|(name, level)| (name.into(), level.word().into())).collect()
}

async fn read_all(ctx: SysCtx, _: NoParams) -> Answer {
    Reply::json(&levels(&ctx, |_| true))
}

/// A logger that is not there has no level.
async fn read_one(ctx: SysCtx, params: NameParams) -> Answer {
    Reply::json(&levels(&ctx, |name| name == params.name))
}

async fn write(ctx: SysCtx, name: Option<String>, level: String) -> Answer {
    if level.is_empty() {
        return Err(EngineError::bad("level is required"));
    }
    let parsed = LogLevel::parse(&level)
        .ok_or_else(|| EngineError::bad(format!("invalid level provided: unknown log level: {level}")))?;
    change(&ctx, name, Some(parsed))
}

async fn reset(ctx: SysCtx, name: Option<String>) -> Answer {
    change(&ctx, name, None)
}

fn change(ctx: &SysCtx, name: Option<String>, level: Option<LogLevel>) -> Answer {
    let Some(levels) = ctx.core.log_levels() else { return Ok(Reply::none()) };
    if levels.set(name.as_deref(), level) {
        return Ok(Reply::none());
    }
    Err(EngineError::NotFoundBecause(format!("logger {:?} not found", name.unwrap_or_default())))
}
