use super::{
    Letter, MailError, MailSettings, SettingsError, SmtpReply,
    reply::Secrets,
    settings::{Security, Server, sender},
    wire::LineStream,
};
use crate::system::cause::of_connection;
use lettre::{
    Address,
    message::Mailbox,
    transport::smtp::{
        Error,
        authentication::{Credentials, Mechanism},
        client::{AsyncSmtpConnection, TlsParameters},
        commands::{Data, Mail, Rcpt},
        extension::ClientId,
    },
};
use std::{
    error::Error as _,
    fmt, io,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
    time::Duration,
};
use tokio::{
    net::{TcpStream, lookup_host},
    time::{Instant, timeout, timeout_at},
};

/// How long a server that took the letter may take to say good-bye.
const GOOD_BYE: Duration = Duration::from_millis(500);
/// Of a server that nobody could be connected with.
const UNKNOWN: &str = "Its name is not known, or there is no way to it";
/// In this order; both send the password as it is, so they are for TLS, or for this computer.
const MECHANISMS: &[Mechanism] = &[Mechanism::Plain, Mechanism::Login];

/// Sends letters through one mail server, each over a connection of its own.
pub struct Mailer {
    server: Server,
    from: Mailbox,
    deadline: Duration,
}

/// How far the dialogue has come.
#[derive(Clone, Copy)]
enum DialogueStep<'a> {
    Connect,
    Secure,
    Login,
    From,
    To(&'a Address),
    Letter,
}

impl Mailer {
    /// Reads the settings, and the system's certificate authorities. The mail server is not asked.
    pub fn new(settings: &MailSettings) -> Result<Self, SettingsError> {
        let (server, from) = (Server::read(settings)?, sender(&settings.from)?);
        Ok(Self { server, from, deadline: settings.deadline })
    }

    /// Sends a letter; when this returns, the mail server has taken it. Takes no longer than the
    /// deadline of the settings, and half a second for the good-bye.
    pub async fn send(&self, letter: &Letter<'_>) -> Result<(), MailError> {
        let written = letter.written(&self.from).map_err(|_| MailError::Letter)?;
        let mut secrets = Secrets::default();
        secrets.add(&letter.exposed());
        if let Some(login) = &self.server.login {
            secrets.add_login(&login.user, &login.password);
        }
        self.whole(self.dialogue(letter.to, &written, &secrets)).await
    }

    /// Signs in at the mail server, and sends nothing.
    pub async fn check(&self) -> Result<(), MailError> {
        let mut secrets = Secrets::default();
        if let Some(login) = &self.server.login {
            secrets.add_login(&login.user, &login.password);
        }
        let asked = async {
            let signed_in = timeout(self.deadline, self.sign_in()).await;
            let too_slow = |_| MailError::TooSlow { server: self.server.name(), deadline: self.deadline };
            let mut connection =
                signed_in.map_err(too_slow)?.map_err(|(step, fault)| self.failed(step, &fault, &secrets))?;
            let _ = timeout(GOOD_BYE, connection.quit()).await;
            Ok(())
        };
        self.whole(asked).await
    }

    /// lettre stops with a panic at a line of nothing but spaces. The page that is waiting shows a
    /// token this once, and must not be lost.
    async fn whole(&self, dialogue: impl Future<Output = Result<(), MailError>>) -> Result<(), MailError> {
        let mut dialogue = pin!(dialogue);
        let whole = std::future::poll_fn(|cx| {
            let polled = catch_unwind(AssertUnwindSafe(|| dialogue.as_mut().poll(cx)));
            polled.unwrap_or_else(|_| Poll::Ready(Err(self.broken("its answer cannot be read"))))
        });
        whole.await
    }

    async fn dialogue(&self, to: &Address, letter: &[u8], secrets: &Secrets) -> Result<(), MailError> {
        let end = Instant::now() + self.deadline;
        let ready = timeout_at(end, self.prepare(to)).await;
        let too_slow = |_| MailError::TooSlow { server: self.server.name(), deadline: self.deadline };
        let mut connection =
            ready.map_err(too_slow)?.map_err(|(step, fault)| self.failed(step, &fault, secrets))?;
        match timeout_at(end, connection.message(letter)).await {
            Ok(Ok(_)) => {
                // It has the letter, whatever becomes of the rest.
                let _ = timeout(GOOD_BYE, connection.quit()).await;
                Ok(())
            }
            Ok(Err(fault)) => Err(self.failed(DialogueStep::Letter, &MailFault::Smtp(fault), secrets)),
            Err(_) => Err(self.unconfirmed(&format!("no answer within {:?}", self.deadline))),
        }
    }

