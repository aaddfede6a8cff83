//! Jobs bring columns of the controller's own, under the rules of a list's.

use super::{Jobs, person};
use crate::intake_world::HEADER;
use duly::intake::csv::Mapping;
use duly::intake::job::{Target, publish_file};
use duly::model::column::{Column, ColumnType};
use duly::model::contact::{PersonRecord, RawPerson};

const SECRET: Column = Column { kind: ColumnType::Text, sensitive: true };
const DAY: Column = Column { kind: ColumnType::Date, sensitive: false };

/// Column, whether it is sensitive, and what messages print of it, of the person with this reference.
async fn cells(jobs: &Jobs, reference: &str) -> Vec<(String, bool, String)> {
    let query = "select p.contact, k.wrapped from person p join person_key k using (person_id)";
    let people: Vec<(Vec<u8>, Vec<u8>)> = sqlx::query_as(query).fetch_all(&jobs.world.owner).await.unwrap();
    let records = people.into_iter().map(|(contact, wrapped)| {
        let opened = jobs.world.key.unwrap_key(&wrapped, "person").unwrap().open("contact", &contact).unwrap();
        serde_json::from_slice::<PersonRecord>(&opened).unwrap()
    });
    let record = records.into_iter().find(|record| record.external_reference == reference).unwrap();
    record.columns.iter().map(|(name, cell)| (name.clone(), cell.column.sensitive, cell.value.clone())).collect()
}

fn with(reference: &str, columns: &[(&str, Column, &str)]) -> RawPerson {
    let columns = columns.iter().map(|(name, column, value)| ((*name).to_owned(), *column, (*value).to_owned()));
    RawPerson { columns: columns.collect(), ..person(reference) }
}

#[tokio::test]
async fn a_jobs_own_columns_are_typed_and_a_corrected_one_keeps_them() {
    let mut jobs = Jobs::start("job_columns").await;
    jobs.consume(false);
    let good = with("PN1", &[("pay_grade", SECRET, " B7 "), ("joined", DAY, "2026-11-09")]);
    let wrong = with("PN2", &[("pay_grade", SECRET, "C3"), ("joined", DAY, "09/11/2026")]);

    let bodies = [jobs.job("j-1", good).await, jobs.job("j-2", wrong).await];
    jobs.publish(&bodies).await;
    jobs.publish(&bodies).await;
    jobs.wait("select count(*) from source_row", 2).await;

    let of = |grade: &str| vec![("joined".to_owned(), false, "2026-11-09".to_owned()), ("pay_grade".into(), true, grade.into())];
    assert_eq!(cells(&jobs, "PN1").await, of("B7"));
    let waiting = jobs.world.waiting().await;
    assert!(waiting.len() == 1 && waiting[0].ends_with(" not_a_date"), "{waiting:?}");

    let mut out = Vec::new();
    duly::intake::correction::export(&jobs.world.target(), &mut out).await.unwrap();
    let exported = String::from_utf8(out).unwrap();
    assert!(exported.contains("C3") && exported.contains("09/11/2026"), "{exported}");
    let report = jobs.world.correct(None, &exported.replace("09/11/2026", "2026-11-09")).await.unwrap();

    assert_eq!((report.people, report.quarantined), (1, 0));
    assert_eq!(cells(&jobs, "PN2").await, of("C3"));
    jobs.end().await;
}

#[tokio::test]
async fn a_job_that_says_other_things_in_its_columns_is_another_persons() {
    let mut jobs = Jobs::start("job_other_columns").await;
    jobs.consume(false);
    let [old, new] = ["old", "new"].map(|kind| with("PN1", &[("pay_number_type", Column::default(), kind)]));

    jobs.publish(&[jobs.job("j-1", old).await, jobs.job("j-2", new).await]).await;
    jobs.wait("select count(*) from source_row", 2).await;

    let waiting = jobs.world.waiting().await;
    assert!(waiting.len() == 1 && waiting[0].ends_with(" duplicate_reference"), "{waiting:?}");
    jobs.end().await;
}

#[tokio::test]
async fn a_file_published_as_jobs_brings_its_own_columns() {
    let mut jobs = Jobs::start("file_columns").await;
    jobs.consume(false);
    let header = HEADER.trim_end();
    let file =
        jobs.world.file("people.csv", format!("{header},Pay grade,Joined on\nPN1,Ann,Price,07400 123456,,,,B7,2026-11-09\n"));
    let maps = [("pay_grade", "Pay grade"), ("joined:date", "Joined on")].map(|(c, h)| (c.to_owned(), h.to_owned()));
    let mapping = Mapping::of(&maps, &["pay_grade".to_owned()]).unwrap();
    let target: Target = jobs.target().await;

    assert_eq!(publish_file(&jobs.channel, &file, &mapping, &target).await.unwrap(), 1);
    jobs.wait("select count(*) from person", 1).await;

    let expected = [("joined".to_owned(), false, "2026-11-09".to_owned()), ("pay_grade".into(), true, "B7".into())];
    assert_eq!(cells(&jobs, "PN1").await, expected);
    // A column that the file does not have is no column of a job's.
    let mapping = Mapping::of(&[], &["pay_band".to_owned()]).unwrap();
    assert!(publish_file(&jobs.channel, &file, &mapping, &target).await.is_err());
    jobs.end().await;
}
