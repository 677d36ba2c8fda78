//! What a running command holds: its words and flags, the streams, the environment, and a way to the server.

use std::time::Duration;

use bulla_client::{Address, Answer, Client, ClientError, Config, Request, Secret, TlsOptions, Token};
use bulla_types::{go_duration_text, parse_duration};
use tokio::runtime::Runtime;
use zeroize::Zeroizing;

use crate::{
    command::setting,
    dry_run,
    env::Env,
    failure::{Failure, said},
    flags::{Flags, parse_bool},
    output::Format,
    program::Program,
    token_file,
    ui::Ui,
};

const DEFAULT_ADDRESS: &str = "https://127.0.0.1:8200";

/// A command's surroundings.
pub struct Ctx {
    pub flags: Flags,
    /// The words behind the flags.
    pub args: Vec<String>,
    pub ui: Ui,
    pub env: Env,
    pub program: Program,
    pub format: Format,
    connection: Option<(Runtime, Client)>,
}

impl Ctx {
    /// # Errors
    /// If `-format` names no format.
    pub fn new(flags: Flags, args: Vec<String>, ui: Ui, env: Env, program: Program) -> Result<Self, (Ui, Failure)> {
        let wanted = setting(&flags, &env, "format").unwrap_or_default().to_owned();
        match Format::parse(&wanted) {
            Some(format) => Ok(Self { flags, args, ui, env, program, format, connection: None }),
            None => Err((ui, Failure::local(format!("Invalid output format: {wanted}")))),
        }
    }

    /// A word; empty if it was not given.
    pub fn arg(&self, index: usize) -> &str {
        self.args.get(index).map_or("", String::as_str)
    }

    /// A flag's value or its environment variable's, unless empty.
    pub fn setting(&self, name: &str) -> Option<String> {
        setting(&self.flags, &self.env, name).map(str::to_owned)
    }

    /// Whether a switch is on, by flag or environment.
    pub fn enabled(&self, name: &str) -> bool {
        self.setting(name).and_then(|value| parse_bool(&value)).unwrap_or_default()
    }

    pub const fn is_table(&self) -> bool {
        matches!(self.format, Format::Table)
    }

    /// The token commands use: environment first, then the token file.
    pub fn token(&self) -> Option<Token> {
        self.env.setting("TOKEN").and_then(Token::parse).or_else(|| token_file::read(&self.env))
    }

    /// Asks on the terminal without showing what is typed.
    ///
    /// # Errors
    /// Where asking is forbidden (`-non-interactive`), there is no terminal, or Ctrl-C was typed.
    pub fn ask_hidden(&self, question: &str) -> Result<Zeroizing<String>, Failure> {
        if self.flags.knows("non-interactive") && self.flags.on("non-interactive") {
            return Err(Failure::local(
                "nothing is asked with -non-interactive; give it as a word, or - to read standard input",
            ));
        }
        self.ui.ask_hidden(question)
    }

    /// Runs `ask` against the server. Never prints; for requests that are not the command's own purpose.
    ///
    /// # Errors
    /// The client's, or its settings' as [`ClientError`].
    pub fn quietly<T>(
        &mut self,
        ask: impl AsyncFnOnce(&Client) -> Result<T, ClientError>,
    ) -> Result<Result<T, ClientError>, Failure> {
        if self.connection.is_none() {
            self.connection = Some(self.connect()?);
        }
        let Some((runtime, client)) = &self.connection else { return Err(Failure::silent(1)) };
        Ok(runtime.block_on(ask(client)))
    }

    /// Sends the command's own request, or prints it instead if that was asked for.
    ///
    /// # Errors
    /// Exit code 2, the refusal behind `what`.
    pub fn send(&mut self, what: &str, request: Request) -> Result<Answer, Failure> {
        self.try_send(request)?.map_err(|error| Failure::of(what, error))
    }

    /// Like [`Ctx::send`], with the refusal in the caller's hands.
    ///
    /// # Errors
    /// The outer one where the command is over.
    pub fn try_send(&mut self, request: Request) -> Result<Result<Answer, ClientError>, Failure> {
        let request = self.dress(request);
        self.dry_run(&request)?;
        self.quietly(async |client| client.send(&request).await)
    }

    /// Sends and reads the envelope, `None` if nothing is there.
    ///
    /// # Errors
    /// Exit code 2, the refusal behind `what`.
    pub fn read(&mut self, what: &str, request: Request) -> Result<Option<Secret>, Failure> {
        let request = self.dress(request);
        self.dry_run(&request)?;
        self.quietly(async |client| client.read(&request).await)?.map_err(|error| Failure::of(what, error))
    }

