//! The published fields of each kind of document, as Arrow schemas.
//!
//! Sources of the fields: the published schemas `IdentityDocument`, `AccessProfileDocument`, `RoleDocument`,
//! `EntitlementDocument`, `EventDocument` and `AccountActivityDocument`, and what the published examples of
//! such documents show beyond them (marked below). A test compares the two with this file where they are at
//! hand.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};

use super::DocumentType;
use super::shape::{FieldShape, Shape, parse};
use crate::record::{LIST_ITEM_FIELD, attributes_type, list_item};

/// Key of a field's metadata that says how its texts are compared.
pub const FIELD_KIND: &str = "muster.kind";
/// The value of [`FIELD_KIND`] for texts that are compared whole and with case: ids and digests. A text field
/// without it is analysed into words.
pub const FIELD_KIND_KEYWORD: &str = "keyword";

/// Time zone of every point in time.
pub(super) const UTC: &str = "UTC";

// In the examples only: of an access item `enabled`, `requestable`, `requestCommentsRequired`, `cloudEligible`,
// `cloudGoverned` and `schema`, and `tagCount` in addition to the schema's `tagsCount`.
const IDENTITIES: &str = "
    id name displayName firstName lastName email phone created@ modified@ synced@
    inactive? protected? status employeeNumber disabled? locked?
    manager{id name displayName} isManager? identityProfile{id name} source{id name}
    attributes%
    processingState processingDetails{date@ stage retryCount# stackTrace message}
    accounts[id name accountId source{id name type} disabled? locked? privileged? manuallyCorrelated?
        passwordLastSet@ entitlementAttributes% accountAttributes% created@ supportsPasswordChange?]
    accountCount#
    apps[id name source{id name} account{id accountId}]
    appCount#
    access[id name displayName description type enabled? requestable? requestCommentsRequired?
        source{id name} owner{id name displayName} disabled? privileged? attribute value
        standalone? revocable? cloudEligible? cloudGoverned? schema]
    accessCount# accessProfileCount# entitlementCount# roleCount#
    owns[sources[id name] entitlements[id name] accessProfiles[id name] roles[id name] apps[id name]
        governanceGroups[id name] fallbackApprover?]
    ownsCount# tags* tagsCount# tagCount# visibleSegments* visibleSegmentCount#";

const ACCESS_PROFILES: &str = "
    id name description created@ modified@ synced@ enabled? requestable? requestCommentsRequired?
    owner{id name type email} source{id name}
    entitlements[id name description attribute value schema privileged? hasPermissions?]
    entitlementCount# segments[id name] segmentCount# tags*
    apps[id name description owner{id name type email}]";

// In the examples only: `accountUuid`.
const ACCOUNT_ACTIVITIES: &str = "
    id action created@ modified@ synced@ stage status
    requester{id name type} recipient{id name type} trackingNumber errors* warnings*
    approvals[comments[comment commenter date@] modified@ owner{id name type} result
        attributeRequest{name op value*} accountUuid source{id name type}]
    originalRequests[accountId accountUuid result{status} attributeRequests[name op value*] op
        source{id name type}]
    expansionItems[id accountId cause name attributeRequest{name op value*} source{id name type} state]
    accountRequests[accountId attributeRequests[name op value*] op provisioningTarget{id name type}
        result{errors* status ticketId} source{id name type}]
    sources";

// In the examples only: `description`.
const ENTITLEMENTS: &str = "
    id name displayName description created@ modified@ synced@ source{id name type}
    segments[id name] segmentCount# requestable? cloudGoverned? privileged? tags*
    attribute value sourceSchemaObjectType schema hash attributes% truncatedAttributes*
    containsDataAccess? manuallyUpdatedFields{DESCRIPTION? DISPLAY_NAME?}
    permissions[target rights*]";

const EVENTS: &str = "
    id name created@ synced@ action type actor{name} target{name} stack trackingNumber ipAddress details
    attributes% objects* operation status technicalName";

const ROLES: &str = "
    id name description created@ modified@ synced@ enabled? requestable? requestCommentsRequired?
    owner{id name type email}
    accessProfiles[id name] accessProfileCount# tags* segments[id name] segmentCount#
    entitlements[id name description attribute value schema privileged? hasPermissions?
        sourceSchemaObjectType hash]
    entitlementCount# dimensional? dimensionSchemaAttributeCount#
    dimensionSchemaAttributes[name displayName derived?]
    dimensions[id name description
        entitlements[id name description attribute value schema privileged? hasPermissions?
            sourceSchemaObjectType hash]
        accessProfiles[id name]]";

/// A kind's fields in both forms.
struct Layout {
    shape: Vec<FieldShape>,
    schema: SchemaRef,
}

fn layout(document_type: DocumentType) -> &'static Layout {
    static LAYOUTS: LazyLock<HashMap<DocumentType, Layout>> = LazyLock::new(|| {
        DocumentType::ALL
            .into_iter()
            .map(|document_type| {
                let shape = parse(notation(document_type));
                let schema = Arc::new(Schema::new(arrow_fields(&shape)));
                (document_type, Layout { shape, schema })
            })
            .collect()
    });
    &LAYOUTS[&document_type]
}

