#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]
use super::batch::{Making, Manifest};
use super::error::SpoolError;
use super::spool::{Limits, Place, Put, Spool};
use super::*;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const SOON: Duration = Duration::from_secs(2);
const AT_ONCE: Limits = Limits { messages_max: 3, wait: Duration::ZERO };
const TEXTS: Making = Making { channel: Channel::Sms, is_live: true };

fn reference(n: usize) -> String {
    format!("{n:032x}")
}

fn frozen(channel: Channel, n: usize, text: &str) -> Vec<u8> {
    frozen_by(&provider(channel, Path::new("/nowhere")), channel, n, text)
}

fn frozen_by(folder: &Folder, channel: Channel, n: usize, text: &str) -> Vec<u8> {
    let to = format!("+44740000{n:04}");
    let item = match channel {
        Channel::Sms => Item::Sms { from: "NORTHMERE", to: &to, text },
        _ => Item::Email { from: "n@example.org", from_name: "=Northmere", to: "+ann@example.org", subject: "Your data", text },
    };
    folder.prepare(&Outbound { reference: &reference(n), callback: None, item }).unwrap().bytes().to_vec()
}

fn provider(channel: Channel, folder: &Path) -> Folder {
    lane(channel, folder, true)
}

fn lane(channel: Channel, folder: &Path, live: bool) -> Folder {
    let folder = folder.display();
    let lane =
        format!("channel = \"{channel}\"\nfolder = \"{folder}\"\nbatch_messages_max = 3\nbatch_seconds = 0\nlive = {live}\n");
    Folder::new("texts", &toml::from_str(&lane).unwrap(), channel, SOON).unwrap()
}

/// The folder of a lane, set up.
fn spool(folder: &Path) -> Spool {
    let spool = Spool::new(folder, "texts");
    spool.set_up(SOON).unwrap();
    spool
}

fn yes() -> MayStart {
    Arc::new(|| Ok(()))
}

fn put(spool: &Spool, n: usize) -> Result<Put, SpoolError> {
    spool.put(&reference(n), &frozen(Channel::Sms, n, "Your data, code A"), &yes(), SOON)
}

fn put_all(spool: &Spool, numbers: impl IntoIterator<Item = usize>) {
    for n in numbers {
        assert!(matches!(put(spool, n), Ok(Put::Taken)), "{n}");
    }
}

/// In how many batches each message stands, by their manifests.
fn standing(folder: &Path) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder.join("batches")).unwrap() {
        let manifest = Manifest::read(&fs::read(entry.unwrap().path()).unwrap()).unwrap();
        let ready = folder.join("ready").join(&manifest.batch);
        let file = fs::read(ready.join(&manifest.file)).unwrap();
        assert_eq!(hex::encode(Sha256::digest(&file)), manifest.sha256);
        assert!(ready.join("manifest.json").exists());
        let rows = csv::Reader::from_reader(&file[..]).into_records().count();
        assert_eq!(rows, manifest.messages.len());
        manifest.messages.into_iter().for_each(|message| *found.entry(message.reference).or_insert(0) += 1);
    }
    found
}

#[test]
fn a_message_stands_in_exactly_one_batch_wherever_whoever_handles_it_dies() {
    for point in ["entry_written", "entry_placed", "batch_made", "batch_closed", "batch_ready"] {
        let folder = tempfile::tempdir().unwrap();
        let mut dying = spool(folder.path());
        dying.dies_at = Some(point);
        let died = (0..4).any(|n| put(&dying, n).is_err()) | dying.close_due(AT_ONCE, &TEXTS, SOON).is_err();
        assert!(died, "{point} was not reached");

        // Another one goes on: what a look-up does not find is sent again, and what is sent again is not there twice.
        let next = Spool::new(folder.path(), "texts");
        for n in 0..4 {
            let was_there = next.find(&reference(n), SOON).unwrap() != Place::Absent;
            let again = put(&next, n).unwrap();
            assert_eq!(matches!(again, Put::Again), was_there, "{point}: {again:?}");
        }
        next.close_due(AT_ONCE, &TEXTS, SOON).unwrap();

        assert_eq!(standing(folder.path()), (0..4).map(|n| (reference(n), 1)).collect(), "{point}");
        assert!((0..4).all(|n| matches!(next.find(&reference(n), SOON), Ok(Place::In(_)))), "{point}");
        for left in ["waiting", "making"] {
            assert_eq!(fs::read_dir(folder.path().join(left)).unwrap().count(), 0, "{point}: {left}");
        }
    }
}

#[test]
fn a_batch_that_was_carried_away_and_deleted_still_has_its_messages() {
    let folder = tempfile::tempdir().unwrap();
    let spool = spool(folder.path());
    put(&spool, 1).unwrap();
    let [batch] = &spool.close_due(AT_ONCE, &TEXTS, SOON).unwrap()[..] else { panic!("one batch") };
    fs::remove_dir_all(folder.path().join("ready").join(batch)).unwrap();

    assert!(matches!(put(&Spool::new(folder.path(), "texts"), 1).unwrap(), Put::Again));
    assert_eq!(spool.find(&reference(1), SOON).unwrap(), Place::In(batch.clone()));
}

