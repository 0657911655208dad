//! A key in a token: hardware, or a program like it, that signs and never tells the key (PKCS #11).
//!
//! A setting names it by the URI of RFC 7512:
//!
//! ```text
//! pkcs11:token=muster;object=evidence?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/etc/muster/pin
//! ```
//!
//! Invariants:
//! - the PIN is in a file and never in the setting, because settings are shown;
//! - a PIN that was refused is not sent a second time: tokens lock themselves after a few attempts.

use super::secret_file::SecretFile;
use crate::failure::{Context, Failure, Result};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error as TokenError, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use muster_render::evidence::{HeldKey, SigningKey};
use percent_encoding::percent_decode_str;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// What a URI begins with.
const SCHEME: &str = "pkcs11:";
/// The attributes that are read.
const KNOWN: &str = "token, serial, object, id, type=private, module-path, pin-source";

/// Where a key is that is in a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInToken {
    /// The library of the token's maker.
    module: PathBuf,
    /// The label of the token.
    token: Option<String>,
    /// Its serial number.
    serial: Option<String>,
    /// The label of the key.
    object: Option<String>,
    /// The id of the key.
    id: Option<Vec<u8>>,
    /// The file with the PIN, or a credential of systemd.
    pin: PathBuf,
}

impl KeyInToken {
    /// The key that the setting names, if it is the URI of one.
    ///
    /// # Errors
    /// When the URI names too little, or something that is not read.
    pub fn named(setting: &str, named: &Path) -> Result<Option<Self>> {
        let Some(rest) = named.to_str().and_then(|text| text.strip_prefix(SCHEME)) else { return Ok(None) };
        Self::read(rest).map(Some).map_err(|reason| Failure::usage(format!("{setting}: {reason}")))
    }

    fn read(rest: &str) -> Result<Self, String> {
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (mut token, mut serial, mut object, mut id) = (None, None, None, None);
        let (mut module, mut pin) = (None, None);
        let attributes = path.split(';').chain(query.split('&')).filter(|attribute| !attribute.is_empty());
        for attribute in attributes {
            let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
            let bytes: Vec<u8> = percent_decode_str(value).collect();
            let text = || {
                let text = String::from_utf8(bytes.clone()).ok().filter(|text| !text.is_empty());
                text.ok_or_else(|| format!("{name} is not a text: expected one, in UTF-8"))
            };
            match name {
                "token" => token = Some(text()?),
                "serial" => serial = Some(text()?),
                "object" => object = Some(text()?),
                "id" => id = Some(bytes).filter(|id| !id.is_empty()),
                "type" if value == "private" => {}
                "module-path" => module = Some(PathBuf::from(text()?)),
                "pin-source" => pin = Some(pin_file(&text()?)),
                // Its value is not repeated.
                "pin-value" => {
                    return Err(
                        "pin-value has a PIN, and settings are shown: expected pin-source with a file".into(),
                    );
                }
                other => {
                    return Err(format!("unknown attribute {other:?} of the token's URI: expected {KNOWN}"));
                }
            }
        }
        let lacks = |name: &str| format!("the token's URI has no {name}");
        if object.is_none() && id.is_none() {
            return Err(lacks("object and no id: expected one of them, which names the key"));
        }
        Ok(Self {
            module: module.ok_or_else(|| lacks("module-path: expected the library of the token's maker"))?,
            pin: pin.ok_or_else(|| lacks("pin-source: expected file:PATH or credential:NAME"))?,
            token,
            serial,
            object,
            id,
        })
    }

    /// Opens the token, and finds the key in it.
    ///
    /// # Errors
    /// When the library, the token, its PIN or the key is not there; when the key is not of Ed25519.
    pub fn open(&self, setting: &str, dir: &Path) -> Result<SigningKey> {
        let pin = SecretFile::find(setting, &self.pin, dir)?.text(setting)?;
        let wrong = |what: &str| format!("{setting}: {what} ({})", self.module.display());
        let library =
            Pkcs11::new(&self.module).context(|| wrong("the library of the token cannot be loaded"))?;
        match library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            // By an earlier call of this process.
            Err(TokenError::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            initialized => initialized.context(|| wrong("the library of the token cannot be used"))?,
        }
        let slot = self.slot(&library, setting)?;
        let token = Token { library, slot, pin: AuthPin::from(pin), key: self.clone() };
        let session = token.log_in().context(|| wrong("the token does not let us in"))?;
        let public = token.public(&session).context(|| wrong("the public key cannot be read"))?;
        let held = HeldInToken { token, session: Mutex::new(Some(session)) };
        SigningKey::held(&public, Box::new(held)).context(|| wrong("the public key cannot be used"))
    }

