use super::*;
use proptest::prelude::*;

const HEADER: &str = "Pay number;Surname;Mobile\n";

fn rows(text: &[u8]) -> Vec<ParsedRow> {
    open(text, &Mapping::default()).unwrap().map(Result::unwrap).collect()
}

fn first_code(row: &ParsedRow) -> &'static str {
    row.result.as_ref().map_or_else(|faults| faults[0].code, |_| "good")
}

fn refusal(bytes: &[u8]) -> Option<ListError> {
    open(bytes, &Mapping::default()).err()
}

#[test]
fn good_rows_go_on_beside_bad_ones_and_a_formula_is_data() {
    let text = format!("{HEADER}A1;=CMD();07400 123456\n;X;07400 123457\nA3;\"two\nlines\";'+44 7400 123458\n");

    let rows = rows(text.as_bytes());

    assert_eq!(rows[0].result.as_ref().unwrap().record.name, "=CMD()");
    assert_eq!(first_code(&rows[1]), "missing_reference");
    assert_eq!(rows[2].result.as_ref().unwrap().record.phone.as_deref(), Some("+447400123458"));
    assert_eq!(rows[2].row, 3);
}

#[test]
fn comma_semicolon_and_tab_are_found_by_the_header() {
    for delimiter in [",", ";", "\t"] {
        let text = format!("{HEADER}A1;\"Price, Ann; B\tC\";07400 123456\n").replace(';', delimiter);
        assert_eq!(first_code(&rows(text.as_bytes())[0]), "good", "{delimiter:?}");
    }
}

#[test]
fn what_is_no_list_is_refused_with_the_right_error() {
    assert!(matches!(refusal(b""), Some(ListError::Empty)));
    assert!(matches!(refusal(b"\xef\xbb\xbf\r\n,,,\n"), Some(ListError::Empty)));
    assert!(matches!(refusal(b"\xff\xfeP\0a\0"), Some(ListError::Utf16)));
    assert!(matches!(refusal(b"PK\x03\x04..."), Some(ListError::Spreadsheet)));
    assert!(matches!(refusal(b"P\0a\0y\0,\0"), Some(ListError::HeaderNotText)));
    assert!(matches!(refusal(b"Pay number,Surn\xe9,Mobile\n"), Some(ListError::HeaderNotText)));
    assert!(matches!(refusal(&vec![b'x'; 10_000_000]), Some(ListError::HeaderTooLong)));
    assert!(matches!(refusal(b"name,phone\n"), Some(ListError::MissingColumn { column: "external_reference" })));
    assert!(matches!(refusal(b"id,phone\n"), Some(ListError::MissingColumn { column: "last_name" })));
    assert!(matches!(refusal(b"id,name\n"), Some(ListError::MissingColumn { column: "phone" })));
    assert!(matches!(refusal(b"id,name,phone,Surname\n"), Some(ListError::DoubleColumn { column }) if column == "last_name"));
}

#[test]
fn columns_can_be_named_by_the_caller() {
    let map = |column: &str, header: &str| vec![(column.to_owned(), header.to_owned())];
    let text = b"Number,Name,Surname,Phone\n1,Ann,Price,07400 123456\n";

    assert!(matches!(
        open(&text[..], &Mapping::of(&map("external_reference", "No"), &[]).unwrap()).err(),
        Some(ListError::BadMap { .. })
    ));
    assert!(matches!(Mapping::of(&map("Shoe size", "Name"), &[]).err(), Some(ListError::BadMap { .. })));
    let overrides = [map("external_reference", "Number"), map("first_name", "Name")].concat();
    let rows: Vec<ParsedRow> = open(&text[..], &Mapping::of(&overrides, &[]).unwrap()).unwrap().map(Result::unwrap).collect();
    assert_eq!(rows[0].result.as_ref().unwrap().record.name, "Ann Price");
}

#[test]
fn a_lists_own_columns_are_typed_and_a_wrong_cell_is_a_fault() {
    let text = b"id,Name,Phone,Kind of number,Start date,Pay grade\n1,Price,07400 123456,old,2026-11-09,B7\n2,Evans,07400 123457,,soon,\n";
    let maps = [("number_kind", "Kind of number"), ("started:date", "Start date")].map(|(c, h)| (c.to_owned(), h.to_owned()));
    let mapping = Mapping::of(&maps, &["pay_grade".to_owned()]).unwrap();
    let list = open(&text[..], &mapping).unwrap();
    assert_eq!((list.check_own().is_ok(), list.unmapped()), (true, Vec::<String>::new()));
    let rows: Vec<ParsedRow> = list.map(Result::unwrap).collect();

    let columns = &rows[0].result.as_ref().unwrap().record.columns;
    let read: Vec<(&str, &str, bool)> =
        columns.iter().map(|(name, cell)| (name.as_str(), cell.value.as_str(), cell.column.sensitive)).collect();
    let expected = [("number_kind", "old", false), ("pay_grade", "B7", true), ("started", "2026-11-09", false)];
    assert_eq!(read, expected);
    assert_eq!(rows[1].result.as_ref().unwrap_err()[0].code, "not_a_date");
    assert_eq!(rows[1].cell("started"), "soon", "what is put aside keeps its column");

    let missing = Mapping::of(&[], &["shoe_size".to_owned()]).unwrap();
    assert!(matches!(open(&text[..], &missing).unwrap().check_own(), Err(ListError::BadSensitive { .. })));
    assert!(matches!(Mapping::of(&[], &["phone".to_owned()]), Err(ListError::BadSensitive { .. })));
    assert!(matches!(Mapping::of(&[("started:day".into(), "Start date".into())], &[]), Err(ListError::BadMap { .. })));
}

