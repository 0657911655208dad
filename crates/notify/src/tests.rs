//! Deliveries from the outbox to a real mail server and to a receiver of webhooks.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use muster_reports::ids::{ClientId, WorkerId};
use muster_reports::notification::DeliveryState;
use muster_reports::notify::{Notify, Occasion, Wish};
use muster_reports::ports::OpenedFile;
use muster_reports::task::{AttemptEnd, NewTask};
use muster_reports::trace::NoTraces;
use muster_testkit::servers::smtpd::{self, Mode, PASSWORD, Smtpd};
use muster_testkit::{CountingIds, MemoryStore, TestClock, build};
use std::ops::Range;
use std::path::PathBuf;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const KEY: WebhookKey = WebhookKey([7; 32]);
const CONTENT: &str = "id,name\n1,Ada\n";

struct Folder(PathBuf);

impl FileOpener for Folder {
    fn open(&self, stored_name: &str, _: Option<Range<u64>>) -> muster_reports::Result<OpenedFile> {
        let text = std::fs::read(self.0.join(stored_name))
            .map_err(|error| muster_reports::Error::internal("there is no such file", error))?;
        Ok(OpenedFile { bytes: text.len() as u64, content: Box::new(std::io::Cursor::new(text)) })
    }
}

struct World {
    store: Arc<MemoryStore>,
    clock: Arc<TestClock>,
    deliverer: Arc<Deliverer>,
    files: tempfile::TempDir,
}

fn world(mailer: Option<Mailer>, attachment_bytes_max: u64) -> World {
    let (store, clock) = (Arc::new(MemoryStore::default()), Arc::new(TestClock::default()));
    let files = tempfile::tempdir().unwrap();
    let deliverer = Deliverer {
        store: store.clone(),
        tasks: store.clone(),
        credentials: store.clone(),
        files: Arc::new(Folder(files.path().to_owned())),
        audit: store.clone(),
        clock: clock.clone(),
        ids: Arc::new(CountingIds::default()),
        traces: Arc::new(NoTraces),
        mailer,
        webhooks: Webhooks::new(Arc::new(|| Ok(WebhookKeys { current: KEY, previous: None })), true).unwrap(),
        settings: DelivererSettings {
            poll: Duration::from_millis(10),
            attempts: DelivererSettings::attempts(2, 10),
            public_url: Some("https://muster.example.com".into()),
            attachment_bytes_max,
        },
    };
    std::fs::write(files.path().join("stored.csv"), CONTENT).unwrap();
    World { store, clock, deliverer: Arc::new(deliverer), files }
}

fn mailer(server: &Smtpd, mode: Mode, password: &str) -> Mailer {
    let tls = match mode {
        Mode::Plain => MailTls::None,
        Mode::StartTls => MailTls::StartTls,
        Mode::Tls => MailTls::Tls,
    };
    let settings = MailSettings {
        server: "localhost".into(),
        port: Some(server.port),
        tls,
        credentials: (mode != Mode::Plain).then(|| (smtpd::USER.into(), password.into())),
        from: "Muster <muster@example.com>".into(),
        trusted_pem: Some(std::fs::read(server.folder.path().join("ca.pem")).unwrap()),
    };
    Mailer::new(&settings).unwrap()
}

impl World {
    async fn ended(&self, number: u64, notify: Notify) {
        self.ended_for(build::user().client, number, notify).await;
    }

    /// Starts and ends the `number`th task, whose result has [`CONTENT`], for a client.
    async fn ended_for(&self, client: ClientId, number: u64, notify: Notify) {
        let wish = Wish { client, notify };
        let mut new = NewTask { notify: vec![wish], ..build::new_task(number, self.clock.now()) };
        new.requester.trace = Some(build::trace(Some("vendor=1")));
        self.store.start(new).await.unwrap();
        let worker = WorkerId::new("w");
        let claim = self.store.claim(&worker, self.clock.now(), LEASE).await.unwrap().unwrap();
        let mut result = build::task_result(&claim.task.id, 1, 1);
        result.files[0].stored_name = "stored.csv".into();
        result.files[0].bytes = CONTENT.len() as u64;
        result.files[0].sha256 = muster_reports::ids::hex(Sha256::digest(CONTENT));
        let end = AttemptEnd::Done { result, messages: Vec::new() };
        assert!(self.store.end_attempt(&claim.lease, end, self.clock.now()).await.unwrap());
    }

    /// Delivers what is due; the state and the error of the last notification.
    async fn deliver(&self) -> (DeliveryState, Option<String>) {
        while let Some(claim) = self.store.claim_notification(self.clock.now(), LEASE).await.unwrap() {
            self.deliverer.deliver(&claim).await.unwrap();
        }
        let last = self.store.notifications(&build::tenant(), None, 1).await.unwrap().remove(0);
        (last.state, last.error)
    }
}

fn email(address: &str) -> Notify {
    Notify::of(Recipient::email(address).unwrap())
}

