//! Sets of bytes, as tables that are made when the program is built.

/// True for each of `bytes`, false for all others.
pub const fn of(bytes: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut index = 0;
    while index < bytes.len() {
        table[bytes[index] as usize] = true;
        index += 1;
    }
    table
}