#[test]
fn a_batch_is_closed_when_it_is_full_or_has_waited_and_not_before() {
    let folder = tempfile::tempdir().unwrap();
    let spool = spool(folder.path());
    let patient = Limits { messages_max: 3, wait: Duration::from_secs(3600) };
    put_all(&spool, 0..2);
    assert_eq!(spool.close_due(patient, &TEXTS, SOON).unwrap(), [""; 0]);
    put_all(&spool, 2..7);
    assert_eq!(spool.close_due(patient, &TEXTS, SOON).unwrap().len(), 2);
    assert_eq!(spool.close_due(Limits { wait: Duration::ZERO, ..patient }, &TEXTS, SOON).unwrap().len(), 1);
    assert_eq!(standing(folder.path()).len(), 7);
}

#[test]
fn nothing_is_taken_that_may_not_leave_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let spool = spool(folder.path());
    let no: MayStart = Arc::new(|| Err("hold_changed"));
    let put = spool.put(&reference(1), &frozen(Channel::Sms, 1, "x"), &no, SOON).unwrap();
    assert!(matches!(put, Put::Refused("hold_changed")), "{put:?}");
    assert_eq!(spool.find(&reference(1), SOON).unwrap(), Place::Absent);
    assert_eq!(fs::read_dir(folder.path().join("writing")).unwrap().count(), 0);
}

#[test]
fn what_is_taken_back_before_its_batch_is_closed_is_in_none_and_cannot_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let spool = spool(folder.path());
    put_all(&spool, 1..=2);

    assert_eq!(spool.cancel(&reference(1), SOON).unwrap(), Place::Cancelled);
    assert_eq!(fs::read(folder.path().join("cancelled").join(reference(1))).unwrap(), b"");
    assert!(matches!(put(&spool, 1).unwrap(), Put::Again), "somebody slept over the call");
    spool.close_due(AT_ONCE, &TEXTS, SOON).unwrap();

    assert_eq!(standing(folder.path()), [(reference(2), 1)].into());
    assert!(matches!(spool.cancel(&reference(2), SOON).unwrap(), Place::In(_)), "too late");
    assert_eq!(spool.cancel(&reference(3), SOON).unwrap(), Place::Absent);
}

#[test]
fn nobody_else_reads_the_folder_and_no_name_in_it_is_personal() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("lane");
    let spool = spool(&place);
    put_all(&spool, 0..4);
    spool.close_due(Limits { wait: Duration::from_secs(60), ..AT_ONCE }, &TEXTS, SOON).unwrap();
    spool.keep_docket(&standing_name(&place), b"{}", SOON).unwrap();

    let mut folders = vec![place];
    while let Some(folder) = folders.pop() {
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700, "{folder:?}");
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            assert!(!name.contains("44740") && name.is_ascii(), "{name}");
            match path.is_dir() {
                true => folders.push(path),
                false => assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{path:?}"),
            }
        }
    }
}

fn standing_name(folder: &Path) -> String {
    let entry = fs::read_dir(folder.join("batches")).unwrap().next().unwrap().unwrap();
    entry.file_name().to_str().unwrap().trim_end_matches(".json").to_owned()
}

#[test]
fn a_folder_serves_one_lane_and_one_changes_it_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    put(&spool(folder.path()), 1).unwrap();
    assert!(matches!(put(&Spool::new(folder.path(), "letters"), 2), Err(SpoolError::Foreign)));

    let lock = fs::File::options().write(true).open(folder.path().join("lock")).unwrap();
    lock.lock().unwrap();
    let spool = Spool::new(folder.path(), "texts");
    let busy = spool.put(&reference(2), &frozen(Channel::Sms, 2, "x"), &yes(), Duration::from_millis(20));
    assert!(matches!(busy, Err(SpoolError::Locked)), "{busy:?}");
    drop(lock);
    assert!(matches!(put(&spool, 2), Ok(Put::Taken)));
}

