//! The master key on paper: two halves for two holders. One half alone is random and tells nothing of the key.
//!
//! A half is 16 groups of five characters: four that hold 20 bits each, and one that checks them and the group's place.
//! 320 bits: which half it is, the key's fingerprint, 32 bytes of the half, a checksum of all before.

use super::seal::Key;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// Groups of a half.
pub const GROUPS: usize = 16;
/// Groups on a line.
pub const GROUPS_PER_LINE: usize = 4;
/// Characters of a group.
const GROUP_CHARS: usize = 5;
/// Crockford's base 32: no I, L, O, U, which read like others.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// The sheet's version, in the high half of its first byte.
const VERSION: u8 = 1;
/// Bytes of a half: kind, fingerprint, half, checksum.
const BYTES: usize = 1 + 4 + 32 + 3;

/// What is wrong with what was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SheetError {
    /// A group does not fit its check character.
    #[error("group {0} is mistyped")]
    Group(usize),
    /// Too few or too many groups.
    #[error("{0} groups were given, and a half has {GROUPS}")]
    Count(usize),
    /// Every group fits by itself.
    #[error("each group fits, and the half as a whole does not")]
    Checksum,
    /// Another kind of sheet.
    #[error("this is no half that this program knows")]
    Kind,
    /// Half 1 twice, or half 2 twice.
    #[error("half {0} was given twice")]
    SameHalf(u8),
    /// Halves of two keys.
    #[error("the halves belong to different keys: {} and {}", hex::encode_upper(.0), hex::encode_upper(.1))]
    OtherKey([u8; 4], [u8; 4]),
    /// Halves of two splits of one key.
    #[error("the halves were not made together")]
    OtherSplit,
}

impl SheetError {
    /// One sentence that tells the reader what to do next.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Group(_) => "compare this group with the paper, character by character, and type it again",
            Self::Count(_) => "type the groups of all four lines, each of five characters",
            Self::Checksum => "compare every group with the paper: several were mistyped at once",
            Self::Kind => "take the sheet that `duly key split` made",
            Self::SameHalf(_) => "ask the other holder for the other half",
            Self::OtherKey(..) => "compare the key's fingerprint on both sheets: one of them is of an older key",
            Self::OtherSplit => "take both halves of one split: the date on both sheets is the same",
        }
    }
}

/// One half of a key.
#[derive(Clone)]
pub struct Half {
    /// 1 or 2.
    pub number: u8,
    /// First bytes of a hash of the key: the same on both halves, so that halves of other keys are refused.
    pub fingerprint: [u8; 4],
    bytes: Zeroizing<[u8; 32]>,
}

/// The first 4 bytes of a hash of the key: names it, and tells nothing of it.
pub fn fingerprint(key: &Key) -> [u8; 4] {
    let hash = Sha256::new().chain_update(b"duly/master-key/v1\0").chain_update(key.bytes()).finalize();
    [hash[0], hash[1], hash[2], hash[3]]
}

/// Splits a key: the first half is random, the second is the key XOR the first.
pub fn split(key: &Key) -> [Half; 2] {
    let first = Key::generate();
    let fingerprint = fingerprint(key);
    let second = xor(key.bytes(), first.bytes());
    [Half { number: 1, fingerprint, bytes: Zeroizing::new(*first.bytes()) }, Half { number: 2, fingerprint, bytes: second }]
}

/// Rebuilds the key; the order of the halves does not matter.
pub fn join(one: &Half, other: &Half) -> Result<Key, SheetError> {
    if one.fingerprint != other.fingerprint {
        return Err(SheetError::OtherKey(one.fingerprint, other.fingerprint));
    }
    if one.number == other.number {
        return Err(SheetError::SameHalf(one.number));
    }
    let key = Key::from_bytes(*xor(&one.bytes, &other.bytes));
    if fingerprint(&key) == one.fingerprint { Ok(key) } else { Err(SheetError::OtherSplit) }
}

fn xor(a: &[u8; 32], b: &[u8; 32]) -> Zeroizing<[u8; 32]> {
    let mut out = Zeroizing::new([0; 32]);
    out.iter_mut().zip(a.iter().zip(b)).for_each(|(out, (a, b))| *out = a ^ b);
    out
}

