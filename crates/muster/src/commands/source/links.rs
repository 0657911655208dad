//! `muster source links`: the links that people made, as the file that `muster source link` takes.
//!
//! Cells are written as they stand, without the guard against formulas: a link that comes back from the file
//! must name the same account.

use crate::api::partial;
use crate::data_dir::DataDir;
use crate::failure::{Context, Failure, Result};
use crate::output::print;
use muster_reports::ports::{ManualLink, RegisteredSource, Registry};
use std::path::Path;

/// Writes every link of the tenant to `to`, by source and account; `-` is standard output.
pub async fn run(to: &Path, data: &DataDir) -> Result {
    let sources = data.store.sources(&data.tenant).await?;
    let text = written(&data.store.links(&data.tenant).await?, &sources)?;
    if to.as_os_str() == "-" {
        return print(text.trim_end());
    }
    let unwritable = || format!("{} cannot be written", to.display());
    let partial = partial(to);
    std::fs::write(&partial, text).context(unwritable)?;
    std::fs::rename(&partial, to).context(unwritable)
}

/// The file's text. Nobody knows the display names here, and reading the file asks for none.
pub(super) fn written(links: &[ManualLink], sources: &[RegisteredSource]) -> Result<String> {
    let failed = || "the links cannot be written".to_owned();
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(["account", "displayName", "userName", "type"]).context(failed)?;
    for link in links {
        let source = sources.iter().find(|source| source.id == link.source).ok_or_else(|| {
            Failure::new(format!(
                "account {:?} is linked on source {}, which is not registered",
                link.native_identity, link.source
            ))
        })?;
        let row = [link.native_identity.as_str(), "", &link.identity_name, &source.name];
        writer.write_record(row).context(failed)?;
    }
    let bytes = writer.into_inner().map_err(|error| Failure::with(failed(), error.into_error()))?;
    String::from_utf8(bytes).context(failed)
}
