//! Settings that read slapd.

use muster_sources::LdapSettings;
pub use muster_testkit::servers::slapd::{PASSWORD, Slapd};

/// Settings that read everything below the suffix over LDAPS as the administrator.
pub fn settings(slapd: &Slapd) -> LdapSettings {
    LdapSettings {
        ca_file: Some("ca.pem".to_owned()),
        bind_dn: Some(format!("cn=admin,{}", slapd.suffix)),
        password_file: Some("password".to_owned()),
        ..LdapSettings::new(format!("ldaps://127.0.0.1:{}", slapd.tls_port), &slapd.suffix)
    }
}
