//! What no single setting shows to be wrong.

use super::{Mail, Notifications, Server, Settings, Telemetry, Worker};
use muster_reports::schedule::time_zone;
use muster_runs::BucketPlace;

impl Settings {
    /// What no single value shows to be wrong: the key and the reason.
    pub(super) fn fault(&self) -> Option<(&'static str, String)> {
        let Server { listen, behind_proxy, tls_certificate, tls_key, .. } = &self.server;
        let reachable = !listen.ip().is_loopback() && !behind_proxy && tls_certificate.is_none();
        let slow_heart = self.worker.heartbeat_ms.saturating_mul(3) > self.worker.lease_ms;
        let positive = [
            ("server.header_timeout_ms", self.server.header_timeout_ms),
            ("server.body_timeout_ms", self.server.body_timeout_ms),
            ("server.idle_timeout_ms", self.server.idle_timeout_ms),
            ("server.request_timeout_ms", self.server.request_timeout_ms),
            ("server.write_timeout_ms", self.server.write_timeout_ms),
            ("server.connections_max", self.server.connections_max as u64),
            ("telemetry.timeout_ms", self.telemetry.timeout_ms),
            ("telemetry.interval_s", self.telemetry.interval_s),
            ("console.idle_s", self.console.idle_s),
            ("console.longest_s", self.console.longest_s),
            ("auth.token_lifetime_s", self.auth.token_lifetime_s),
            ("rate_limit.requests", u64::from(self.rate_limit.requests)),
            ("rate_limit.tenant_requests", u64::from(self.rate_limit.tenant_requests)),
            ("rate_limit.token_requests", u64::from(self.rate_limit.token_requests)),
            ("rate_limit.window_s", self.rate_limit.window_s),
            ("pdf.pages_max", u64::from(self.pdf.pages_max)),
            ("evidence.time_stamp_timeout_ms", self.evidence.time_stamp_timeout_ms),
            ("snapshots.keep_last", u64::from(self.snapshots.keep_last)),
            ("store.connections", u64::from(self.store.connections)),
            ("worker.heartbeat_ms", self.worker.heartbeat_ms),
            ("worker.poll_ms", self.worker.poll_ms),
            ("worker.deadline_s", self.worker.deadline_s),
            ("worker.attempts_max", u64::from(self.worker.attempts_max)),
            ("schedules.attempts_max", u64::from(self.schedules.attempts_max)),
            ("schedules.retry_s", self.schedules.retry_s),
            ("notifications.attempts_max", u64::from(self.notifications.attempts_max)),
            ("notifications.retry_s", self.notifications.retry_s),
            ("worker.retry_first_ms", self.worker.retry_first_ms),
            ("worker.retry_most_ms", self.worker.retry_most_ms),
        ];
        if let Err(error) = time_zone(&self.schedules.time_zone) {
            return Some(("schedules.time_zone", error.message));
        }
        if self.results.keep_days == Some(0) {
            return Some((
                "results.keep_days",
                "0: expected at least 1, or no value to keep files for ever".into(),
            ));
        }
        if let Some(fault) = self.bucket_fault() {
            return Some(fault);
        }
        if reachable {
            return Some((
                "server.listen",
                format!(
                    "{listen} can be reached by others and this service speaks plain HTTP: expected a loopback \
                     address, server.tls_certificate and server.tls_key, or server.behind_proxy = true behind a \
                     proxy that terminates TLS"
                ),
            ));
        }
        match (tls_certificate, tls_key) {
            (Some(_), None) => {
                return Some(("server.tls_key", "absent: expected the key of the certificate".into()));
            }
            (None, Some(_)) => {
                return Some((
                    "server.tls_certificate",
                    "absent: expected the certificate of the key".into(),
                ));
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
        if let Some((key, _)) = positive.into_iter().find(|(_, value)| *value == 0) {
            return Some((key, "0: expected at least 1".into()));
        }
        if self.server.body_timeout_ms >= self.server.request_timeout_ms {
            let Server { body_timeout_ms, request_timeout_ms, .. } = self.server;
            return Some((
                "server.body_timeout_ms",
                format!(
                    "{body_timeout_ms}: expected less than server.request_timeout_ms, which is {request_timeout_ms}"
                ),
            ));
        }
        if slow_heart {
            let Worker { heartbeat_ms, lease_ms, .. } = self.worker;
            return Some((
                "worker.heartbeat_ms",
                format!("{heartbeat_ms}: expected at most a third of worker.lease_ms, which is {lease_ms}"),
            ));
        }
        if let Some(fault) = self.auth.issuers.iter().find_map(|issuer| issuer.fault(&self.tenant.id)) {
            return Some(("auth.issuers", fault));
        }
        if let Some(fault) = self.console_fault() {
            return Some(fault);
        }
        let faults =
            [self.audit.fault(), self.notifications.fault(), self.mail.fault(), self.telemetry.fault()];
        if let Some(fault) = faults.into_iter().flatten().next() {
            return Some(fault);
        }
        if self.data.shared.is_some() && self.store.url.is_none() {
            let reason =
                "set without store.url: expected it only where processes share a PostgreSQL database";
            return Some(("data.shared", reason.into()));
        }
        if self.store.password_file.is_some() {
            let wrong = match &self.store.url {
                None => Some("set without store.url: expected it only with a PostgreSQL database"),
                Some(url) if url.has_password() => {
                    Some("set, and store.url has a password too: expected one of the two")
                }
                Some(_) => None,
            };
            if let Some(reason) = wrong {
                return Some(("store.password_file", reason.into()));
            }
        }
        // Longer ones could not be added to a time.
        for (key, seconds) in [
            ("worker.deadline_s", self.worker.deadline_s),
            ("schedules.retry_s", self.schedules.retry_s),
            ("auth.token_lifetime_s", self.auth.token_lifetime_s),
        ] {
            if seconds > 366 * 86_400 {
                return Some((key, "longer than a year: expected at most 31622400".into()));
            }
        }
        for (key, text) in [
            ("tenant.id", &self.tenant.id),
            ("tenant.org", &self.tenant.org),
            ("tenant.pod", &self.tenant.pod),
        ] {
            if text.trim().is_empty() {
                return Some((key, "blank: expected a name".into()));
            }
        }
        if (1..64 << 20).contains(&self.engine.memory_limit.0) {
            return Some((
                "engine.memory_limit",
                format!("{}: expected at least 64MiB, or 0", self.engine.memory_limit),
            ));
        }
        None
    }
}

impl Settings {
    /// What is wrong with signing in to the console: the key and the reason.
    fn console_fault(&self) -> Option<(&'static str, String)> {
        const KEY: &str = "console.public_url";
        let signs_in = self.auth.issuers.iter().find(|issuer| issuer.sign_in_client.is_some());
        let Some(url) = &self.console.public_url else {
            let reason = |issuer: &str| format!("absent: expected it, because people sign in at {issuer:?}");
            return signs_in.map(|issuer| (KEY, reason(&issuer.name)));
        };
        let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
        let is_origin =
            rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(['/', '?', '#', '@', ' ']));
        (!is_origin)
            .then(|| (KEY, format!("{url:?}: expected https://host, or with :port, and nothing after it")))
    }
}

impl Settings {
    /// What is wrong with the bucket of results: the key and the reason.
    fn bucket_fault(&self) -> Option<(&'static str, String)> {
        let folders = [("data.dir", Some(&self.data.dir)), ("data.shared", self.data.shared.as_ref())];
        for (key, folder) in folders.into_iter().filter_map(|(key, folder)| Some((key, folder?))) {
            if folder.to_str().is_some_and(|text| text.contains("://")) {
                let folder = folder.display();
                return Some((
                    key,
                    format!(
                        "\"{folder}\": tables in a bucket are not supported yet: expected a folder; results.location \
                         puts the files of results into a bucket"
                    ),
                ));
            }
        }
        if !(1..=3_600).contains(&self.downloads.presign_s) {
            return Some((
                "downloads.presign_s",
                format!("{}: expected 1 to 3600", self.downloads.presign_s),
            ));
        }
        if !(1 << 10..=1 << 30).contains(&self.results.part_size.0) {
            let reason = format!("{}: expected 1KiB to 1GiB", self.results.part_size);
            return Some(("results.part_size", reason));
        }
        let Some(location) = &self.results.location else {
            let reason = "set without results.location: expected it only with a bucket";
            let set = [
                ("results.location_file", self.results.location_file.is_some()),
                ("downloads.presign", self.downloads.presign),
            ];
            return set.into_iter().find(|(_, is_set)| *is_set).map(|(key, _)| (key, reason.into()));
        };
        let error = BucketPlace::read(location, []).err()?;
        let expected = BucketPlace::EXPECTED;
        Some(("results.location", format!("{location:?} {}: expected {expected}", error.message)))
    }
}

impl Notifications {
    /// What is wrong with it: the key and the reason.
    fn fault(&self) -> Option<(&'static str, String)> {
        let url = self.public_url.as_ref()?;
        let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
        let is_address = rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(['?', '#', '@', ' ']));
        (!is_address).then(|| {
            let reason =
                format!("{url:?}: expected https://host or https://host/path, without a user and a query");
            ("notifications.public_url", reason)
        })
    }
}

