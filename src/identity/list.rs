//! A list of at most as many items as there are places for atoms, which lie in the list itself.

use std::ops::Deref;

use bytemuck::Zeroable;

use super::atom::PLACES;

/// See the module's documentation. Empty if zeroed.
#[derive(Clone, Copy, Debug, Zeroable)]
pub(super) struct List<T> {
    items: [T; PLACES],
    count: usize,
}

impl<T: Copy> List<T> {
    pub fn clear(&mut self) {
        self.count = 0;
    }

    pub fn push(&mut self, item: T) {
        self.push_if(true, item);
    }

    /// Adds an item if it is wanted. Without a branch: the next item overwrites one that is not. So a full list has no
    /// room for that either.
    pub fn push_if(&mut self, wanted: bool, item: T) {
        self.items[self.count] = item;
        self.count += usize::from(wanted);
    }

    pub fn pop(&mut self) -> Option<T> {
        self.count = self.count.checked_sub(1)?;
        Some(self.items[self.count])
    }

    /// Keeps the items for which `wanted` is true, in their order.
    pub fn retain(&mut self, mut wanted: impl FnMut(T) -> bool) {
        for i in 0..std::mem::take(&mut self.count) {
            let item = self.items[i];
            self.push_if(wanted(item), item);
        }
    }
}

impl<T> Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.items[..self.count]
    }
}
