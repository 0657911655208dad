//! Everything that is wrong with the text of a definition, before it is among the reports.

use muster_engine::Engine;
use muster_reports::definition_fault::DefinitionFault;
use muster_reports::error::Result;
use muster_reports::{Catalogue, ReportDefinition};
use std::sync::Arc;

/// The text of a definition that is to be added to the reports of `others`: the definition, if the text is one, and
/// everything that is wrong with it.
///
/// # Errors
/// When the engine has stopped.
pub async fn check_definition(
    engine: &Arc<Engine>,
    text: &str,
    others: &Catalogue,
) -> Result<(Option<ReportDefinition>, Vec<DefinitionFault>)> {
    let (definition, mut faults) = match ReportDefinition::with_faults(text) {
        Ok(read) => read,
        Err(fault) => return Ok((None, vec![fault])),
    };
    if let Err(error) = others.clone().add(definition.clone()) {
        faults.push(DefinitionFault::of(text, "id", error.message));
    }
    let wrong = engine.check_definition(&definition).await?;
    faults.extend(wrong.into_iter().map(|(key, reason)| DefinitionFault::of(text, &key, reason)));
    Ok((Some(definition), faults))
}
