//! What adapters are held against from outside: the sandbox's faces, the vendors' documents.

mod documents;
mod faces;
mod shown;

/// The bytes as often as they have bits, another one changed each time.
pub fn each_bit_changed(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..bytes.len() * 8).map(|bit| {
        let mut changed = bytes.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        changed
    })
}
