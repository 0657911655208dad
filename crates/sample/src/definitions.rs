//! The definition files of the organisation's sources.

pub(crate) const EMPLOYEES: &str = r##"# Every person employed here, and the identities they become.
name = "Employees"
kind = "delimited"

[delimited]
path = "employees.csv"
native_identity = "employeeNumber"
name_column = "uid"
display_name = "displayName"
[delimited.disabled]
column = "status"
values = ["Former employee"]

[profile]
name = "Employees"
priority = 10
@PROTECTED@
[[profile.attributes]]
name = "uid"
from = "uid"
transforms = ["trim", "lower"]
required = true
[[profile.attributes]]
name = "firstname"
from = "firstName"
[[profile.attributes]]
name = "lastname"
from = "lastName"
required = true
[[profile.attributes]]
name = "displayName"
from = "displayName"
[[profile.attributes]]
name = "email"
from = "email"
transforms = ["lower"]
required = true
[[profile.attributes]]
name = "employeeNumber"
from = "employeeNumber"
[[profile.attributes]]
name = "employeeType"
value = "employee"
[[profile.attributes]]
name = "department"
from = "department"
[[profile.attributes]]
name = "jobTitle"
from = "job"
transforms = [{ split = "#", index = 1 }]
[[profile.attributes]]
name = "location"
from = "site"
transforms = [{ lookup = { "BER" = "Berlin", "MTL" = "Montréal", "OSA" = "大阪", "PUN" = "पुणे", "RIO" = "Rio de Janeiro", "TLV" = "Tel Aviv" }, default = "elsewhere" }]
[[profile.attributes]]
name = "country"
from = "country"
[[profile.attributes]]
name = "phone"
from = "phone"
[[profile.attributes]]
name = "manager"
from = "manager"
[[profile.attributes]]
name = "startDate"
from = "startDate"

[lifecycle]
attribute = "status"
states = { "Active" = "active", "On leave" = "leave", "Former employee" = "terminated" }
status = { active = "ACTIVE", leave = "ACTIVE", terminated = "TERMINATED" }
"##;

pub(crate) const CONTRACTORS: &str = r##"# People of other firms. Some were employed later and are linked to the employee's identity.
name = "Contractors"
kind = "delimited"

[delimited]
path = "contractors.csv"
delimiter = ";"
encoding = "iso-8859-1"
native_identity = "number"
name_column = "login"

[profile]
name = "Contractors"
priority = 20
[[profile.attributes]]
name = "uid"
from = "login"
transforms = ["trim", "lower"]
required = true
[[profile.attributes]]
name = "firstname"
from = "givenName"
[[profile.attributes]]
name = "lastname"
from = "familyName"
required = true
[[profile.attributes]]
name = "displayName"
template = "{givenName} {familyName} (external)"
[[profile.attributes]]
name = "email"
from = "mail"
required = true
[[profile.attributes]]
name = "employeeNumber"
from = "number"
[[profile.attributes]]
name = "employeeType"
value = "contractor"
[[profile.attributes]]
name = "department"
from = "department"
[[profile.attributes]]
name = "phone"
from = "phone"
[[profile.attributes]]
name = "manager"
from = "contact"
[[profile.attributes]]
name = "startDate"
from = "from"

[[correlation]]
identity_attribute = "employeeNumber"
account_attribute = "employedAs"

[lifecycle]
attribute = "state"
states = { "running" = "active", "ended" = "terminated" }
status = { active = "ACTIVE", terminated = "TERMINATED" }
"##;

/// The id in [`DIRECTORY`].
pub(crate) const DIRECTORY_ID: &str = "2c9180897e7742b2017e781782f705b9";

pub(crate) const DIRECTORY: &str = r##"# The directory: people, administrators' second accounts, services.
id = "2c9180897e7742b2017e781782f705b9"
name = "Active Directory"
kind = "delimited"

