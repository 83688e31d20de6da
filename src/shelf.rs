//! Boxes that are used again: a value for each message costs no allocation once its thread has a box to spare.
//!
//! Nothing is kept of the value itself, and of the boxes only a few on each thread, however many connections there are.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use std::thread::LocalKey;

/// A boxed value. Its box goes to the next value of its type on the thread where it is dropped.
#[derive(Debug)]
pub struct Shelved<T: Shelf>(Vec<T>);

/// Empty boxes.
pub type Boxes<T> = RefCell<Vec<Vec<T>>>;

/// A type with a shelf for its boxes.
pub trait Shelf: Sized + 'static {
    /// That of this thread.
    fn shelf() -> &'static LocalKey<Boxes<Self>>;
}

impl<T: Shelf> Shelved<T> {
    /// Puts `value` into a box.
    #[inline]
    pub fn new(value: T) -> Self {
        let used = T::shelf().with_borrow_mut(Vec::pop);
        let mut place = used.unwrap_or_else(|| Vec::with_capacity(1));
        place.push(value);
        Self(place)
    }
}

impl<T: Shelf> Deref for Shelved<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0
            .first()
            .expect("a box holds its value until it is dropped")
    }
}

impl<T: Shelf> DerefMut for Shelved<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0
            .first_mut()
            .expect("a box holds its value until it is dropped")
    }
}

impl<T: Shelf> Drop for Shelved<T> {
    fn drop(&mut self) {
        self.0.clear();
        // The thread may be ending, and its shelf gone.
        let _ = T::shelf().try_with(|shelf| {
            let mut shelf = shelf.borrow_mut();
            if shelf.len() < KEPT {
                shelf.push(std::mem::take(&mut self.0));
            }
        });
    }
}

/// Boxes of a type that a thread keeps: for as many messages as it may have under way at a busy moment.
const KEPT: usize = 16;

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    struct Value(Rc<()>);

    impl Shelf for Value {
        fn shelf() -> &'static LocalKey<Boxes<Self>> {
            thread_local!(static SHELF: Boxes<Value> = const { RefCell::new(Vec::new()) });
            &SHELF
        }
    }

    #[test]
    fn a_value_ends_when_it_is_dropped_and_only_its_box_is_used_again() {
        let held = Rc::new(());
        let value = Shelved::new(Value(Rc::clone(&held)));
        let place: *const Value = &*value;
        drop(value);
        assert_eq!(Rc::strong_count(&held), 1);
        let again = Shelved::new(Value(Rc::clone(&held)));
        assert!(std::ptr::eq(place, &*again) && Rc::ptr_eq(&(*again).0, &held));
    }

    #[test]
    fn a_thread_keeps_few_boxes() {
        let many: Vec<_> = (0..2 * KEPT)
            .map(|_| Shelved::new(Value(Rc::default())))
            .collect();
        drop(many);
        assert_eq!(Value::shelf().with_borrow(Vec::len), KEPT);
    }
}