fn notation(document_type: DocumentType) -> &'static str {
    match document_type {
        DocumentType::Identities => IDENTITIES,
        DocumentType::AccessProfiles => ACCESS_PROFILES,
        DocumentType::AccountActivities => ACCOUNT_ACTIVITIES,
        DocumentType::Entitlements => ENTITLEMENTS,
        DocumentType::Events => EVENTS,
        DocumentType::Roles => ROLES,
    }
}

/// The Arrow schema of a kind of document; its first field is `id`.
///
/// Texts are `Utf8`, with [`FIELD_KIND`] where they are compared whole; booleans `Boolean`; counts `Int64`; dates
/// `Timestamp(Microsecond, "UTC")`; lists of texts `List<Utf8>`; objects `Struct`; lists of objects
/// `List<Struct>`; free maps the type of `attributes` in [`record_schema`](crate::record_schema).
///
/// A value of an account activity's `attributeRequest` may be a text or a list of texts; it is a `List<Utf8>`.
#[must_use]
pub fn schema(document_type: DocumentType) -> SchemaRef {
    Arc::clone(&layout(document_type).schema)
}

/// The fields of a kind of document.
pub(super) fn shape(document_type: DocumentType) -> &'static [FieldShape] {
    &layout(document_type).shape
}

/// The Arrow fields of a document or of an object in it.
pub(super) fn arrow_fields(fields: &[FieldShape]) -> Fields {
    fields.iter().map(arrow_field).collect()
}

fn arrow_field(field: &FieldShape) -> Field {
    let data_type = match &field.shape {
        Shape::Text { .. } => DataType::Utf8,
        Shape::Boolean => DataType::Boolean,
        Shape::Count => DataType::Int64,
        Shape::Date => DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
        Shape::Texts => DataType::List(Arc::new(list_item())),
        Shape::Map => attributes_type(),
        Shape::Object(fields) => DataType::Struct(arrow_fields(fields)),
        Shape::Objects(fields) => DataType::List(Arc::new(objects_item(arrow_fields(fields)))),
    };
    let arrow_field = Field::new(&field.name, data_type, true);
    if field.shape == (Shape::Text { key: true }) {
        return arrow_field.with_metadata([(FIELD_KIND.to_owned(), FIELD_KIND_KEYWORD.to_owned())].into());
    }
    arrow_field
}

/// The item of a list of objects.
pub(super) fn objects_item(fields: Fields) -> Field {
    Field::new(LIST_ITEM_FIELD, DataType::Struct(fields), true)
}

/// The columns of an exported search when the request names none: technical names, with dots into objects and
/// free maps.
///
/// The choice is ours; no public source has the original's. It is what a person needs to know which object it
/// is, whose, from where, and in what state.
#[must_use]
pub fn default_columns(document_type: DocumentType) -> &'static [&'static str] {
    match document_type {
        DocumentType::Identities => &[
            "id",
            "name",
            "displayName",
            "firstName",
            "lastName",
            "email",
            "created",
            "status",
            "attributes.cloudLifecycleState",
            "identityProfile.name",
            "manager.name",
            "accountCount",
            "accessCount",
        ],
        DocumentType::AccessProfiles => &[
            "id",
            "name",
            "description",
            "source.name",
            "owner.name",
            "enabled",
            "requestable",
            "entitlementCount",
            "created",
            "modified",
        ],
        DocumentType::AccountActivities => &[
            "id",
            "action",
            "stage",
            "status",
            "requester.name",
            "recipient.name",
            "sources",
            "trackingNumber",
            "created",
            "modified",
        ],
        DocumentType::Entitlements => &[
            "id",
            "name",
            "displayName",
            "description",
            "source.name",
            "attribute",
            "value",
            "schema",
            "privileged",
            "requestable",
            "created",
            "modified",
        ],
        DocumentType::Events => &[
            "id",
            "created",
            "name",
            "type",
            "action",
            "operation",
            "status",
            "technicalName",
            "actor.name",
            "target.name",
        ],
        DocumentType::Roles => &[
            "id",
            "name",
            "description",
            "owner.name",
            "enabled",
            "requestable",
            "accessProfileCount",
            "entitlementCount",
            "created",
            "modified",
        ],
    }
}