    /// Sends a change and reads the envelope that comes back, if one does.
    ///
    /// # Errors
    /// Exit code 2, the refusal behind `what`.
    pub fn write(&mut self, what: &str, request: Request) -> Result<Option<Secret>, Failure> {
        let answer = self.send(what, request)?;
        answer.secret().map_err(|e| Failure::of(what, e.into()))
    }

    /// `-field`, where the command has it.
    pub fn field(&self) -> Option<String> {
        self.flags.knows("field").then(|| self.flags.filled("field").map(str::to_owned)).flatten()
    }

    /// Whether a request is only to be printed.
    pub fn is_dry_run(&self) -> bool {
        self.flags.knows("output-policy") && (self.flags.on("output-policy") || self.flags.on("output-curl-string"))
    }

    fn dry_run(&mut self, request: &Request) -> Result<(), Failure> {
        if !self.is_dry_run() {
            return Ok(());
        }
        let text = if self.flags.on("output-policy") {
            dry_run::policy(request)
        } else {
            let config = self.config()?;
            dry_run::curl(request, &config, self.program, self.token().is_some())
        };
        self.ui.say(&text);
        Err(Failure::silent(0))
    }

    /// Headers that belong to the command's own requests only.
    fn dress(&self, mut request: Request) -> Request {
        if let Some(ttl) = self.setting("wrap-ttl").and_then(|ttl| parse_duration(&ttl).ok()).filter(|ttl| *ttl > 0) {
            request = request.header("X-Vault-Wrap-TTL", &go_duration_text(ttl));
        }
        if self.flags.knows("policy-override") && self.flags.on("policy-override") {
            request = request.header("X-Vault-Policy-Override", "true");
        }
        request
    }

    fn connect(&self) -> Result<(Runtime, Client), Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|e| Failure::local(format!("cannot start the client: {e}")))?;
        let client = Client::new(self.config()?).map_err(|e| Failure::local(said(&e)))?;
        Ok((runtime, client))
    }

    fn config(&self) -> Result<Config, Failure> {
        let path = |name: &str| self.setting(name).map(Into::into);
        let address = self.setting("agent-address").or_else(|| self.setting("address"));
        let address: Address =
            address.as_deref().unwrap_or(DEFAULT_ADDRESS).parse().map_err(|e| Failure::local(format!("{e}")))?;
        let mut config = Config::new(address);
        config.token = self.token();
        config.namespace = self.setting("namespace").map(|n| n.trim_matches('/').to_owned()).filter(|n| !n.is_empty());
        config.tls = TlsOptions {
            ca_cert: path("ca-cert"),
            ca_path: path("ca-path"),
            client_cert: path("client-cert"),
            client_key: path("client-key"),
            server_name: self.setting("tls-server-name"),
            skip_verify: self.enabled("tls-skip-verify"),
        };
        config.follow_redirects = !self.enabled("disable-redirects");
        self.extra_headers(&mut config);
        if let Some(seconds) = self.duration_setting("CLIENT_TIMEOUT")? {
            config.timeout = seconds;
        }
        if let Some(max) = self.env.setting("MAX_RETRIES") {
            config.retries.max = max.parse().map_err(|_| Failure::local("MAX_RETRIES must be a number"))?;
        }
        Ok(config)
    }

    fn extra_headers(&self, config: &mut Config) {
        if !self.flags.knows("header") {
            return;
        }
        let mut add = |name: &str, value: &str| config.headers.push((name.to_owned(), value.to_owned()));
        self.flags.pairs("header").for_each(|(name, value)| add(name, value));
        let mfa: Vec<&str> = self.flags.all("mfa").collect();
        mfa.iter()
            .copied()
            .chain(self.env.setting("MFA").filter(|_| mfa.is_empty()))
            .for_each(|v| add("X-Vault-MFA", v));
        if let Some(key) = self.flags.filled("unlock-key") {
            add("X-Vault-Unlock-Key", key);
        }
    }

    fn duration_setting(&self, name: &str) -> Result<Option<Duration>, Failure> {
        let Some((variable, text)) = self.env.named(name) else { return Ok(None) };
        let nanos = parse_duration(text).ok().and_then(|nanos| u64::try_from(nanos).ok()).filter(|nanos| *nanos > 0);
        nanos
            .map(|nanos| Some(Duration::from_nanos(nanos)))
            .ok_or_else(|| Failure::local(format!("{variable} is not a duration")))
    }
}