#[test]
fn a_cell_of_a_batch_is_never_a_formula_and_reads_back() {
    for (channel, columns) in [(Channel::Sms, 4), (Channel::Email, 6)] {
        let folder = tempfile::tempdir().unwrap();
        let spool = spool(folder.path());
        let texts = ["=HYPERLINK(\"http://x\")", "+44 7400", "-1", "@SUM", "'quoted", "two\nlines, \"and\" more"];
        for (n, text) in texts.iter().enumerate() {
            spool.put(&reference(n), &frozen(channel, n, text), &yes(), SOON).unwrap();
        }
        let making = Making { channel, ..TEXTS };
        spool.close_due(Limits { messages_max: 9, wait: Duration::ZERO }, &making, SOON).unwrap();

        let name = standing_name(folder.path());
        let file = fs::read(folder.path().join(format!("ready/{name}/{name}.csv"))).unwrap();
        let mut read = Vec::new();
        for record in csv::Reader::from_reader(&file[..]).into_records() {
            let record = record.unwrap();
            assert_eq!(record.len(), columns);
            assert!(record.iter().all(|cell| !cell.starts_with(['=', '+', '-', '@'])), "{record:?}");
            read.push(cell::plain(record.iter().next_back().unwrap()).to_owned());
        }
        read.sort();
        let mut given: Vec<&str> = texts.into();
        given.sort_unstable();
        assert_eq!(read, given);
    }
}

#[tokio::test]
async fn what_was_taken_is_found_and_what_was_frozen_reads_back() {
    let folder = tempfile::tempdir().unwrap();
    let lane = provider(Channel::Sms, folder.path());
    let item = Item::Sms { from: "NORTHMERE", to: "+447400000001", text: "Your data" };
    let name = reference(1);
    let frozen = lane.prepare(&Outbound { reference: &name, callback: None, item }).unwrap();
    assert_eq!(read_back(&frozen.thaw().unwrap()), Some(ReadBack::text("+447400000001", "Your data")));

    let sought = Sought { reference: &name, frozen: None, since: None };
    // A disk that is not mounted must not look like a folder that never had the message.
    assert_eq!(lane.look_up(sought).await, LookUp::CannotKnow);
    assert_eq!(lane.submit(frozen.clone(), yes()).await.answer, Answer::LaneStopped);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    assert_eq!(lane.check().await, Check::Good);
    assert_eq!(lane.look_up(sought).await, LookUp::Absent);
    for code in ["taken", "taken_before"] {
        let result = lane.submit(frozen.clone(), yes()).await;
        assert_eq!((result.answer, result.code.as_str(), result.provider_id.as_deref()), (Answer::Accepted, code, Some(&*name)));
    }
    let LookUp::Found(seen) = lane.look_up(sought).await else { panic!("it is there") };
    assert_eq!((seen.len(), seen[0].word.as_str()), (1, "waiting"));

    let other = provider(Channel::Sms, Path::new("/proc/no-such-place"));
    let result = other.submit(frozen, yes()).await;
    assert_eq!((result.answer, result.pause), (Answer::LaneStopped, Some(Pause::Minute)), "a folder that cannot be used");
    assert_eq!(other.look_up(sought).await, LookUp::CannotKnow, "and so proves nothing");
}

#[test]
fn what_was_frozen_as_a_rehearsal_is_put_into_no_batch_for_people_although_its_lane_is_live_by_now() {
    let folder = tempfile::tempdir().unwrap();
    let spool = spool(folder.path());
    let rehearsal = lane(Channel::Sms, folder.path(), false);
    for n in [1, 2] {
        let frozen = frozen_by(&rehearsal, Channel::Sms, n, "Your data, code A");
        assert!(matches!(spool.put(&reference(n), &frozen, &yes(), SOON), Ok(Put::Taken)));
    }
    put_all(&spool, [3]);

    let closed = spool.close_due(AT_ONCE, &TEXTS, SOON).unwrap();

    let (listed, waiting) = spool.list(SOON).unwrap();
    assert_eq!((closed.len(), waiting, standing(folder.path()).into_values().collect::<Vec<_>>()), (2, 0, vec![1, 1, 1]));
    for one in listed {
        let manifest = Manifest::read(&one.manifest).unwrap();
        let is_for_people = manifest.messages.iter().any(|message| message.reference == reference(3));
        assert_eq!((manifest.live, manifest.messages.len()), (is_for_people, if is_for_people { 1 } else { 2 }));
        assert_eq!(manifest.file.starts_with("NOT-LIVE-"), !is_for_people);
    }
}

#[test]
fn letters_and_what_is_not_live_say_so_in_the_name_of_their_file() {
    let rehearsal = lane(Channel::Sms, Path::new("/nowhere"), false);
    let frozen = frozen_by(&rehearsal, Channel::Sms, 1, "x");
    let made = TEXTS.batch("000001-x", "texts", &[reference(1)], &[frozen]).unwrap();
    assert_eq!(made.files[0].0, "NOT-LIVE-000001-x.csv");
    let refused = provider(Channel::Letter, Path::new("/nowhere"));
    let lines = ["Ann Price".to_owned()];
    let item = Item::Letter { from: &lines, address: &lines, pdf: b"no PDF", pages: 1, postage_class: "second" };
    let refused = refused.prepare(&Outbound { reference: &reference(1), callback: None, item });
    assert_eq!(refused.err(), Some(Refusal { code: "pdf" }), "it would keep its whole batch from being made");
}
