//! E-mail over SMTP.

use crate::outcome::Outcome;
use chrono::{DateTime, Utc};
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::transport::smtp::response::Severity;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use muster_reports::error::{Error, Result, error_chain};
use std::fmt;
use std::time::{Duration, SystemTime};

/// How long the server may take for each command.
const TIMEOUT: Duration = Duration::from_secs(20);
/// How long it may take for a whole message.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(60);

/// How the connection to the server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailTls {
    /// TLS from the first byte.
    Tls,
    /// A plain connection that must change to TLS.
    StartTls,
    /// Not at all.
    None,
}

impl MailTls {
    /// The port of the way, where the settings name none (RFC 8314, RFC 6409, RFC 5321).
    fn port(self) -> u16 {
        match self {
            Self::Tls => 465,
            Self::StartTls => 587,
            Self::None => 25,
        }
    }
}

/// How mail is sent.
#[derive(Clone)]
pub struct MailSettings {
    /// The server's name.
    pub server: String,
    /// Its port; the usual one of `tls` if there is none.
    pub port: Option<u16>,
    /// How the connection is protected.
    pub tls: MailTls,
    /// User and password, if the server asks for them.
    pub credentials: Option<(String, String)>,
    /// The sender's address, with or without a name.
    pub from: String,
    /// Certificates to trust in place of the system's, in PEM.
    pub trusted_pem: Option<Vec<u8>>,
}

impl fmt::Debug for MailSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the password.
        f.debug_struct("MailSettings")
            .field("server", &self.server)
            .field("from", &self.from)
            .finish_non_exhaustive()
    }
}

/// A message for one recipient.
pub(crate) struct Letter {
    pub(crate) id: String,
    pub(crate) at: DateTime<Utc>,
    pub(crate) to: String,
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) attachment: Option<Attached>,
}

/// A file in a message.
pub(crate) struct Attached {
    pub(crate) name: String,
    pub(crate) media_type: String,
    pub(crate) bytes: Vec<u8>,
}

/// Sends mail.
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Mailer {
    /// What sends mail. Nothing is sent yet.
    ///
    /// # Errors
    /// `Invalid` for the sender, and for certificates that cannot be read: the text begins with the setting's name.
    pub fn new(settings: &MailSettings) -> Result<Self> {
        let from = settings.from.parse().map_err(|_| {
            Error::invalid(format!(
                "mail.from is {:?}: expected an address such as muster@example.com, or Muster <muster@example.com>",
                settings.from
            ))
        })?;
        let parameters = || {
            let mut parameters = TlsParameters::builder(settings.server.clone());
            if let Some(pem) = &settings.trusted_pem {
                parameters = parameters.certificate_store(CertificateStore::None);
                for certificate in certificates(pem)? {
                    parameters = parameters.add_root_certificate(certificate);
                }
            }
            parameters.build_rustls().map_err(|error| Error::internal("TLS for mail cannot be set up", error))
        };
        let tls = match settings.tls {
            MailTls::Tls => Tls::Wrapper(parameters()?),
            MailTls::StartTls => Tls::Required(parameters()?),
            MailTls::None => Tls::None,
        };
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&settings.server)
            .port(settings.port.unwrap_or(settings.tls.port()))
            .tls(tls)
            .timeout(Some(TIMEOUT));
        if let Some((user, password)) = &settings.credentials {
            transport = transport.credentials(Credentials::new(user.clone(), password.clone()));
        }
        Ok(Self { transport: transport.build(), from })
    }

    /// Hands a letter to the server.
    pub(crate) async fn send(&self, letter: Letter) -> Outcome {
        let message = match self.message(letter) {
            Ok(message) => message,
            Err(reason) => return Outcome::Never(reason),
        };
        let sent = match tokio::time::timeout(MESSAGE_TIMEOUT, self.transport.send(message)).await {
            Ok(sent) => sent,
            Err(_) => return Outcome::NotNow("the mail server did not take the message in time".into()),
        };
        match sent {
            Ok(_) => Outcome::Sent,
            Err(error) => {
                let reason = error_chain(&error);
                // What is wrong with the service's account, and not with this message, can be mended.
                let about_account =
                    error.status().is_some_and(|code| matches!(u16::from(code), 530 | 534 | 535 | 538));
                let for_ever =
                    error.status().is_some_and(|code| code.severity == Severity::PermanentNegativeCompletion);
                match for_ever && !about_account {
                    true => Outcome::Never(reason),
                    false => Outcome::NotNow(reason),
                }
            }
        }
    }

    fn message(&self, letter: Letter) -> Result<Message, String> {
        let wrong =
            |error: &dyn std::error::Error| format!("the message cannot be made: {}", error_chain(error));
        let to: Mailbox = letter.to.parse().map_err(|error: lettre::address::AddressError| wrong(&error))?;
        let head = Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(letter.subject)
            .date(SystemTime::from(letter.at))
            .message_id(Some(format!("<{}@{}>", letter.id, self.from.email.domain())))
            .header(AutoSubmitted);
        let text = SinglePart::plain(letter.text);
        let made = match letter.attachment {
            None => head.singlepart(text),
            Some(file) => {
                let kind = ContentType::parse(&file.media_type).map_err(|error| wrong(&error))?;
                let file = Attachment::new(file.name).body(file.bytes, kind);
                head.multipart(MultiPart::mixed().singlepart(text).singlepart(file))
            }
        };
        made.map_err(|error| wrong(&error))
    }
}

/// The certificates of a PEM file.
fn certificates(pem: &[u8]) -> Result<Vec<Certificate>> {
    let wrong = || Error::invalid("mail.ca_file has no certificates: expected a PEM file");
    Certificate::from_pem(pem).map(|certificates| vec![certificates]).map_err(|_| wrong())
}

/// `Auto-Submitted: auto-generated` (RFC 3834): no answer by a machine is wanted.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".into())
    }
}