    /// Everything up to the letter itself.
    async fn prepare<'a>(
        &self,
        to: &'a Address,
    ) -> Result<AsyncSmtpConnection, (DialogueStep<'a>, MailFault)> {
        let at = |step| move |fault: Error| (step, MailFault::Smtp(fault));
        let mut connection = self.sign_in().await?;
        let from = Mail::new(Some(self.from.email.clone()), Vec::new());
        connection.command(from).await.map_err(at(DialogueStep::From))?;
        connection.command(Rcpt::new(to.clone(), Vec::new())).await.map_err(at(DialogueStep::To(to)))?;
        connection.command(Data).await.map_err(at(DialogueStep::To(to)))?;
        Ok(connection)
    }

    /// Everything before anybody is named.
    async fn sign_in<'a>(&self) -> Result<AsyncSmtpConnection, (DialogueStep<'a>, MailFault)> {
        let at = |step| move |fault: Error| (step, MailFault::Smtp(fault));
        let name = self.server.hello.clone().unwrap_or_else(|| self.from.email.domain().to_owned());
        let hello = ClientId::Domain(name);
        let mut connection = match &self.server.security {
            Security::Tls(tls) => self.secure(tls, &hello).await.map_err(at(DialogueStep::Connect))?,
            Security::Plain | Security::StartTls(_) => {
                let stream =
                    self.connect().await.map_err(|error| (DialogueStep::Connect, MailFault::Tcp(error)))?;
                let stream = Box::new(LineStream::new(stream));
                let greeted = AsyncSmtpConnection::connect_with_transport(stream, &hello).await;
                greeted.map_err(at(DialogueStep::Secure))?
            }
        };
        if let Security::StartTls(tls) = &self.server.security {
            if !connection.can_starttls() {
                return Err((DialogueStep::Secure, MailFault::NotOffered));
            }
            connection.starttls(tls.clone(), &hello).await.map_err(at(DialogueStep::Secure))?;
        }
        if let Some(login) = &self.server.login {
            if connection.server_info().get_auth_mechanism(MECHANISMS).is_none() {
                return Err((DialogueStep::Login, MailFault::NotOffered));
            }
            let credentials = Credentials::new(login.user.clone(), login.password.to_string());
            connection.auth(MECHANISMS, &credentials).await.map_err(at(DialogueStep::Login))?;
        }
        Ok(connection)
    }

    async fn secure(&self, tls: &TlsParameters, hello: &ClientId) -> Result<AsyncSmtpConnection, Error> {
        let server = (self.server.host.as_str(), self.server.port);
        AsyncSmtpConnection::connect_tokio1(server, Some(self.patience()), hello, Some(tls.clone()), None)
            .await
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        let mut last = io::Error::other(UNKNOWN);
        for address in lookup_host((self.server.host.as_str(), self.server.port)).await? {
            match timeout(self.patience(), TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => last = error,
                Err(_) => last = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(last)
    }

    /// For each address of the server, so that the second one has its turn.
    fn patience(&self) -> Duration {
        self.deadline / 2
    }

    fn failed(&self, step: DialogueStep<'_>, fault: &MailFault, secrets: &Secrets) -> MailError {
        let server = self.server.name();
        let fault = match fault {
            MailFault::Tcp(error) => {
                return MailError::Unreachable { server, reason: of_connection(error, UNKNOWN) };
            }
            MailFault::NotOffered if matches!(step, DialogueStep::Login) => {
                return MailError::NoLogin { server };
            }
            MailFault::NotOffered => return MailError::NoTls { server },
            MailFault::Smtp(fault) => fault,
        };
        let Some(code) = fault.status() else {
            let otherwise =
                if matches!(step, DialogueStep::Connect) { UNKNOWN } else { "What it says is not SMTP" };
            let reason = of_connection(fault, otherwise);
            return match step {
                _ if tls_fault(fault) => MailError::Tls { server, reason },
                DialogueStep::Connect => MailError::Unreachable { server, reason },
                DialogueStep::Letter => self.unconfirmed(&reason),
                _ => self.broken(&reason),
            };
        };
        let words = fault.source().map(ToString::to_string).unwrap_or_default();
        let reply = SmtpReply::new(code.into(), &words, secrets);
        match step {
            // A passing fault of the server is no wrong password.
            DialogueStep::Login if fault.is_permanent() => MailError::Password { server, reply },
            DialogueStep::From => MailError::Sender { server, from: self.from.email.to_string(), reply },
            DialogueStep::To(to) => MailError::Recipient { server, to: to.to_string(), reply },
            DialogueStep::Connect | DialogueStep::Secure | DialogueStep::Login | DialogueStep::Letter => {
                MailError::Refused { server, reply }
            }
        }
    }

    fn broken(&self, reason: &str) -> MailError {
        MailError::Broken { server: self.server.name(), reason: reason.to_owned() }
    }

    fn unconfirmed(&self, reason: &str) -> MailError {
        MailError::Unconfirmed { server: self.server.name(), reason: reason.to_owned() }
    }
}

impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Mailer");
        shown
            .field("server", &self.server.name())
            .field("from", &self.from.to_string())
            .finish_non_exhaustive()
    }
}

enum MailFault {
    Tcp(io::Error),
    NotOffered,
    Smtp(Error),
}

fn tls_fault(error: &Error) -> bool {
    let mut source = error.source();
    while let Some(inner) = source {
        // An I/O error does not name what it carries as its source.
        let carried = inner.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if inner.is::<rustls::Error>() || carried.is_some_and(|carried| carried.is::<rustls::Error>()) {
            return true;
        }
        source = inner.source();
    }
    false
}
