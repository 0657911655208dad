//! The names of the files of a partitioned table. They say what a file holds, so a reader can leave out files without
//! opening them.

use muster_reports::ids::stable_id;

/// The name of a group in file names.
pub(crate) fn group_name(value: Option<&str>) -> String {
    value.map_or_else(|| "all".to_owned(), |value| stable_id(["group", value])[..16].to_owned())
}

/// The parts of a file name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileName {
    /// The name of the group whose rows the file holds.
    pub(crate) group: String,
    /// The number of the partition in the group.
    pub(crate) partition: u32,
    /// How many partitions the group has.
    pub(crate) partitions: u32,
}

impl FileName {
    /// The parts of a name; `None` if the file is not of a partitioned table.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let mut parts = name.split('-');
        let group = parts.next()?.to_owned();
        let partition = parts.next()?.parse().ok()?;
        let partitions = parts.next()?.strip_prefix("of")?.parse().ok()?;
        (partition < partitions).then_some(Self { group, partition, partitions })
    }

    /// The name of a file that the refresh of `snapshot` writes.
    pub(crate) fn text(&self, snapshot: &str) -> String {
        format!("{}-{:03}-of{:03}-{snapshot}.parquet", self.group, self.partition, self.partitions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_say_what_they_hold() {
        let name = FileName { group: "all".into(), partition: 7, partitions: 64 };
        assert_eq!(name.text("5a5a"), "all-007-of064-5a5a.parquet");
        assert_eq!(FileName::parse("all-007-of064-5a5a.parquet"), Some(name));
        for other in
            ["part-00000-6f7a-c000.snappy.parquet", "all-9-of3-a.parquet", "all", "all-1-3-a.parquet"]
        {
            assert_eq!(FileName::parse(other), None, "{other}");
        }
    }
}
