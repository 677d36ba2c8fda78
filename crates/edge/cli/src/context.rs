//! What a running command holds: its words and flags, the streams, the environment, and a way to the server.

use std::time::Duration;

use bulla_client::{Address, Answer, Client, ClientError, Config, Request, Secret, TlsOptions, Token};
use bulla_types::{go_duration_text, parse_duration};
use tokio::runtime::Runtime;
use zeroize::Zeroizing;

use crate::{
    command::{self, setting},
    dry_run,
    env::Env,
    failure::{Failure, said},
    flags::{Flags, parse_bool},
    output::Format,
    program::Program,
    proxy, token_file,
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
    /// Nanoseconds.
    wrap_ttl: Option<i128>,
    /// Looked for once; `Some(None)` if there is none.
    token: Option<Option<Token>>,
    connection: Option<(Runtime, Client)>,
}

impl Ctx {
    /// # Errors
    /// If `-format` names no format, or a setting from the environment is not what its flag would take.
    pub fn new(flags: Flags, args: Vec<String>, ui: Ui, env: Env, program: Program) -> Result<Self, (Ui, Failure)> {
        let wanted = setting(&flags, &env, "format").unwrap_or_default().to_owned();
        let Some(format) = Format::parse(&wanted) else {
            return Err((ui, Failure::local(format!("Invalid output format: {wanted}"))));
        };
        let checked = command::check_settings(&flags, &env).and_then(|()| wrap_ttl(&flags, &env));
        match checked {
            Ok(wrap_ttl) => Ok(Self { flags, args, ui, env, program, format, wrap_ttl, token: None, connection: None }),
            Err(why) => Err((ui, Failure::local(why))),
        }
    }

    /// A word; empty if it was not given.
    pub fn arg(&self, index: usize) -> &str {
        self.args.get(index).map_or("", String::as_str)
    }

    /// A word that is a secret, or with `-` what standard input holds; empty only if the word was not given.
    ///
    /// # Errors
    /// If standard input cannot be read, or holds nothing: nobody means their own token by that.
    pub fn secret_word(&mut self, index: usize) -> Result<Zeroizing<String>, Failure> {
        if self.arg(index) != "-" {
            return Ok(Zeroizing::new(self.arg(index).to_owned()));
        }
        let input = self.ui.input().map_err(Failure::local)?;
        match input.trim() {
            "" => Err(Failure::local("standard input holds nothing")),
            text => Ok(Zeroizing::new(text.to_owned())),
        }
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
    ///
    /// A file that is there and cannot be read is told: what comes next is a bare refusal of the server's.
    pub fn token(&mut self) -> Option<Token> {
        if self.token.is_none() {
            let named = self.env.setting("TOKEN").and_then(Token::parse);
            self.token = Some(named.or_else(|| {
                token_file::read(&self.env).unwrap_or_else(|why| {
                    self.ui.warn(&format!("WARNING! Going on without a token: {why}"));
                    None
                })
            }));
        }
        self.token.as_ref()?.as_ref().map(Token::duplicate)
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
        answer.secret().map_err(|e| Failure::of(what, e))
    }

    /// `-field`, where the command has it.
    pub fn field(&self) -> Option<String> {
        self.flags.knows("field").then(|| self.flags.filled("field").map(str::to_owned)).flatten()
    }

    /// Whether a request is only to be printed.
    pub fn is_dry_run(&self) -> bool {
        self.flags.knows("output-policy") && (self.flags.on("output-policy") || self.flags.on("output-curl-string"))
    }

    /// Ends the command here, its request printed, if that is all that was asked for. For requests that go out by
    /// [`Ctx::quietly`] although they are what the command is about.
    ///
    /// # Errors
    /// Exit code 0, everything said.
    pub fn dry_run(&mut self, request: &Request) -> Result<(), Failure> {
        self.dry_run_after(None, request)
    }

    /// Like [`Ctx::dry_run`], for a change that needs its answer to `first` before it can be made.
    ///
    /// # Errors
    /// Exit code 0, everything said.
    pub fn dry_run_after(&mut self, first: Option<&Request>, request: &Request) -> Result<(), Failure> {
        if !self.is_dry_run() {
            return Ok(());
        }
        let requests: Vec<&Request> = first.into_iter().chain([request]).collect();
        let text = if self.flags.on("output-policy") {
            dry_run::policy(&requests)
        } else {
            let (config, has_token) = (self.config()?, self.token().is_some());
            let lines: Vec<String> =
                requests.iter().map(|one| dry_run::curl(one, &config, self.program, has_token)).collect();
            lines.join("\n")
        };
        self.ui.say(&text);
        Err(Failure::silent(0))
    }

    /// Headers that belong to the command's own requests only.
    fn dress(&self, mut request: Request) -> Request {
        if let Some(ttl) = self.wrap_ttl {
            request = request.header("X-Vault-Wrap-TTL", &go_duration_text(ttl));
        }
        if self.flags.knows("policy-override") && self.flags.on("policy-override") {
            request = request.header("X-Vault-Policy-Override", "true");
        }
        request
    }

    fn connect(&mut self) -> Result<(Runtime, Client), Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|e| Failure::local(format!("cannot start the client: {e}")))?;
        let client = Client::new(self.config()?).map_err(|e| Failure::local(said(&e)))?;
        Ok((runtime, client))
    }

    fn config(&mut self) -> Result<Config, Failure> {
        let address = self.setting("agent-address").or_else(|| self.setting("address"));
        let address: Address =
            address.as_deref().unwrap_or(DEFAULT_ADDRESS).parse().map_err(|e| Failure::local(format!("{e}")))?;
        let mut config = Config::new(address);
        config.token = self.token();
        config.namespace = self.setting("namespace").map(|n| n.trim_matches('/').to_owned()).filter(|n| !n.is_empty());
        let path = |name: &str| self.setting(name).map(Into::into);
        config.tls = TlsOptions {
            ca_cert: path("ca-cert"),
            ca_path: path("ca-path"),
            client_cert: path("client-cert"),
            client_key: path("client-key"),
            server_name: self.setting("tls-server-name"),
            skip_verify: self.enabled("tls-skip-verify"),
        };
        config.proxies = proxy::proxies(&self.env).map_err(Failure::local)?;
        config.follow_redirects = !self.enabled("disable-redirects");
        self.extra_headers(&mut config);
        if let Some(seconds) = self.duration_setting("CLIENT_TIMEOUT")? {
            config.timeout = seconds;
        }
        if let Some((variable, max)) = self.env.named("MAX_RETRIES") {
            config.retries.max = max.parse().map_err(|_| Failure::local(format!("{variable} is not a number")))?;
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

/// How long a wrapped answer shall live; `None` for an answer that is not wrapped. Whoever asks for wrapping and does not
/// say it right must not get the secret in the clear.
fn wrap_ttl(flags: &Flags, env: &Env) -> Result<Option<i128>, String> {
    const SECOND: i128 = 1_000_000_000;
    let Some(text) = setting(flags, env, "wrap-ttl") else { return Ok(None) };
    match parse_duration(text) {
        Ok(0) => Ok(None),
        Ok(ttl @ SECOND..) => Ok(Some(ttl)),
        _ => Err(format!("invalid wrap TTL {text:?}: it must be a second or more, or 0 for no wrapping")),
    }
}
