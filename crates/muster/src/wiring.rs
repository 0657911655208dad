//! What runs are made of: the data directory and its settings as the plain values that `muster-runs` takes.

use crate::clock::SystemClock;
use crate::config::{self, CsvHeader, PdfPaper, Settings};
use crate::data_dir::{DataDir, SecretFile};
use crate::failure::{Context, Failure, Result};
use crate::ids::SystemIds;
use muster_engine::{Engine, EngineSettings, memory};
use muster_notify::{Deliverer, DelivererSettings, MailSettings, MailTls, Mailer, Webhooks};
use muster_render::pdf::{FontSet, Paper, PdfSettings};
use muster_render::{CsvOptions, FormulaGuard, Header};
use muster_reports::ids::ClientId;
use muster_reports::notify::NotifyPolicy;
use muster_reports::{Catalogue, Category};
use muster_runs::{
    Authority, Comparisons, Copies, Histories, PackageParts, Packages, Refreshes, ReportRuns, ResultExpiry,
    ResultWriting, ReviewRuns, ScheduledRefreshes, Searches, Snapshots, Sweep,
};
use muster_telemetry::Places;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How often notifications that are due are looked for.
const DELIVERY_POLL: Duration = Duration::from_secs(2);

impl DataDir {
    /// Opens the engine.
    ///
    /// # Errors
    /// When its folders cannot be made or its threads not started.
    pub fn engine(&self) -> Result<Arc<Engine>> {
        let settings = &self.settings.engine;
        let memory_limit = match settings.memory_limit.0 {
            0 => memory::for_plans(),
            bytes => bytes,
        };
        let settings = EngineSettings {
            tables_dir: self.own_tables_dir()?,
            work_dir: self.work_dir()?,
            memory_limit_bytes: usize::try_from(memory_limit).unwrap_or(usize::MAX),
            threads: self.threads(),
        };
        Ok(Arc::new(Engine::open(settings).map_err(muster_reports::Error::from)?))
    }

