//! Definitions of sources of tests: people of a file `hr.csv`, and accounts that belong to them.
//!
//! Each test adds what it is about; the files it writes itself.

/// People of the file `hr.csv` with the key `id`: the beginning of a definition, to which tables can be added.
/// `attributes` are names of identity attributes, each with the column that it is from.
pub fn people(attributes: &[(&str, &str)]) -> String {
    let attributes: Vec<_> =
        attributes.iter().map(|(name, from)| format!("{{ name = {name:?}, from = {from:?} }}")).collect();
    format!(
        "name = \"HR\"\nkind = \"delimited\"\ndelete_threshold_percent = 100\n\
         [delimited]\npath = \"hr.csv\"\nnative_identity = \"id\"\n\
         [profile]\nname = \"Employees\"\npriority = 10\nattributes = [{}]\n",
        attributes.join(", ")
    )
}

/// The life of people by their column `status`: A is active, T is terminated.
pub const LIFECYCLE: &str =
    "[lifecycle]\nattribute = \"status\"\nstates = { A = \"active\", T = \"terminated\" }\n";

/// Accounts of a file with the key `dn`, of people by `emp`, disabled by `off`, with the entitlements `groups`: the
/// beginning of a definition, to which tables can be added.
pub fn accounts(name: &str, file: &str, separator: char) -> String {
    format!(
        "name = {name:?}\nkind = \"delimited\"\ndelete_threshold_percent = 100\n\
         [delimited]\npath = {file:?}\nnative_identity = \"dn\"\nmulti_valued = [\"groups\"]\n\
         multi_value_separator = \"{separator}\"\nentitlements = [\"groups\"]\ndisabled = {{ column = \"off\" }}\n\
         [[correlation]]\nidentity_attribute = \"uid\"\naccount_attribute = \"emp\"\n"
    )
}
