//! Files with secrets that settings name: paths, and credentials that systemd hands to the service.
//!
//! `credential:NAME` is the file `NAME` of the folder that systemd names in `CREDENTIALS_DIRECTORY` (`LoadCredential=` of a
//! unit). Why a form of its own and not only a path: a command that is called without the unit finds no such folder, and says
//! so. A path that is empty there could make it go on with another key.

use super::folder;
use crate::failure::{Context, Failure, Result};
use std::path::{Path, PathBuf};

/// What a credential's name is written after.
const PREFIX: &str = "credential:";
/// The variable in which systemd names the folder of credentials.
const FOLDER: &str = "CREDENTIALS_DIRECTORY";

/// Where a file with a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretFile {
    /// Its path.
    pub path: PathBuf,
    /// Whether systemd handed it to this process. Then systemd decides who reads it: it gives the right by an access list,
    /// which looks like a right of the group.
    is_credential: bool,
}

impl SecretFile {
    /// The file that the setting `key` names; a relative path starts from `dir`.
    ///
    /// # Errors
    /// When it is a credential, and this process has none, or its name is none.
    pub fn find(key: &str, named: &Path, dir: &Path) -> Result<Self> {
        Self::find_in(key, named, dir, std::env::var_os(FOLDER).map(PathBuf::from).as_deref())
    }

    fn find_in(key: &str, named: &Path, dir: &Path, credentials: Option<&Path>) -> Result<Self> {
        let Some(name) = named.to_str().and_then(|text| text.strip_prefix(PREFIX)) else {
            return Ok(Self { path: dir.join(named), is_credential: false });
        };
        if name.is_empty() || name.contains('/') || name == "." || name == ".." {
            return Err(Failure::usage(format!(
                "{key}: {}: expected {PREFIX}NAME with the name of a credential",
                named.display()
            )));
        }
        let Some(folder) = credentials else {
            return Err(Failure::usage(format!(
                "{key}: {}: this process has no credentials ({FOLDER} is not set): expected a call by a unit of systemd \
                 with LoadCredential={name}:FILE, for a command `systemd-run --pipe --property LoadCredential={name}:FILE \
                 ...`",
                named.display()
            )));
        };
        Ok(Self { path: folder.join(name), is_credential: true })
    }

    /// Its text without the end of its last line.
    ///
    /// # Errors
    /// When it is not there, cannot be read, is not UTF-8, or others may read it.
    pub fn text(&self, key: &str) -> Result<String> {
        let text = if self.is_credential {
            std::fs::read_to_string(&self.path)
                .context(|| format!("{key}: {} cannot be read", self.path.display()))?
        } else {
            folder::secret(&self.path)
                .context(|| key.to_owned())?
                .ok_or_else(|| Failure::new(format!("{key}: there is no file {}", self.path.display())))?
        };
        Ok(text.trim_end_matches(['\r', '\n']).to_owned())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn set_mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_path_starts_from_the_data_directory_and_others_may_not_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = SecretFile::find_in("mail.password_file", Path::new("mail"), dir.path(), None).unwrap();
        assert_eq!(file.path, dir.path().join("mail"));
        let missing = file.text("mail.password_file").unwrap_err().to_string();
        assert!(missing.starts_with("mail.password_file: there is no file "), "{missing}");
        std::fs::write(&file.path, "not told\r\n").unwrap();
        set_mode(&file.path, 0o640);
        let refused = muster_reports::error::error_chain(&file.text("mail.password_file").unwrap_err());
        assert!(refused.contains("mail.password_file: others may read"), "{refused}");
        assert!(!refused.contains("not told"), "{refused}");
        set_mode(&file.path, 0o600);
        assert_eq!(file.text("mail.password_file").unwrap(), "not told");
    }

    #[test]
    fn a_credential_is_in_the_folder_that_systemd_names() {
        let (dir, given) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(given.path().join("mail"), "told by systemd\n").unwrap();
        // As systemd shows a file that its access list opens to one user.
        set_mode(&given.path().join("mail"), 0o440);
        let named = Path::new("credential:mail");
        let file = SecretFile::find_in("mail.password_file", named, dir.path(), Some(given.path())).unwrap();
        assert_eq!(file.text("mail.password_file").unwrap(), "told by systemd");
        let refused =
            SecretFile::find_in("mail.password_file", named, dir.path(), None).unwrap_err().to_string();
        assert!(refused.contains("LoadCredential=mail:FILE"), "{refused}");
    }

    #[test]
    fn a_credential_does_not_lead_out_of_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        for wrong in
            ["credential:", "credential:../etc/passwd", "credential:a/b", "credential:..", "credential:."]
        {
            let refused = SecretFile::find_in("keys.audit", Path::new(wrong), dir.path(), Some(dir.path()));
            assert!(refused.unwrap_err().to_string().contains("expected credential:NAME"), "{wrong}");
        }
    }
}
