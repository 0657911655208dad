//! The names of the files of a partitioned table. They say what a file holds, so a reader can leave out files without
//! opening them.

use muster_reports::ids::stable_id;

/// The name of a group in file names.
pub(crate) fn group_name(value: Option<&str>) -> String {
    value.map_or_else(|| "all".to_owned(), |value| stable_id(["group", value])[..16].to_owned())
}

/// The partition of an id. It follows from the first digits of the id, so partitions are in the order of ids.
pub(crate) fn partition_of(id: &str, partitions: u32) -> u32 {
    let digits = id.bytes().take(8).fold((0u64, 0), |(number, length), byte| {
        (number * 16 + u64::from(char::from(byte).to_digit(16).unwrap_or(0)), length + 1)
    });
    let number = digits.0 << (4 * (8 - digits.1));
    u32::try_from((number * u64::from(partitions)) >> 32).expect("a 32-bit fraction of a u32 is one")
}

/// The first id of a partition, if ids are hexadecimal numbers in lower case.
pub(crate) fn first_id_of(partition: u32, partitions: u32) -> String {
    format!("{:08x}", (u64::from(partition) << 32).div_ceil(u64::from(partitions.max(1))))
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

    /// Whether the file may have a row of this id.
    pub(crate) fn may_have(&self, id: &str) -> bool {
        partition_of(id, self.partitions) == self.partition
    }

    /// The name of a file that this attempt at a snapshot writes.
    pub(crate) fn text(&self, attempt: &str) -> String {
        format!("{}-{:03}-of{:03}-{attempt}.parquet", self.group, self.partition, self.partitions)
    }
}

/// The rows that belong into a file, by its name.
pub(crate) struct RowsOfFile {
    /// `None` if the file is not of a partitioned table, so that any row may be in it.
    name: Option<FileName>,
    /// The last group that was asked for, and whether it is the file's: to hash the group of each row would take long.
    group: Option<(String, bool)>,
}

impl RowsOfFile {
    /// The rows of the file with this name.
    pub(crate) fn of(name: &str) -> Self {
        Self { name: FileName::parse(name), group: None }
    }

    /// Whether a row with this group and id belongs into the file.
    pub(crate) fn has(&mut self, group: Option<&str>, id: &str) -> bool {
        let Some(name) = &self.name else { return true };
        let of_group = match &self.group {
            Some((known, of_group)) if group == Some(known.as_str()) => *of_group,
            Some(_) | None => {
                let of_group = group_name(group) == name.group;
                self.group = Some((group.unwrap_or_default().to_owned(), of_group));
                of_group
            }
        };
        of_group && partition_of(id, name.partitions) == name.partition
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

    #[test]
    fn ids_fall_into_partitions_in_their_order() {
        // A quarter of all ids begins with the digits 0 to 3, the next quarter with 4 to 7.
        for (id, partition) in
            [("00000000", 0), ("3fffffffff", 0), ("40000000", 1), ("7f", 1), ("80", 2), ("ffffffff", 3)]
        {
            assert_eq!(partition_of(id, 4), partition, "{id}");
        }
        assert_eq!(
            (partition_of("", 128), partition_of("ffffffffffff", 128), partition_of("user-1", 1)),
            (0, 127, 0)
        );
    }

    #[test]
    fn a_partition_begins_with_its_first_id() {
        for partitions in [2, 3, 7, 74, 128] {
            for partition in 1..partitions {
                let first = first_id_of(partition, partitions);
                let number = u32::from_str_radix(&first, 16).expect("eight digits");
                let before = format!("{:08x}ffff", number - 1);
                assert_eq!(
                    (partition_of(&before, partitions), partition_of(&first, partitions)),
                    (partition - 1, partition)
                );
            }
        }
    }
}