impl Half {
    /// The groups as printed.
    pub fn groups(&self) -> Vec<Zeroizing<String>> {
        let mut bytes = Zeroizing::new([0; BYTES]);
        bytes[0] = VERSION << 4 | self.number;
        bytes[1..5].copy_from_slice(&self.fingerprint);
        bytes[5..37].copy_from_slice(self.bytes.as_slice());
        let sum = checksum(&bytes[..37]);
        bytes[37..].copy_from_slice(&sum);
        let symbol = |i: usize| (0..5).fold(0u8, |value, bit| value << 1 | bit_of(&*bytes, i * 5 + bit));
        (0..GROUPS)
            .map(|group| {
                let mut values: Vec<u8> = (0..4).map(|i| symbol(group * 4 + i)).collect();
                values.push(check(group, &values));
                Zeroizing::new(values.iter().map(|v| char::from(ALPHABET[usize::from(*v)])).collect())
            })
            .collect()
    }

    /// Reads the groups of a half, in any case, parted by blanks, hyphens or line ends; O reads as 0, I and L as 1.
    pub fn parse(text: &str) -> Result<Self, SheetError> {
        let groups: Vec<&str> = text.split(|c: char| c.is_whitespace() || c == '-').filter(|g| !g.is_empty()).collect();
        let mut bytes = Zeroizing::new([0u8; BYTES]);
        for (group, typed) in groups.iter().enumerate().take(GROUPS) {
            let values = read_group(group, typed).ok_or(SheetError::Group(group + 1))?;
            for (i, value) in values.iter().take(4).enumerate() {
                for bit in (0..5).filter(|bit| value >> (4 - bit) & 1 == 1) {
                    let at = (group * 4 + i) * 5 + bit;
                    bytes[at / 8] |= 1 << (7 - at % 8);
                }
            }
        }
        if groups.len() != GROUPS {
            return Err(SheetError::Count(groups.len()));
        }
        if checksum(&bytes[..37]) != bytes[37..] {
            return Err(SheetError::Checksum);
        }
        let number = bytes[0] & 0x0f;
        if bytes[0] >> 4 != VERSION || !(1..=2).contains(&number) {
            return Err(SheetError::Kind);
        }
        let mut half = Self { number, fingerprint: [0; 4], bytes: Zeroizing::new([0; 32]) };
        half.fingerprint.copy_from_slice(&bytes[1..5]);
        half.bytes.copy_from_slice(&bytes[5..37]);
        Ok(half)
    }
}

/// Checks the groups of one line, so that who types hears of an error at once; `line` counts from 0.
pub fn check_line(line: usize, text: &str) -> Result<(), SheetError> {
    let groups: Vec<&str> = text.split(|c: char| c.is_whitespace() || c == '-').filter(|g| !g.is_empty()).collect();
    for (i, typed) in groups.iter().enumerate().take(GROUPS_PER_LINE) {
        let group = line * GROUPS_PER_LINE + i;
        read_group(group, typed).ok_or(SheetError::Group(group + 1))?;
    }
    match groups.len() {
        GROUPS_PER_LINE => Ok(()),
        // The first that is missing, or the first that is too many.
        n => Err(SheetError::Group(line * GROUPS_PER_LINE + n.min(GROUPS_PER_LINE - 1) + 1)),
    }
}

fn read_group(group: usize, typed: &str) -> Option<[u8; GROUP_CHARS]> {
    let mut values = [0; GROUP_CHARS];
    let mut letters = typed.chars();
    for value in &mut values {
        let letter = match letters.next()?.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        };
        *value = u8::try_from(ALPHABET.iter().position(|c| char::from(*c) == letter)?).ok()?;
    }
    let [a, b, c, d, sum] = values;
    (letters.next().is_none() && check(group, &[a, b, c, d]) == sum).then_some(values)
}

fn bit_of(bytes: &[u8], at: usize) -> u8 {
    bytes[at / 8] >> (7 - at % 8) & 1
}

fn checksum(bytes: &[u8]) -> [u8; 3] {
    let hash = Sha256::new().chain_update(b"duly/sheet/v1\0").chain_update(bytes).finalize();
    [hash[0], hash[1], hash[2]]
}

/// A sum over GF(32) with another factor for each place, and the group's own number: one wrong character, two
/// neighbours exchanged, and a group in another's place are always found.
fn check(group: usize, values: &[u8]) -> u8 {
    let (mut factor, mut sum) = (2, u8::try_from(group).unwrap_or(0) & 31);
    for value in values {
        sum ^= multiply(factor, *value);
        factor = multiply(factor, 2);
    }
    sum
}

