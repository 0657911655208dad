//! Keys that the service makes once for itself and keeps for ever.

use crate::failure::failed;
use crate::session::values;
use crate::store::Store;
use muster_reports::error::{Error, Result};
use std::sync::Arc;

/// Bytes of one secret.
const SECRET_MAX: usize = 4_096;

const FIND: &str = "SELECT value FROM secrets WHERE name = $1";

impl Store {
    /// The secret of this name. The first call ever keeps what `make` gives; every later one, in
    /// whichever process, returns that. Of simultaneous first calls one wins and all return its secret.
    ///
    /// # Errors
    /// `Internal` when `make` gives nothing or more than 4,096 bytes, or the store fails.
    pub async fn secret(&self, name: &str, make: impl FnOnce() -> Vec<u8> + Send) -> Result<Vec<u8>> {
        const WHAT: &str = "read a secret";
        let known = self.read_first(FIND, values![name]).await;
        let known = known.and_then(|row| row.map(|row| row.bytes("value")).transpose());
        if let Some(known) = known.map_err(|error| failed(WHAT, error))? {
            return Ok(known);
        }
        let made = make();
        if made.is_empty() || made.len() > SECRET_MAX {
            return Err(Error::internal(
                format!("the secret {name:?} could not be made"),
                format!("it is {} bytes long: expected 1 to {SECRET_MAX}", made.len()),
            ));
        }
        let kept = Arc::new((name.to_owned(), made));
        self.write(move |mut session| {
            let kept = kept.clone();
            Box::pin(async move {
                let (name, made) = &*kept;
                session
                    .change(
                        "INSERT INTO secrets (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                        values![name, made],
                    )
                    .await
                    .map_err(|error| failed("keep a secret", error))?;
                let row = session.first(FIND, values![name]).await;
                row.and_then(|row| row.ok_or(sqlx::Error::RowNotFound)?.bytes("value"))
                    .map_err(|error| failed(WHAT, error))
            })
        })
        .await
    }
}
