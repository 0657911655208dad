//! Which kind of document an object is.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::check::kind;
use super::{DocumentType, schema};

/// The kind of a document, by the first of these that tells: `_type`; `fixed`, what the definition says; `type`
/// where it is the name of a kind (an event has a `type` of its own); `hint`, the name that stands before the
/// document; the names of its fields.
///
/// # Errors
/// Why it cannot be told, or that `_type` and the definition disagree.
pub(super) fn recognise(
    document: &Map<String, Value>,
    fixed: Option<DocumentType>,
    hint: Option<&str>,
) -> Result<DocumentType, String> {
    let stated =
        match document.get("_type") {
            None | Some(Value::Null) => None,
            Some(Value::String(name)) => Some(named(name).ok_or_else(|| {
                format!("_type names no kind of search document: expected one of {}", names())
            })?),
            Some(other) => return Err(format!("_type is {}: expected one of {}", kind(other), names())),
        };
    if let (Some(stated), Some(fixed)) = (stated, fixed)
        && stated != fixed
    {
        let (stated, fixed) = (stated.index_name(), fixed.index_name());
        return Err(format!("_type makes it one of {stated}: the definition expects {fixed}"));
    }
    let by_type = || DocumentType::from_type_name(document.get("type")?.as_str()?);
    let by_hint = || named(&hint?.to_ascii_lowercase());
    stated.or(fixed).or_else(by_type).or_else(by_hint).map_or_else(|| by_fields(document), Ok)
}

fn named(name: &str) -> Option<DocumentType> {
    DocumentType::from_type_name(name).or_else(|| DocumentType::from_index_name(name))
}

fn names() -> String {
    DocumentType::ALL.map(DocumentType::type_name).join(", ")
}

/// The one kind that has more of the document's fields than every other.
fn by_fields(document: &Map<String, Value>) -> Result<DocumentType, String> {
    static KINDS: LazyLock<HashMap<&'static str, Vec<DocumentType>>> = LazyLock::new(|| {
        let mut kinds = HashMap::<_, Vec<_>>::new();
        for document_type in DocumentType::ALL {
            for field in schema::shape(document_type) {
                kinds.entry(field.name.as_str()).or_default().push(document_type);
            }
        }
        kinds
    });
    let mut scores = DocumentType::ALL.map(|document_type| (0_usize, document_type));
    for document_type in document.keys().filter_map(|name| KINDS.get(name.as_str())).flatten() {
        for (score, _) in scores.iter_mut().filter(|(_, scored)| scored == document_type) {
            *score += 1;
        }
    }
    let most = scores.iter().map(|(score, _)| *score).max().unwrap_or(0);
    let best: Vec<_> = scores.iter().filter(|(score, _)| *score == most).map(|(_, kind)| *kind).collect();
    match best[..] {
        [only] => Ok(only),
        _ => {
            let names = best.iter().map(|kind| kind.index_name()).collect::<Vec<_>>().join(", ");
            Err(format!("its fields do not tell which of {names} it is: expected _type to say it"))
        }
    }
}