    fn slot(&self, library: &Pkcs11, setting: &str) -> Result<Slot> {
        let failed = || format!("{setting}: the tokens cannot be listed");
        let (mut found, mut seen) = (Vec::new(), Vec::new());
        for slot in library.get_slots_with_token().context(failed)? {
            let token = library.get_token_info(slot).context(failed)?;
            let is_wanted =
                |wanted: &Option<String>, has: &str| wanted.as_ref().is_none_or(|wanted| wanted == has);
            if token.token_initialized() {
                seen.push(format!("{:?}", token.label()));
                if is_wanted(&self.token, token.label()) && is_wanted(&self.serial, token.serial_number()) {
                    found.push(slot);
                }
            }
        }
        match found.as_slice() {
            [slot] => Ok(*slot),
            slots => Err(Failure::new(format!(
                "{setting}: {} tokens are as the URI says: expected one; those that are there: {}",
                slots.len(),
                if seen.is_empty() { "none".to_owned() } else { seen.join(", ") }
            ))),
        }
    }

    /// What finds an object of this class.
    fn template(&self, class: ObjectClass) -> Vec<Attribute> {
        let mut template = vec![Attribute::Class(class), Attribute::KeyType(KeyType::EC_EDWARDS)];
        template.extend(self.object.iter().map(|label| Attribute::Label(label.clone().into_bytes())));
        template.extend(self.id.iter().map(|id| Attribute::Id(id.clone())));
        template
    }
}

/// The file that a `pin-source` names: a path, `file:PATH`, or a credential of systemd.
fn pin_file(source: &str) -> PathBuf {
    let path = source.strip_prefix("file:").unwrap_or(source);
    PathBuf::from(path.strip_prefix("//").filter(|path| path.starts_with('/')).unwrap_or(path))
}

type Told<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// A token, and how its key is reached.
struct Token {
    library: Pkcs11,
    slot: Slot,
    pin: AuthPin,
    key: KeyInToken,
}

impl Token {
    fn log_in(&self) -> Told<Session> {
        let session = self.library.open_ro_session(self.slot)?;
        match session.login(UserType::User, Some(&self.pin)) {
            // A token knows one user for all sessions of a process.
            Ok(()) | Err(TokenError::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(session),
            Err(error) => Err(error.into()),
        }
    }

    /// The one object of this class that the URI names.
    fn one(&self, session: &Session, class: ObjectClass, shown: &str) -> Told<ObjectHandle> {
        match session.find_objects(&self.key.template(class))?.as_slice() {
            [object] => Ok(*object),
            objects => Err(format!(
                "{} objects of the token are a {shown} of the kind Ed25519 as the URI says: expected one",
                objects.len()
            )
            .into()),
        }
    }

    fn public(&self, session: &Session) -> Told<[u8; 32]> {
        let object = self.one(session, ObjectClass::PUBLIC_KEY, "public key")?;
        let told = session.get_attributes(object, &[AttributeType::EcPoint])?;
        let point = told.iter().find_map(|attribute| {
            let Attribute::EcPoint(point) = attribute else { return None };
            Some(point.as_slice())
        });
        let point = point.and_then(bare_point);
        point.ok_or_else(|| "the token tells a public key in an unknown form: expected 32 bytes".into())
    }

    fn sign(&self, session: &Session, message: &[u8]) -> Told<Vec<u8>> {
        let object = self.one(session, ObjectClass::PRIVATE_KEY, "private key")?;
        let mechanism = Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Ed25519));
        Ok(session.sign(&mechanism, object, message)?)
    }
}

