//! Signed notes, cosignatures and policies: what is believed, and what is not.

#![expect(clippy::unwrap_used, reason = "tests")]

use duly_ledger::{
    Checkpoint, CheckpointError, KeyKind, Note, NoteError, NoteSignature, Policy, PolicyError, Signer, Vkey, verify_cosignatures,
};

fn signer(name: &str, seed: u8) -> Signer {
    Signer::new(name, &[seed; 32]).unwrap()
}

/// Adds signature lines to a note.
fn with(note: &Note, lines: &[NoteSignature]) -> Vec<u8> {
    let mut text = note.to_string();
    lines.iter().for_each(|line| text.push_str(&line.to_string()));
    text.into_bytes()
}

#[test]
fn the_text_ends_at_the_last_blank_line() {
    let signer = signer("a.example", 1);
    let note = signer.sign("one\n\ntwo\n\n").unwrap();
    let read = Note::parse(note.to_string().as_bytes()).unwrap();
    assert_eq!(read.text(), "one\n\ntwo\n\n");
    assert!(read.verify(&[signer.vkey().clone()]).is_ok());
}

#[test]
fn unknown_signatures_say_nothing_and_a_wrong_known_one_spoils_all() {
    let (a, b) = (signer("a.example", 1), signer("b.example", 2));
    let note = a.sign("text\n").unwrap();
    let of_b = b.sign("text\n").unwrap().signatures()[0].clone();
    let wrong_b = NoteSignature { bytes: vec![0; 64], ..of_b.clone() };
    let short_b = NoteSignature { bytes: vec![0; 5], ..of_b.clone() };
    let key = |s: &Signer| s.vkey().clone();

    let both = Note::parse(&with(&note, &[of_b])).unwrap();
    assert_eq!(both.verify(&[key(&a), key(&b)]).unwrap().len(), 2);
    for wrong in [wrong_b, short_b] {
        let spoilt = Note::parse(&with(&note, &[wrong])).unwrap();
        assert!(spoilt.verify(&[key(&a)]).is_ok());
        assert_eq!(spoilt.verify(&[key(&a), key(&b)]), Err(NoteError::WrongSignature("b.example".into())));
        assert_eq!(spoilt.verify(&[key(&signer("a.example", 3))]), Err(NoteError::Unsigned));
    }
    assert_eq!(both.verify(&[]), Err(NoteError::Unsigned));
    // The key signs under its own name only.
    assert_eq!(both.verify(&[key(&signer("c.example", 1))]), Err(NoteError::Unsigned));
}

#[test]
fn a_note_of_another_form_is_refused() {
    let note = signer("a.example", 1).sign("text\n").unwrap().to_string();
    let line = note.lines().last().unwrap();
    for bytes in [
        note.trim_end().to_owned(),
        format!("{note}\n"),
        note.replace("text", "te\txt"),
        note.replace("text", "te\rxt"),
        note.replace("\n\n", "\n"),
        note.replace('—', "-"),
        note.replace("a.example", "a+b"),
        note.replace("a.example", "a\u{a0}b"),
        format!("text\n\n{}", format!("{line}\n").repeat(101)),
        "text\n\n— a.example AAAA\n".into(),
        "text\n\n".into(),
    ] {
        assert_eq!(Note::parse(bytes.as_bytes()), Err(NoteError::Malformed), "{bytes}");
    }
    assert_eq!(Note::parse(b"\xff\n\n\xff\n"), Err(NoteError::Malformed));
    assert!(Note::parse(format!("text\n\n{}", format!("{line}\n").repeat(100)).as_bytes()).is_ok());
    assert!(signer("a.example", 1).sign("no line feed").is_err());
}

#[test]
fn a_key_is_refused_that_is_weak_misnamed_or_not_as_hashed() {
    let vkey = signer("a.example", 1).vkey().to_string();
    assert_eq!(vkey.parse::<Vkey>().unwrap().to_string(), vkey);
    for other in [vkey.replace("a.example", "b.example"), vkey.to_uppercase(), vkey[..vkey.len() - 2].into(), format!(" {vkey}")]
    {
        assert!(other.parse::<Vkey>().is_err(), "{other}");
    }
    // The neutral point verifies signatures of anything.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    assert_eq!(Vkey::new("a.example", KeyKind::Note, &neutral), Err(NoteError::NoKey));
    for name in ["", "a b", "a+b", "a\nb"] {
        assert!(Signer::new(name, &[1; 32]).is_err(), "{name}");
    }
    assert!(!format!("{:?}", signer("a.example", 1)).contains("0101"));
}

fn checkpoint(origin: &str) -> String {
    Checkpoint { origin: origin.into(), size: 3, root: [9; 32] }.to_string()
}