impl Telemetry {
    /// What is wrong with it: the key and the reason.
    fn fault(&self) -> Option<(&'static str, String)> {
        let Some(url) = &self.endpoint else {
            let reason =
                "set without telemetry.endpoint: expected the address of the collector that gets the headers";
            return self.headers_file.as_ref().map(|_| ("telemetry.headers_file", reason.into()));
        };
        let (is_tls, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => (false, ""),
        };
        if rest.is_empty() || rest.starts_with('/') || rest.contains(['?', '#', '@', ' ']) {
            let reason = format!(
                "{url:?}: expected https://host:port or http://host:port, without a user and a query"
            );
            return Some(("telemetry.endpoint", reason));
        }
        let host = rest.split('/').next().unwrap_or_default();
        let is_here = ["127.0.0.1", "localhost", "[::1]"]
            .iter()
            .any(|name| host.strip_prefix(name).is_some_and(|port| port.is_empty() || port.starts_with(':')));
        (self.headers_file.is_some() && !is_tls && !is_here).then(|| {
            let reason = format!(
                "{url:?} has plain HTTP and telemetry.headers_file is set: expected https, or an address of this machine"
            );
            ("telemetry.endpoint", reason)
        })
    }
}

impl Mail {
    /// What is wrong with it: the key and the reason.
    fn fault(&self) -> Option<(&'static str, String)> {
        self.server.as_ref()?;
        if self.from.is_none() {
            return Some((
                "mail.from",
                "absent: expected the sender's address, because mail.server is set".into(),
            ));
        }
        match (&self.user, &self.password_file) {
            (Some(_), None) => {
                Some(("mail.password_file", "absent: expected a file, because mail.user is set".into()))
            }
            (None, Some(_)) => {
                Some(("mail.user", "absent: expected a name, because mail.password_file is set".into()))
            }
            (Some(_), Some(_)) | (None, None) => None,
        }
    }
}
