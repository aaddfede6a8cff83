//! A growing RFC 6962 tree in O(log n) memory: only the roots of its full subtrees are kept.

use crate::hash::node_hash;
use sha2::{Digest, Sha256};

/// The right edge of a Merkle tree.
#[derive(Debug, Clone, Default)]
pub struct Frontier {
    size: u64,
    subtrees: Vec<[u8; 32]>,
}

impl Frontier {
    /// An empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf by its hash.
    pub fn append(&mut self, leaf: [u8; 32]) {
        let mut node = leaf;
        // As many merges as the old size has trailing one bits: a binary counter.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.subtrees.pop() {
                node = node_hash(&left, &node);
            }
        }
        self.subtrees.push(node);
        self.size += 1;
    }

    /// The root; SHA-256 of nothing for the empty tree.
    pub fn root(&self) -> [u8; 32] {
        let mut subtrees = self.subtrees.iter().rev();
        match subtrees.next() {
            None => Sha256::digest([]).into(),
            Some(last) => subtrees.fold(*last, |right, left| node_hash(left, &right)),
        }
    }
}

/// The path of a leaf to the root of these leaves (RFC 6962, 2.1.1), the leaf's sibling first; for trees that lie in
/// memory, as a list's manifest does. Empty where there is no such leaf.
pub fn inclusion_path(leaves: &[[u8; 32]], index: usize) -> Vec<[u8; 32]> {
    let (mut rest, mut at, mut path) = (leaves, index, Vec::new());
    if index >= leaves.len() {
        return path;
    }
    while rest.len() > 1 {
        let (left, right) = rest.split_at(1 << (rest.len() - 1).ilog2());
        let (own, other) = if at < left.len() { (left, right) } else { (right, left) };
        at -= if at < left.len() { 0 } else { left.len() };
        let mut tree = Frontier::new();
        other.iter().for_each(|leaf| tree.append(*leaf));
        path.push(tree.root());
        rest = own;
    }
    path.reverse();
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::{leaf_hash, to_hex};
    use crate::proof::verify_inclusion;

    #[test]
    fn each_line_of_a_list_leads_to_its_root() {
        for size in [1usize, 2, 3, 7, 8, 13] {
            let leaves: Vec<[u8; 32]> = (0..size).map(|i| leaf_hash(&i.to_be_bytes())).collect();
            let mut tree = Frontier::new();
            leaves.iter().for_each(|leaf| tree.append(*leaf));
            for (index, leaf) in leaves.iter().enumerate() {
                let path = inclusion_path(&leaves, index);
                assert!(verify_inclusion(leaf, index as u64, size as u64, &path, &tree.root()), "{index} of {size}");
            }
        }
        assert!(inclusion_path(&[[0; 32]], 1).is_empty());
    }

    fn root_of(n: u32) -> String {
        let mut tree = Frontier::new();
        for i in 0..n {
            tree.append(leaf_hash(format!("{{\"i\":{i}}}").as_bytes()));
        }
        to_hex(&tree.root())
    }

    /// Vectors of golang.org/x/mod/sumdb/tlog.
    #[test]
    fn roots_equal_those_of_another_implementation() {
        assert_eq!(root_of(0), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(root_of(1), "d829edd0713a1bb05e3cd0616924a4c5bde21e36e537149a20239edafa8825f1");
        assert_eq!(root_of(2), "8d797bb58d61f678047fdf92a390117b16d8718b957303a9231a36cf6e0c5f75");
        assert_eq!(root_of(3), "00a70ab1951b3920e93bb731381741971d0960c1ae41ce64cb6d5fa330bffcc6");
        assert_eq!(root_of(7), "e9c6d5ed5127b01b79401e3c23dc61236402fbff7ab25aaedf8180865da94acd");
    }
}