[delimited]
path = "active-directory.csv"
native_identity = "dn"
name_column = "sAMAccountName"
display_name = "displayName"
uuid = "objectGUID"
multi_valued = ["memberOf"]
entitlements = ["memberOf"]
[delimited.disabled]
column = "accountStatus"
values = ["disabled"]
[delimited.locked]
column = "accountStatus"
values = ["locked"]
[delimited.system]
column = "accountType"
values = ["service"]
[delimited.privileged]
column = "adminCount"

[[correlation]]
identity_attribute = "employeeNumber"
account_attribute = "employeeNumber"
[[correlation]]
identity_attribute = "email"
account_attribute = "mail"
ignore_case = true
[[correlation]]
identity_attribute = "phone"
account_attribute = "telephoneNumber"
"##;

pub(crate) const BADGES: &str = r##"# Door badges: one row for each door, so that an account has several rows.
name = "Badge System"
kind = "delimited"

[delimited]
path = "badge-system.csv"
native_identity = "badge"
display_name = "holder"
merge_rows = true
entitlements = ["door"]
[delimited.disabled]
column = "valid"
values = ["no"]

[[correlation]]
identity_attribute = "employeeNumber"
account_attribute = "personnelNumber"
"##;

pub(crate) const SAP: &str = r##"# The enterprise resource planning system's users, as its table export has them.
name = "SAP ERP"
kind = "delimited"

[delimited]
path = "sap-erp.tsv"
delimiter = "\t"
encoding = "utf-16le"
native_identity = "BNAME"
display_name = "NAME_TEXT"
multi_value_separator = "|"
multi_valued = ["AGR_NAMES"]
entitlements = ["AGR_NAMES"]
[delimited.locked]
column = "UFLAG"
values = ["64", "128"]
[delimited.privileged]
column = "SAP_ALL"
values = ["X"]

[[correlation]]
identity_attribute = "employeeNumber"
account_attribute = "PERNR"
"##;

pub(crate) const SALESFORCE: &str = r##"# Users of the customer relationship system, known by their mail address only.
name = "Salesforce"
kind = "delimited"

[delimited]
path = "salesforce.csv"
native_identity = "Id"
name_column = "Username"
display_name = "Name"
multi_valued = ["PermissionSets"]
entitlements = ["Profile", "PermissionSets"]
[delimited.disabled]
column = "IsActive"
values = ["false"]

[[correlation]]
identity_attribute = "email"
account_attribute = "Email"
ignore_case = true
"##;

pub(crate) const WAREHOUSE: &str = r##"# Database users of the data warehouse, known by their login only.
name = "Data Warehouse"
kind = "delimited"

[delimited]
path = "data-warehouse.csv"
native_identity = "USER_ID"
name_column = "USERNAME"
multi_valued = ["GRANTED_ROLES"]
entitlements = ["GRANTED_ROLES"]
attributes = ["USERNAME", "ACCOUNT_STATUS", "GRANTED_ROLES", "CREATED"]
[delimited.locked]
column = "ACCOUNT_STATUS"
values = ["LOCKED", "EXPIRED & LOCKED"]

[[correlation]]
identity_attribute = "uid"
account_attribute = "USERNAME"
ignore_case = true
"##;

/// An application that has nothing particular about it; `@NAME@` and `@FILE@` are to be filled in.
pub(crate) const PLAIN: &str = r##"# An application's users.
name = "@NAME@"
kind = "delimited"

[delimited]
path = "@FILE@"
native_identity = "login"
display_name = "fullName"
entitlements = ["role"]
[delimited.disabled]
column = "disabled"
[delimited.privileged]
column = "role"
values = ["administrator"]

[[correlation]]
identity_attribute = "employeeNumber"
account_attribute = "employeeNumber"
[[correlation]]
identity_attribute = "phone"
account_attribute = "phone"
"##;

pub(crate) const ACCESS_MODEL: &str = r##"# Roles and access profiles, as another system exports them.
name = "Access Model"
kind = "documents"

[documents]
path = "access-model.ndjson"
"##;