/// In GF(32), modulo x^5 + x^2 + 1, where 2 generates every other element but 0.
fn multiply(mut a: u8, mut b: u8) -> u8 {
    let mut product = 0;
    while b > 0 {
        if b & 1 == 1 {
            product ^= a;
        }
        a <<= 1;
        if a & 32 != 0 {
            a ^= 0b10_0101;
        }
        b >>= 1;
    }
    product
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn typed(half: &Half) -> Vec<String> {
        half.groups().iter().map(|g| g.to_string()).collect()
    }

    #[test]
    fn two_halves_rebuild_the_key_in_either_order_and_one_alone_is_random() {
        let key = Key::generate();
        let [one, two] = split(&key);
        assert_eq!(join(&one, &two).unwrap().bytes(), key.bytes());
        assert_eq!(join(&two, &one).unwrap().bytes(), key.bytes());
        assert_ne!(typed(&split(&key)[0]), typed(&one));
        let read = Half::parse(&typed(&two).join("-").to_lowercase().replace('0', "o").replace('1', "l")).unwrap();
        assert_eq!(join(&one, &read).unwrap().bytes(), key.bytes());
    }

    #[test]
    fn every_wrong_character_names_its_group() {
        let groups = typed(&split(&Key::generate())[0]);
        for group in 0..GROUPS {
            for place in 0..GROUP_CHARS {
                for wrong in ALPHABET.iter().map(|c| char::from(*c)).chain(['U', '?']) {
                    let mut letters: Vec<char> = groups[group].chars().collect();
                    if letters[place] == wrong {
                        continue;
                    }
                    letters[place] = wrong;
                    let mut mistyped = groups.clone();
                    mistyped[group] = letters.iter().collect();
                    assert_eq!(Half::parse(&mistyped.join(" ")).err(), Some(SheetError::Group(group + 1)));
                }
            }
        }
    }

    #[test]
    fn exchanged_neighbours_exchanged_groups_and_missing_characters_are_found() {
        let groups = typed(&split(&Key::generate())[1]);
        for group in 0..GROUPS {
            for place in 0..GROUP_CHARS - 1 {
                let mut letters: Vec<char> = groups[group].chars().collect();
                letters.swap(place, place + 1);
                let mut mistyped = groups.clone();
                mistyped[group] = letters.iter().collect();
                if mistyped != groups {
                    assert_eq!(Half::parse(&mistyped.join(" ")).err(), Some(SheetError::Group(group + 1)));
                }
            }
        }
        let mut swapped = groups.clone();
        swapped.swap(4, 9);
        let found = Half::parse(&swapped.join(" ")).err();
        assert!(swapped == groups || found == Some(SheetError::Group(5)), "{found:?}");
        let mut short = groups.clone();
        short[7].pop();
        assert_eq!(Half::parse(&short.join(" ")).err(), Some(SheetError::Group(8)));
        assert_eq!(Half::parse(&groups[..15].join(" ")).err(), Some(SheetError::Count(15)));
        assert_eq!(check_line(1, &groups[4..8].join(" ")), Ok(()));
        assert_eq!(check_line(1, &groups[4..7].join(" ")), Err(SheetError::Group(8)));
        assert_eq!(check_line(0, &groups[4..8].join(" ")), Err(SheetError::Group(1)));
    }

    #[test]
    fn halves_of_another_key_of_another_split_and_the_same_half_twice_are_refused() {
        let key = Key::generate();
        let ([one, two], [other, _], [again, _]) = (split(&key), split(&Key::generate()), split(&key));
        assert!(matches!(join(&other, &two), Err(SheetError::OtherKey(..))));
        assert_eq!(join(&again, &two).err(), Some(SheetError::OtherSplit));
        assert_eq!(join(&one, &one).err(), Some(SheetError::SameHalf(1)));
    }

    #[test]
    fn what_fits_by_groups_and_not_as_a_whole_is_refused() {
        let [one, two] = split(&Key::generate());
        let mut mixed = typed(&one);
        mixed[6] = typed(&two)[6].clone();
        assert_eq!(Half::parse(&mixed.join(" ")).err(), Some(SheetError::Checksum));
    }

    /// Computed by another implementation (Python), so that a sheet of today reads in ten years.
    #[test]
    fn a_printed_half_reads_for_ever() {
        let half =
            Half { number: 2, fingerprint: [0xde, 0xad, 0xbe, 0xef], bytes: Zeroizing::new(std::array::from_fn(|i| i as u8)) };
        assert_eq!(typed(&half).join(" "), GOLDEN);
        assert!(Half::parse(GOLDEN).is_ok());
    }

    const GOLDEN: &str = "2BFAB VFQF9 000GF 40R4Z 0M306 E209N 185G1 R38EF 1W81F 24GKH 2GAH3 C5RR0 34D1D P70XV 3RFW3 YP29G";
}
