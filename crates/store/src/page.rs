//! Lists come in pages.

/// Where a page ended.
///
/// Whatever is written meanwhile: what is in the list from the first page to the last is shown
/// exactly once, in order; nothing is shown twice; and a page shows only what is in the list as it
/// is read. This does not hold for an object that itself goes to another place on the way (it changes
/// in a list by the time of the last change, it leaves and joins again, its delivery is replayed).
/// It always goes to the end that is the newest: oldest first it is shown at its new place, so perhaps
/// again; newest first it is shown once or, if it was ahead of the reader, not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The sort value of the last row shown.
    pub at: i64,
    /// The store's own number of that row, which breaks ties.
    pub row: i64,
}

/// Which page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    /// Go on after this one; from the start without.
    pub after: Option<Cursor>,
    /// At most so many items; 1 at least.
    pub limit: usize,
}

/// Some items of a list, and where to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Set if there are more. A page with a next one is never empty.
    pub next: Option<Cursor>,
}

impl<T> Page<T> {
    /// No items, and no more.
    pub const fn empty() -> Self {
        Self {
            items: Vec::new(),
            next: None,
        }
    }

    /// The same page of other items.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(change).collect(),
            next: self.next,
        }
    }
}

/// What conversations and users are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SortField {
    /// When they were made; ties by order of commit.
    #[default]
    CreatedAt,
    /// When they last changed; ties by order of making.
    UpdatedAt,
}

/// Which end comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SortOrder {
    /// Oldest first.
    Ascending,
    /// Newest first.
    #[default]
    Descending,
}
