//! The memory of all plans together: the fair pool of the library, with room for operators that cannot spill.
//!
//! The library's pool gives each operator that can spill an equal share of what the others have left. The first sort of
//! a plan may so hold everything, and what the next ones need before they can spill (the merge of their runs) is refused:
//! the plan fails although there is room on disk. Here, operators that can spill never have the last part of the memory.
//! The refused one spills what it holds. One that holds little may have more, because it would have nothing to spill.

use datafusion::error::Result;
use datafusion::execution::memory_pool::{
    FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};
use std::fmt;

/// This part of the memory is for operators that cannot spill.
const ROOM_PART: usize = 8;
/// With less than this part of the memory, an operator may have more whoever holds the rest.
const LITTLE_PART: usize = 128;

/// The pool.
#[derive(Debug)]
pub(crate) struct RoomyPool {
    fair: FairSpillPool,
    bytes: usize,
}

impl RoomyPool {
    /// A pool of so many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        Self { fair: FairSpillPool::new(bytes), bytes }
    }
}

impl MemoryPool for RoomyPool {
    fn name(&self) -> &str {
        "fair, with room"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.fair.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.fair.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.fair.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.fair.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let most = self.bytes - self.bytes / ROOM_PART;
        let is_little = reservation.size() + additional <= self.bytes / LITTLE_PART;
        let held = self.fair.reserved();
        if reservation.consumer().can_spill() && !is_little && held + additional > most {
            return datafusion::common::resources_err!(
                "{} asked for {additional} bytes, and plans hold {held} of {}",
                reservation.consumer().name(),
                self.bytes
            );
        }
        self.fair.try_grow(reservation, additional)
    }

    fn reserved(&self) -> usize {
        self.fair.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.fair.memory_limit()
    }
}

impl fmt::Display for RoomyPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fair.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    /// The first sort takes what it gets; the next one, and its merge, still begin.
    #[test]
    fn a_sort_leaves_room_for_the_merge_of_the_next() -> Result<()> {
        const MIB: usize = 1 << 20;
        let pool: Arc<dyn MemoryPool> = Arc::new(RoomyPool::new(256 * MIB));
        let of = |name: &str| MemoryConsumer::new(name);
        let first = of("first").with_can_spill(true).register(&pool);
        while first.try_grow(MIB).is_ok() {}
        assert_eq!(first.size(), 224 * MIB);
        let second = of("second").with_can_spill(true).register(&pool);
        let merge = of("merge").register(&pool);
        merge.try_grow(10 * MIB)?;
        second.try_grow(2 * MIB)?;
        assert!(second.try_grow(MIB).is_err(), "it has something to spill");
        // Once the first has spilled, the second has its share of what is left.
        first.free();
        while second.try_grow(MIB).is_ok() {}
        assert_eq!(second.size(), 123 * MIB);
        merge.try_grow(120 * MIB)?;
        assert!(merge.try_grow(4 * MIB).is_err(), "the limit holds");
        Ok(())
    }
}