#[test]
fn a_row_that_is_not_utf8_is_put_aside_whole_and_the_rest_goes_on() {
    let text = [HEADER.as_bytes(), b"A1;Jos\xe9;07400 123456\nA2;Jos\xc3\xa9;07400 123457\n"].concat();

    let rows = rows(&text);

    assert_eq!((first_code(&rows[0]), rows[0].cell("last_name")), ("not_utf8", "José"));
    assert_eq!(rows[1].result.as_ref().unwrap().record.name, "José");
}

#[test]
fn rows_of_a_wrong_form_have_codes_of_their_own() {
    let long = "x".repeat(10_000_000);
    let swallowed = "line\n".repeat(20);
    let text = format!(
        "{HEADER}A1;Price\nA2;Price;07400 123456;more\nA3;{long};07400 123456\nA4;\"{swallowed}\";07400 123456\nA5;Pr\0ice;07400 123456\n"
    );

    let rows = rows(text.as_bytes());

    assert_eq!(
        rows.iter().map(first_code).collect::<Vec<_>>(),
        ["wrong_cells", "wrong_cells", "row_too_long", "stray_quote", "good"]
    );
    assert!(rows[2].cells.iter().map(|(_, cell)| cell.len()).sum::<usize>() <= ROW_BYTES_MAX);
    assert_eq!(rows[4].result.as_ref().unwrap().record.name, "Price");
}

#[test]
fn both_readers_agree_on_what_a_row_is() {
    for (text, expected) in [
        ("id,name,phone\na,b,c\nd,e,f\n", 2),
        ("id,name,phone\na,b,c\nd,e,f", 2),
        ("\u{feff}id,name,phone\r\na,b,c\r\n\r\nd,e,f\r\n", 2),
        ("id,name,phone\ra,b,c\rd,e,f\r", 2),
        ("id,name,phone\n\"a\nb\",\"\"\"c\r\n\"\"\",\"d\"\n,,\n\"\",\"\",\"\"\n \t,,\n", 1),
        ("\n\n,,\nid,name,phone\na\"b,c\",\"d\n\"e\"f\"g,h,i\n", 1),
        ("id,name,phone", 0),
    ] {
        assert_eq!((rows(text.as_bytes()).len() as u64, count_rows(text.as_bytes()).unwrap()), (expected, expected), "{text:?}");
    }
}

#[test]
fn a_quote_that_is_never_closed_is_seen_by_the_counting_reader() {
    let counted = count("id,name,phone\na,b,c\nd,\"e,f\ng,h,i\n".as_bytes()).unwrap();
    assert!(counted.ends_in_quote && counted.rows == 2);
    assert!(!count("id,name,phone\na,b,\"c\"".as_bytes()).unwrap().ends_in_quote);
}

#[test]
fn the_counting_reader_hashes_the_whole_file() {
    let bytes = vec![b'a'; 200_000];
    let counted = count(&bytes[..]).unwrap();
    assert_eq!(counted.bytes, 200_000);
    assert_eq!(counted.hash, <[u8; 32]>::from(<sha2::Sha256 as sha2::Digest>::digest(&bytes)));
}

#[test]
fn every_refusal_has_a_remedy() {
    for error in [
        ListError::Empty,
        ListError::NoRows,
        ListError::Utf16,
        ListError::UnclosedQuote { row: 1 },
        ListError::CountsDiffer { counted: 1, read: 2 },
    ] {
        assert!(!error.remedy().is_empty());
    }
}

/// Bytes that a CSV reader stumbles over, and a few letters.
fn nasty() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        Just(&b"\""[..]),
        Just(&b"\"\""[..]),
        Just(&b","[..]),
        Just(&b";"[..]),
        Just(&b"\t"[..]),
        Just(&b"\n"[..]),
        Just(&b"\r\n"[..]),
        Just(&b"\r"[..]),
        Just(&b" "[..]),
        Just(&b"a"[..]),
        Just(&b"07400 123456"[..]),
        Just(&b"\xe9"[..]),
        Just(&b"\0"[..]),
        Just(&b"\xef\xbb\xbf"[..]),
    ];
    proptest::collection::vec(token, 0..60).prop_map(|tokens| tokens.concat())
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic_and_both_readers_count_the_same(head in 0..3, body in nasty()) {
        let header: &[u8] = [&b"id,name,phone\n"[..], b"\xef\xbb\xbfid;name;phone\r\n", b"\n\nid\tname\tphone\r"][head as usize];
        let bytes = [header, &body].concat();

        let read = open(&bytes[..], &Mapping::default()).unwrap().map(Result::unwrap).count() as u64;

        prop_assert_eq!(read, count_rows(&bytes[..]).unwrap());
    }

    #[test]
    fn any_file_is_refused_or_read_to_its_end(bytes in prop_oneof![nasty(), proptest::collection::vec(any::<u8>(), 0..300)]) {
        if let Ok(reader) = open(&bytes[..], &Mapping::default()) {
            let read = reader.map(Result::unwrap).count() as u64;
            prop_assert_eq!(read, count_rows(&bytes[..]).unwrap());
        }
    }
}