/// The 32 bytes of a public key: as they are, or as DER's octet string or bit string, which tokens of different makers tell.
fn bare_point(point: &[u8]) -> Option<[u8; 32]> {
    let bare = match point {
        [0x04, 0x20, bare @ ..] | [0x03, 0x21, 0x00, bare @ ..] if bare.len() == 32 => bare,
        bare => bare,
    };
    bare.try_into().ok()
}

/// A key in a token, over a session that stays open.
struct HeldInToken {
    token: Token,
    /// Sessions are used by one thread at a time.
    session: Mutex<Option<Session>>,
}

impl HeldKey for HeldInToken {
    fn sign(&self, message: &[u8]) -> Told<Vec<u8>> {
        let mut kept = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        // Taken out: after a failure, the next call begins with a new session.
        if let Some(session) = kept.take() {
            match self.token.sign(&session, message) {
                Ok(signature) => {
                    *kept = Some(session);
                    return Ok(signature);
                }
                // A token that was away and is back does not know the session.
                Err(error) => {
                    tracing::warn!(%error, "the token did not sign; it is asked again over a new session")
                }
            }
        }
        let session = self.token.log_in()?;
        let signature = self.token.sign(&session, message)?;
        *kept = Some(session);
        Ok(signature)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn read(text: &str) -> Result<Option<KeyInToken>> {
        KeyInToken::named("keys.evidence", Path::new(text))
    }

    #[test]
    fn a_uri_names_library_token_key_and_the_file_of_the_pin() {
        let uri = "pkcs11:token=The%20Software%3b;serial=0a1;object=evidence;id=%01%ff;type=private?module-path=/usr/lib/t.so\
                   &pin-source=file:/etc/muster/pin";
        let expected = KeyInToken {
            module: "/usr/lib/t.so".into(),
            token: Some("The Software;".into()),
            serial: Some("0a1".into()),
            object: Some("evidence".into()),
            id: Some(vec![1, 255]),
            pin: "/etc/muster/pin".into(),
        };
        assert_eq!(read(uri).unwrap(), Some(expected));
        for source in ["file:///etc/pin", "file:/etc/pin", "/etc/pin"] {
            let uri = format!("pkcs11:object=e?module-path=/t.so&pin-source={source}");
            assert_eq!(read(&uri).unwrap().unwrap().pin, Path::new("/etc/pin"));
        }
        let uri = "pkcs11:object=e?module-path=/t.so&pin-source=credential:pin";
        assert_eq!(read(uri).unwrap().unwrap().pin, Path::new("credential:pin"));
        assert_eq!(read("/etc/pkcs11:object=e").unwrap(), None);
    }

    #[test]
    fn what_a_uri_lacks_or_must_not_have_is_said() {
        for (uri, reason) in [
            ("pkcs11:", "no object and no id"),
            ("pkcs11:id=?module-path=/t.so&pin-source=/p", "no object and no id"),
            ("pkcs11:object=e?pin-source=/p", "no module-path"),
            ("pkcs11:object=e?module-path=/t.so", "no pin-source"),
            ("pkcs11:object=e?module-path=/t.so&pin-value=1234", "pin-value has a PIN"),
            ("pkcs11:object=e;type=public?module-path=/t.so&pin-source=/p", "unknown attribute \"type\""),
            ("pkcs11:object=e;slot-id=1?module-path=/t.so&pin-source=/p", "unknown attribute \"slot-id\""),
            ("pkcs11:object=%ff?module-path=/t.so&pin-source=/p", "object is not a text"),
        ] {
            let error = read(uri).unwrap_err().to_string();
            assert!(error.starts_with("keys.evidence: ") && error.contains(reason), "{uri}: {error}");
            assert!(!error.contains("1234"), "{error}");
        }
    }

    #[test]
    fn a_point_is_told_in_several_forms() {
        let bare: Vec<u8> = (0..32).collect();
        let with = |prefix: &[u8]| [prefix, &bare].concat();
        for told in [with(&[]), with(&[4, 32]), with(&[3, 33, 0])] {
            assert_eq!(bare_point(&told).unwrap().as_slice(), bare);
        }
        for told in [with(&[4]), with(&[4, 33]), bare[1..].to_vec(), Vec::new()] {
            assert_eq!(bare_point(&told), None);
        }
    }
}