#[test]
fn a_checkpoint_is_believed_only_under_its_own_log_s_name() {
    let log = signer("a.example", 1);
    let open = |text: &str, keys: &[Vkey]| Checkpoint::open(log.sign(text).unwrap().to_string().as_bytes(), keys);
    let keys = [log.vkey().clone()];
    assert_eq!(open(&checkpoint("a.example"), &keys).unwrap().size, 3);
    assert_eq!(open(&checkpoint("b.example"), &keys), Err(CheckpointError::Origin("b.example".into())));
    for text in ["a.example\n3\n", "a.example\n03\nCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=\n", "\n\n\n"] {
        assert_eq!(open(text, &keys), Err(CheckpointError::Malformed), "{text}");
    }
    let extended = format!("{}extension\n", checkpoint("a.example"));
    assert_eq!(open(&extended, &keys), Err(CheckpointError::Malformed));
}

#[test]
fn a_cosignature_says_when_and_fails_when_touched() {
    let (log, witness) = (signer("a.example", 1), signer("w.example", 2));
    let text = checkpoint("a.example");
    let line = witness.cosign(&text, 1_700_000_000);
    let note = Note::parse(&with(&log.sign(&text).unwrap(), std::slice::from_ref(&line))).unwrap();
    let key = witness.witness_vkey();
    assert_eq!(note.cosigned(key).unwrap().unwrap().at_seconds, 1_700_000_000);
    assert_eq!(note.cosigned(signer("w.example", 3).witness_vkey()), Ok(None));
    // A note's key is none of a witness, though the bytes are the same.
    assert_eq!(note.cosigned(witness.vkey()), Ok(None));
    assert!(note.verify(&[log.vkey().clone()]).is_ok());

    let mut later = line.clone();
    later.bytes[7] ^= 1;
    assert!(verify_cosignatures(&text, &[later], key).is_err());
    assert!(verify_cosignatures(&text, &[NoteSignature { bytes: vec![1; 7], ..line.clone() }], key).is_err());
    assert!(verify_cosignatures(&checkpoint("b.example"), &[line], key).is_err());
}

fn policy_text() -> String {
    let key = |name: &str, seed| signer(name, seed).witness_vkey().to_string();
    format!(
        "# trusted\nlog {}\n\twitness X1 {} https://x1.example\nwitness X2 {}\nwitness X3 {}\ngroup X 2 X1 X2 X3\nwitness Y {}\n\ngroup all all X Y\nquorum all\n",
        signer("a.example", 1).vkey(),
        key("x1", 2),
        key("x2", 3),
        key("x3", 4),
        key("y", 5)
    )
}

#[test]
fn a_policy_is_satisfied_by_its_quorum_and_nothing_less() {
    let policy = Policy::parse(&policy_text()).unwrap();
    assert_eq!(policy.logs(), [signer("a.example", 1).vkey().clone()]);
    let names: Vec<&str> = policy.witnesses().map(|(name, _)| name).collect();
    assert_eq!(names, ["X1", "X2", "X3", "Y"]);
    let by = |names: &[&str]| policy.is_satisfied(|key| names.contains(&key.name()));
    assert!(by(&["x1", "x3", "y"]));
    assert!(!by(&["x1", "x2", "x3"]));
    assert!(!by(&["x1", "y"]));
    let none = policy_text().replace("quorum all", "quorum none");
    assert!(Policy::parse(&none).unwrap().is_satisfied(|_| false));
}

#[test]
fn a_policy_that_could_be_read_in_two_ways_is_refused() {
    let replaced = |from: &str, to: &str| Policy::parse(&policy_text().replace(from, to));
    assert_eq!(replaced("quorum all\n", ""), Err(PolicyError::Quorum));
    assert_eq!(replaced("quorum all", "quorum all\nquorum none"), Err(PolicyError::Quorum));
    assert_eq!(replaced("group X 2 X1 X2", "group X 2 X1 X4"), Err(PolicyError::Unknown { line: 6, name: "X4".into() }));
    assert_eq!(replaced("group X 2 X1 X2", "group X 2 X1 X1"), Err(PolicyError::Repeated(6)));
    assert_eq!(replaced("group all all X Y", "group all all X X1"), Err(PolicyError::Repeated(9)));
    assert_eq!(replaced("witness X2", "witness X1"), Err(PolicyError::Repeated(4)));
    assert_eq!(replaced("witness Y", "witness none"), Err(PolicyError::Repeated(7)));
    for least in ["0", "4", "02", "+2", "two"] {
        assert_eq!(replaced("group X 2", &format!("group X {least}")), Err(PolicyError::Line(6)));
    }
    assert_eq!(replaced("quorum all", "quorum\u{b}all"), Err(PolicyError::Line(10)));
    assert_eq!(replaced("quorum all", "trust all"), Err(PolicyError::Line(10)));
    let log = signer("a.example", 1);
    assert!(matches!(replaced(&log.vkey().to_string(), &log.witness_vkey().to_string()), Err(PolicyError::Key { line: 2, .. })));
}
