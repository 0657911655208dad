//! A value whose type is hidden from the crates above.
//!
//! Whoever moves a public value of this crate to another thread has the compiler prove that each of its parts can be
//! moved. The types of plans and expressions name one another in circles, for which the compiler repeats the proof along each
//! path: minutes for each build of a crate above. A value behind this type is proven once, where it is made.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

/// A shared value of the type `T`. Copies are the same value.
pub(crate) struct Opaque<T> {
    value: Arc<dyn Any + Send + Sync>,
    /// A function can be moved whatever it returns.
    of: PhantomData<fn() -> T>,
}

impl<T: Send + Sync + 'static> Opaque<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { value: Arc::new(value), of: PhantomData }
    }
}

impl<T: 'static> Deref for Opaque<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self.value.downcast_ref() {
            Some(value) => value,
            None => unreachable!("an opaque value has the type with which it was made"),
        }
    }
}

impl<T> Clone for Opaque<T> {
    fn clone(&self) -> Self {
        Self { value: Arc::clone(&self.value), of: PhantomData }
    }
}

impl<T> fmt::Debug for Opaque<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opaque").finish_non_exhaustive()
    }
}
