//! The items of a review that are asked for, as conditions of a statement.

use crate::session::{Read, Row, Value};
use crate::store::Store;
use muster_reports::ids::{ReviewId, TenantId};
use muster_reports::review::WantedItems;

impl Store {
    /// The rows of the items that are asked for; of these numbers, if there are some.
    pub(super) async fn rows_of_review(
        &self,
        tenant: &TenantId,
        id: &ReviewId,
        wanted: &WantedItems,
        numbers: Option<&[u32]>,
    ) -> Read<Vec<Row>> {
        let mut given = vec![Value::Text(tenant.as_str()), Value::Text(id.as_str())];
        let names = Names::of(wanted);
        let mut conditions = conditions(wanted, &names, numbers, &mut given);
        if wanted.after > 0 {
            given.push(Value::Integer(i64::from(wanted.after)));
            conditions.push_str(&format!(" AND i.number > ${}", given.len()));
        }
        let limit = match wanted.limit {
            None => String::new(),
            Some(limit) => {
                given.push(Value::Integer(i64::from(limit)));
                format!(" LIMIT ${}", given.len())
            }
        };
        let sql = format!(
            "SELECT i.number, i.content, i.digest, i.handed_over, d.sequence, d.decision
             FROM review_items i
             LEFT JOIN review_decisions d
                ON d.tenant = i.tenant AND d.review = i.review AND d.sequence = i.decided
             WHERE i.tenant = $1 AND i.review = $2{conditions} ORDER BY i.number{limit}"
        );
        self.read_built(sql, &given).await
    }
}

/// Names of what is asked for, as they are kept.
pub(super) struct Names {
    reviewed_by: String,
    reviewer: String,
}

impl Names {
    pub(super) fn of(wanted: &WantedItems) -> Self {
        Self {
            reviewed_by: wanted.reviewed_by.as_ref().map(|(_, name)| as_kept(name)).unwrap_or_default(),
            reviewer: wanted.reviewer.as_deref().map(as_kept).unwrap_or_default(),
        }
    }
}

/// A name as it is kept: as a text of JSON, which every database takes.
pub(super) fn as_kept(name: &str) -> String {
    serde_json::Value::from(name).to_string()
}

/// The conditions of what is asked for, without `after` and the limit. Values are added to `given`.
pub(super) fn conditions<'v>(
    wanted: &'v WantedItems,
    names: &'v Names,
    numbers: Option<&[u32]>,
    given: &mut Vec<Value<'v>>,
) -> String {
    let mut conditions = String::new();
    if let Some((id, _)) = &wanted.reviewed_by {
        given.extend([Value::Text(id), Value::Text(&names.reviewed_by)]);
        let (id, name) = (given.len() - 1, given.len());
        conditions.push_str(&format!(" AND (i.reviewer_id = ${id} OR i.reviewer_name = ${name})"));
    }
    if wanted.reviewer.is_some() {
        given.push(Value::Text(&names.reviewer));
        conditions.push_str(&format!(" AND i.reviewer_name = ${}", given.len()));
    }
    if let Some(sources) = &wanted.sources {
        let places: Vec<_> = sources
            .iter()
            .map(|source| {
                given.push(Value::Text(source));
                format!("${}", given.len())
            })
            .collect();
        // Without sources there is no row.
        let places = if places.is_empty() { "NULL".to_owned() } else { places.join(", ") };
        conditions.push_str(&format!(" AND i.source_id IN ({places})"));
    }
    if wanted.undecided {
        conditions.push_str(" AND i.choice IS NULL");
    }
    if let Some(numbers) = numbers {
        let places: Vec<_> = numbers
            .iter()
            .map(|number| {
                given.push(Value::Integer(i64::from(*number)));
                format!("${}", given.len())
            })
            .collect();
        let places = if places.is_empty() { "NULL".to_owned() } else { places.join(", ") };
        conditions.push_str(&format!(" AND i.number IN ({places})"));
    }
    conditions
}