#[tokio::test]
async fn mail_reaches_a_server_over_tls_with_a_user() {
    for mode in [Mode::Tls, Mode::StartTls, Mode::Plain] {
        let Some(server) = Smtpd::start(mode) else { return };
        let world = world(Some(mailer(&server, mode, PASSWORD)), 0);
        world.ended(1, email("ada@example.org")).await;
        assert_eq!(world.deliver().await, (DeliveryState::Sent, None), "{mode:?}");
        let [mail] = server.messages().try_into().unwrap();
        let id = world.store.notifications(&build::tenant(), None, 1).await.unwrap().remove(0).id;
        for line in [
            "From: Muster <muster@example.com>".to_owned(),
            "To: ada@example.org".to_owned(),
            "Subject: Account Report has succeeded: 1 row".to_owned(),
            format!("Message-ID: <{id}@example.com>"),
            "Auto-Submitted: auto-generated".to_owned(),
            format!("Task result id: {}", build::task_id(1)),
        ] {
            assert!(mail.contains(&format!("{line}\r\n")), "{line} is missing in {mail}");
        }
        let link = format!("https://muster.example.com/muster/v1/reports/{}/files/csv", build::task_id(1));
        assert!(mail.replace("=\r\n", "").contains(&link), "{mail}");
        assert!(!mail.contains("Ada"), "no file is attached: {mail}");
    }
}

#[tokio::test]
async fn what_the_server_refuses_is_tried_again_or_given_up() {
    let Some(server) = Smtpd::start(Mode::StartTls) else { return };
    let world = world(Some(mailer(&server, Mode::StartTls, PASSWORD)), 0);
    world.ended(1, email("full@example.org")).await;
    let (state, error) = world.deliver().await;
    let error = error.unwrap();
    assert_eq!(state, DeliveryState::Waiting);
    assert!(error.contains("the mailbox is full"), "{error}");
    world.clock.advance(TimeDelta::seconds(10));
    assert_eq!(world.deliver().await.0, DeliveryState::Failed, "the second attempt was the last");
    let failed = world.store.recorded(AuditOperation::NotificationFailed);
    assert_eq!(failed.len(), 1);

    world.ended(2, email("gone@example.org")).await;
    let (state, error) = world.deliver().await;
    assert_eq!(state, DeliveryState::Failed);
    assert!(error.unwrap().contains("no such mailbox"));
    assert!(server.messages().is_empty());
}

/// A mail server names the recipient in its answer, in the letters that it likes.
#[test]
fn the_log_has_no_address_of_a_reason() {
    let told = "permanent error (550): 5.1.1 <Ada@Example.com>: Recipient address rejected: ada@example.com is unknown";
    let logged = "permanent error (550): 5.1.1 (address) Recipient address rejected: (address) is unknown";
    assert_eq!(without_addresses(told), logged);
    assert_eq!(without_addresses("the receiver answers 500"), "the receiver answers 500");
}

#[tokio::test]
async fn a_wrong_password_can_be_mended_and_is_not_shown() {
    let Some(server) = Smtpd::start(Mode::Tls) else { return };
    let world = world(Some(mailer(&server, Mode::Tls, "wrong-password")), 0);
    world.ended(1, email("ada@example.org")).await;
    let (state, error) = world.deliver().await;
    let error = error.unwrap();
    assert_eq!(state, DeliveryState::Waiting, "{error}");
    assert!(!error.contains("wrong-password"), "{error}");
}

#[tokio::test]
async fn a_server_that_nobody_trusts_gets_nothing() {
    let Some(server) = Smtpd::start(Mode::Tls) else { return };
    let settings = MailSettings {
        server: "localhost".into(),
        port: Some(server.port),
        tls: MailTls::Tls,
        credentials: Some((smtpd::USER.into(), PASSWORD.into())),
        from: "muster@example.com".into(),
        trusted_pem: None,
    };
    let world = world(Some(Mailer::new(&settings).unwrap()), 0);
    world.ended(1, email("ada@example.org")).await;
    assert_eq!(world.deliver().await.0, DeliveryState::Waiting);
    assert!(server.messages().is_empty());
}