    /// On how many threads one plan runs, and one format of a result is encoded.
    fn threads(&self) -> usize {
        match self.settings.engine.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        }
    }

    /// What runs these reports.
    pub fn report_runs(&self, engine: Arc<Engine>, catalogue: Catalogue) -> Result<ReportRuns> {
        let (csv, pdf) = (&self.settings.csv, &self.settings.pdf);
        let writing = ResultWriting {
            files: self.files()?,
            pdf: PdfSettings {
                paper: match pdf.paper {
                    PdfPaper::A4 => Paper::A4,
                    PdfPaper::Letter => Paper::Letter,
                },
                pages_max: pdf.pages_max,
                fonts: match &pdf.fonts {
                    None => FontSet::with_folders(FontSet::usual_folders()),
                    Some(folders) => FontSet::with_folders(folders.clone()),
                },
                ..PdfSettings::new("")
            },
            csv: CsvOptions {
                header: match csv.header {
                    CsvHeader::Name => Header::Names,
                    CsvHeader::Label => Header::Labels,
                },
                formula_guard: if csv.formula_guard { FormulaGuard::On } else { FormulaGuard::Off },
                bom: csv.bom,
            },
            work_dir: self.work_dir()?,
            threads: self.threads(),
            clock: Arc::new(SystemClock),
        };
        let definitions = self.kept_definitions(catalogue);
        Ok(ReportRuns {
            engine,
            definitions,
            snapshots: self.store.clone(),
            reviews: self.store.clone(),
            writing,
        })
    }

    /// What reads the population of access reviews, and makes and reads their sheets.
    pub fn review_runs(&self, engine: Arc<Engine>) -> Result<ReviewRuns> {
        Ok(ReviewRuns { engine, work_dir: self.work_dir()?, ids: Arc::new(SystemIds) })
    }

    /// What searches documents for requests.
    pub fn searches(&self, engine: Arc<Engine>) -> Searches {
        Searches::new(engine, self.store.clone(), Arc::new(SystemClock))
    }

    /// What reads the history of identities for requests.
    pub fn histories(&self, engine: Arc<Engine>) -> Histories {
        Histories::new(engine, self.store.clone())
    }

    /// The snapshots.
    pub fn snapshots(&self, engine: Arc<Engine>) -> Result<Snapshots> {
        Ok(Snapshots {
            engine,
            catalogue: self.store.clone(),
            audit: self.store.clone(),
            events: self.events(),
            clock: Arc::new(SystemClock),
            tenant: self.tenant.clone(),
            shared_dir: self.shared_dir().to_owned(),
            tables_dir: self.own_tables_dir()?,
            policy: self.settings.snapshots.policy(),
            trash_days: self.settings.data.trash_days,
        })
    }

    /// What refreshes.
    pub fn refreshes(&self, engine: Arc<Engine>) -> Result<Refreshes> {
        Ok(Refreshes {
            snapshots: self.snapshots(engine)?,
            registry: self.store.clone(),
            ids: Arc::new(SystemIds),
            environment: Arc::new(|name| std::env::var(name).ok()),
            publish_incomplete: self.settings.refresh.publish_incomplete,
            limits: self.settings.refresh.guards.limits(),
            log: self.store.clone(),
        })
    }

    /// What refreshes for schedules, in the name of the service.
    pub fn scheduled_refreshes(&self, engine: Arc<Engine>) -> Result<ScheduledRefreshes> {
        let mut refreshes = self.refreshes(engine)?;
        let events = self.events();
        refreshes.snapshots.events = Arc::new(move |operation, about: &str, details| {
            let mut event = events(operation, about, details);
            event.caller.client = ClientId::new("schedules");
            event.caller.user = None;
            event
        });
        Ok(ScheduledRefreshes(Arc::new(refreshes)))
    }

    /// Which notifications the settings allow.
    pub fn notify_policy(&self) -> NotifyPolicy {
        let Settings { mail, notifications, .. } = &self.settings;
        NotifyPolicy {
            email: mail.server.is_some(),
            domains: mail.domains.clone(),
            attachment_bytes_max: mail.attachment_max.0,
            internal_networks: notifications.internal_networks,
        }
    }

    /// What delivers notifications.
    pub fn deliverer(&self) -> Result<Deliverer> {
        let Settings { mail, notifications, .. } = &self.settings;
        let public_url = notifications.public_url.as_ref().map(|url| url.trim_end_matches('/').to_owned());
        Ok(Deliverer {
            store: self.store.clone(),
            tasks: self.store.clone(),
            credentials: self.store.clone(),
            files: Arc::new(self.files()?),
            audit: self.store.clone(),
            clock: Arc::new(SystemClock),
            ids: Arc::new(SystemIds),
            traces: Arc::new(Places),
            mailer: self.mailer()?,
            webhooks: Webhooks::new(self.webhook_keys()?, notifications.internal_networks)?,
            settings: DelivererSettings {
                poll: DELIVERY_POLL,
                attempts: DelivererSettings::attempts(notifications.attempts_max, notifications.retry_s),
                public_url,
                attachment_bytes_max: mail.attachment_max.0,
            },
        })
    }

    /// What sends mail, if the settings name a server.
    fn mailer(&self) -> Result<Option<Mailer>> {
        let mail = &self.settings.mail;
        let (Some(server), Some(from)) = (&mail.server, &mail.from) else { return Ok(None) };
        let read = |key: &str, file: &Path| {
            let path = SecretFile::find(key, file, self.dir())?.path;
            std::fs::read(&path).context(|| format!("{key}: {} cannot be read", path.display()))
        };
        let password = match &mail.password_file {
            None => None,
            Some(file) => {
                let text = String::from_utf8(read("mail.password_file", file)?).map_err(|_| {
                    Failure::usage("mail.password_file is not UTF-8: expected a password in one line")
                })?;
                Some(text.trim_end_matches(['\r', '\n']).to_owned())
            }
        };
        let settings = MailSettings {
            server: server.clone(),
            port: mail.port,
            tls: match mail.tls {
                config::MailTls::Tls => MailTls::Tls,
                config::MailTls::Starttls => MailTls::StartTls,
                config::MailTls::None => MailTls::None,
            },
            credentials: mail.user.clone().zip(password),
            from: from.clone(),
            trusted_pem: mail.ca_file.as_ref().map(|file| read("mail.ca_file", file)).transpose()?,
        };
        Ok(Some(Mailer::new(&settings)?))
    }

    /// What lets results expire.
    pub fn result_expiry(&self) -> Result<ResultExpiry> {
        Ok(ResultExpiry {
            retention: self.store.clone(),
            files: self.files()?,
            clock: Arc::new(SystemClock),
            tenant: self.tenant.clone(),
            policy: self.settings.results.policy(),
            audit: self.store.clone(),
            events: self.events(),
            kept: Mutex::default(),
        })
    }

    /// What sweeps result files.
    pub fn sweep(&self) -> Result<Sweep> {
        Ok(Sweep {
            files: self.files()?,
            results_dir: self.results_dir(),
            shared: self.shares_results(),
            tasks: self.store.clone(),
            audit: self.store.clone(),
            events: self.events(),
            clock: Arc::new(SystemClock),
            trash_days: self.settings.data.trash_days,
        })
    }

    /// What makes evidence packages, which take room of `copies`.
    pub fn packages(&self, engine: Arc<Engine>, copies: Arc<Copies>) -> Result<Packages> {
        let parts = PackageParts {
            files: self.files()?,
            snapshots: self.store.clone(),
            engine,
            audit: self.store.clone(),
            authority: self.authority()?,
            clock: Arc::new(SystemClock),
            ids: Arc::new(SystemIds),
            work_dir: self.work_dir()?,
            copies,
        };
        Ok(Packages::new(parts, self.evidence_key()?))
    }

    /// The time-stamping authority, if the settings name one.
    fn authority(&self) -> Result<Option<Authority>> {
        let settings = &self.settings.evidence;
        let Some(address) = &settings.time_stamp_url else { return Ok(None) };
        let timeout = Duration::from_millis(settings.time_stamp_timeout_ms);
        match Authority::at(address, timeout, settings.time_stamp_required) {
            Ok(authority) => Ok(Some(authority)),
            Err(error) if error.category == Category::Invalid => {
                Err(Failure::usage(format!("evidence.time_stamp_url {error}")))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// What compares runs of these reports; what it writes takes room of `copies`.
    pub fn comparisons(&self, catalogue: Catalogue, copies: Arc<Copies>) -> Result<Comparisons> {
        Ok(Comparisons::new(self.files()?, catalogue, self.work_dir()?, Arc::new(SystemIds), copies))
    }
}