#[tokio::test]
async fn a_small_file_is_attached_for_those_who_may_download_it() {
    let Some(server) = Smtpd::start(Mode::Plain) else { return };
    let notify = Notify { attach: Some(FileFormat::Csv), ..email("ada@example.org") };
    let small = world(Some(mailer(&server, Mode::Plain, "")), 13);
    let large = world(Some(mailer(&server, Mode::Plain, "")), CONTENT.len() as u64);
    for (number, world, client, enabled, says) in [
        (1, &small, "c1", true, "it has 14 bytes, and at most 13 are attached"),
        (2, &large, "c2", false, "the client c2 is gone or disabled"),
        (3, &large, "c3", true, "The CSV file is attached."),
    ] {
        let mut credential = build::credential(client, world.clock.now());
        credential.enabled = enabled;
        world.store.put_credential(&credential);
        world.ended_for(ClientId::new(client), number, notify.clone()).await;
        assert_eq!(world.deliver().await, (DeliveryState::Sent, None));
        let mail = server.messages().pop().unwrap().replace("=\r\n", "");
        assert!(mail.contains(says), "{says} is missing in {mail}");
        let attached = mail.contains("filename=\"Account Report.csv\"") && mail.contains("1,Ada");
        let recorded = world.store.recorded(AuditOperation::Download);
        assert_eq!((attached, recorded.len()), (number == 3, usize::from(number == 3)), "{mail}");
    }
    let recorded = large.store.recorded(AuditOperation::Download);
    assert!(recorded[0].details.contains("mailed to ada@example.org"), "{}", recorded[0].details);
    // A file that was changed is not passed on.
    std::fs::write(large.files.path().join("stored.csv"), "id,name\n2,Ada\n").unwrap();
    let client = Some(ClientId::new("c3"));
    let notification =
        large.store.notifications(&build::tenant(), client.as_ref(), 1).await.unwrap().remove(0);
    let read = large.deliverer.attachment(&notification, FileFormat::Csv).await.unwrap();
    assert_eq!(read.err().as_deref(), Some("it is damaged"));
}

/// Answers each request with the next of these statuses. What it got, as head and body.
async fn receiver(answers: &'static [&'static str]) -> (String, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/hook", listener.local_addr().unwrap());
    let served = tokio::spawn(async move {
        let mut requests = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = String::new();
            let mut part = [0; 4_096];
            // The body is an object, and nothing follows it.
            while !request.ends_with("}}") {
                let read = stream.read(&mut part).await.unwrap();
                assert!(read > 0, "it ended early: {request}");
                request.push_str(std::str::from_utf8(&part[..read]).unwrap());
            }
            let answer = format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
            requests.push(request);
        }
        requests
    });
    (address, served)
}

fn header<'a>(request: &'a str, name: &str) -> &'a str {
    let line = request.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    line.unwrap_or_else(|| panic!("{name} is missing in {request}"))
}

#[tokio::test]
async fn a_webhook_is_signed_and_keeps_its_id_when_it_is_sent_again() {
    let world = world(None, 0);
    let (address, served) = receiver(&["503 Service Unavailable", "204 No Content"]).await;
    let on = [Occasion::Success].into();
    world.ended(1, Notify { on, ..Notify::of(Recipient::webhook(&address).unwrap()) }).await;
    let (state, error) = world.deliver().await;
    let says = "the receiver answers 503: expected 2xx";
    assert_eq!((state, error.as_deref()), (DeliveryState::Waiting, Some(says)));
    world.clock.advance(TimeDelta::seconds(10));
    assert_eq!(world.deliver().await, (DeliveryState::Sent, None));
    let [first, second] = served.await.unwrap().try_into().unwrap();
    assert_eq!(header(&first, "webhook-id"), header(&second, "webhook-id"));
    let secret = KEY.shown_secret(&build::tenant(), &address);
    for request in [&first, &second] {
        let body = request.split_once("\r\n\r\n").unwrap().1;
        let signed =
            format!("{}.{}.{body}", header(request, "webhook-id"), header(request, "webhook-timestamp"));
        // As a receiver does it.
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(signed.as_bytes());
        let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        assert_eq!(header(request, "webhook-signature"), expected);
        // The trace of the request that started the report, without what its caller wrote into the state.
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00000000000000ff-01";
        assert_eq!(header(request, "traceparent"), parent);
        assert!(!request.contains("vendor"), "{request}");
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!((&body["type"], &body["data"]["rows"]), (&"report.succeeded".into(), &1.into()));
    }
    let later = world.clock.now().timestamp().to_string();
    assert_eq!(header(&second, "webhook-timestamp"), later);
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_given_up_and_a_redirect_not_followed() {
    for (answers, state) in [
        (&["410 Gone"], DeliveryState::Failed),
        (&["302 Found\r\nlocation: http://127.0.0.1:1/"], DeliveryState::Waiting),
    ] {
        let world = world(None, 0);
        let (address, served) = receiver(answers).await;
        world.ended(1, Notify::of(Recipient::webhook(&address).unwrap())).await;
        assert_eq!(world.deliver().await.0, state, "{answers:?}");
        served.await.unwrap();
    }
}

#[tokio::test]
async fn a_running_deliverer_delivers_and_stops() {
    let world = world(None, 0);
    let (address, served) = receiver(&["200 OK"]).await;
    world.ended(1, Notify::of(Recipient::webhook(&address).unwrap())).await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(world.deliverer.clone().run(stop.clone()));
    served.await.unwrap();
    stop.cancel();
    running.await.unwrap();
    let last = world.store.notifications(&build::tenant(), None, 1).await.unwrap().remove(0);
    assert_eq!(last.state, DeliveryState::Sent);
}
